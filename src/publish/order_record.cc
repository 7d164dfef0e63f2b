#include "publish/order_record.h"

#include "base/sha256.h"
#include "seal/signed_config.h"

namespace telltale::publish {
namespace {

Result<Rollout> ReadRollout(const internal::v1::Rollout& in, const std::string& stable) {
  Rollout rollout = contract::RolloutOf(in);
  // It becomes part of a path.
  if (!IsSha256Hex(rollout.candidate)) {
    return Error{Code::kInvalid, "the rollout's candidate is not 64 lower-case hex digits"};
  }
  RETURN_IF_ERROR(contract::CheckRollout(rollout, stable));
  rollout.order.per_10000 = 0;
  return rollout;
}

Result<Wanted> ReadRecord(const internal::v1::ConfigRecord& record) {
  if (record.config_seq() == 0 || record.config_seq() > INT64_MAX) {
    return Error{Code::kInvalid, "config_seq must be 1 or more"};
  }
  if (record.leader_epoch() > INT64_MAX) {
    return Error{Code::kInvalid, "leader_epoch is too high"};
  }
  if (!IsSha256Hex(record.stable_release())) {
    return Error{Code::kInvalid, "stable_release is not 64 lower-case hex digits"};
  }
  if (!record.previous_release().empty() && !IsSha256Hex(record.previous_release())) {
    return Error{Code::kInvalid, "previous_release is not 64 lower-case hex digits"};
  }
  Wanted wanted{.seq = ConfigSeq{record.config_seq()},
                .leader_epoch = record.leader_epoch(),
                .audit_entry = record.audit_entry(),
                .stable = record.stable_release(),
                .previous = record.previous_release()};
  if (!record.has_rollout()) return wanted;
  ASSIGN_OR_RETURN(wanted.rollout, ReadRollout(record.rollout(), wanted.stable));
  return wanted;
}

}  // namespace

Result<Wanted> ParseOrder(std::string_view signed_config) {
  ASSIGN_OR_RETURN(const internal::v1::ConfigRecord record, contract::ParseConfig(signed_config));
  return ReadRecord(record);
}

Result<Wanted> VerifyOrder(std::string_view signed_config, std::string_view control_public) {
  ASSIGN_OR_RETURN(const internal::v1::ConfigRecord record,
                   seal::VerifyConfigRecord(signed_config, control_public));
  return ReadRecord(record);
}

}  // namespace telltale::publish
