#include "publish/order_record.h"

#include "contract/cohort_wire.h"
#include "internal/v1/internal.pb.h"
#include "seal/seal.h"

namespace telltale::publish {
namespace {

// It becomes part of a path.
bool IsRelease(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<internal::v1::SignedConfig> ParseEnvelope(std::string_view bytes) {
  internal::v1::SignedConfig envelope;
  if (!envelope.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Error{Code::kInvalid, "not a SignedConfig message"};
  }
  return envelope;
}

Result<Rollout> ReadRollout(const internal::v1::Rollout& in, const std::string& stable) {
  if (!IsRelease(in.candidate())) {
    return Error{Code::kInvalid, "the rollout's candidate is not 64 lower-case hex digits"};
  }
  if (in.candidate() == stable) {
    return Error{Code::kInvalid, "the stable release is no candidate"};
  }
  if (in.shadow_lots() > kLots || in.authority_lots() > in.shadow_lots()) {
    return Error{Code::kInvalid,
                 "a rollout has at most 10,002 lots, and no more authority than "
                 "shadow"};
  }
  if (in.warm_up_us() < 0) return Error{Code::kInvalid, "warm_up_us must not be negative"};
  Rollout rollout{.id = in.id(),
                  .candidate = in.candidate(),
                  .order = contract::CohortOf(in.order()),
                  .shadow_lots = in.shadow_lots(),
                  .authority_lots = in.authority_lots(),
                  .warm_up = Micros{in.warm_up_us()},
                  .began = ConfigSeq{in.began_config_seq()}};
  rollout.order.per_10000 = 0;
  return rollout;
}

Result<Wanted> ReadRecord(const std::string& bytes) {
  internal::v1::ConfigRecord record;
  if (!record.ParseFromString(bytes)) {
    return Error{Code::kInvalid, "the signed bytes are not a ConfigRecord"};
  }
  if (record.config_seq() == 0 || record.config_seq() > INT64_MAX) {
    return Error{Code::kInvalid, "config_seq must be 1 or more"};
  }
  if (record.leader_epoch() > INT64_MAX) {
    return Error{Code::kInvalid, "leader_epoch is too high"};
  }
  if (!IsRelease(record.stable_release())) {
    return Error{Code::kInvalid, "stable_release is not 64 lower-case hex digits"};
  }
  if (!record.previous_release().empty() && !IsRelease(record.previous_release())) {
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
  ASSIGN_OR_RETURN(const internal::v1::SignedConfig envelope, ParseEnvelope(signed_config));
  return ReadRecord(envelope.record());
}

Result<Wanted> VerifyOrder(std::string_view signed_config, std::string_view control_public) {
  ASSIGN_OR_RETURN(const internal::v1::SignedConfig envelope, ParseEnvelope(signed_config));
  if (envelope.key_id() != seal::KeyId(control_public)) {
    return Error{Code::kRefused,
                 "the config record names another signing key than keys/control.pub"};
  }
  if (!seal::VerifyEd25519(control_public, envelope.record(), envelope.signature())) {
    return Error{Code::kRefused, "the config record's signature is not control's"};
  }
  return ReadRecord(envelope.record());
}

}  // namespace telltale::publish
