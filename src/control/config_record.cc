#include "control/config_record.h"

#include "base/local_socket.h"
#include "contract/cohort_wire.h"
#include "internal/v1/internal.pb.h"
#include "internal/v1/local.pb.h"

namespace telltale::control {
namespace {

namespace wire = ::telltale::internal::v1;

Error FromOwner(const wire::Failure& failure) {
  for (const Code code :
       {Code::kInvalid, Code::kNotFound, Code::kExists, Code::kTooBig, Code::kOverloaded,
        Code::kRefused, Code::kCorrupt, Code::kUnsupported, Code::kOutcomeUnknown}) {
    if (failure.code() == CodeName(code)) return Error{code, failure.message()};
  }
  return Error{Code::kUnavailable, failure.message()};
}

Status CheckRollout(const InForce& in_force) {
  const auto& rollout = in_force.rollout;
  if (!rollout) return Ok();
  if (rollout->authority_lots > rollout->shadow_lots || rollout->shadow_lots > kLots) {
    return Error{Code::kInvalid, "a rollout's authority is part of its shadow"};
  }
  if (rollout->candidate == in_force.stable_release) {
    return Error{Code::kInvalid, "the stable release is no candidate"};
  }
  return Ok();
}

void SetRollout(const Rollout& in, wire::Rollout& out) {
  out.set_id(in.id);
  out.set_candidate(in.candidate);
  contract::SetCohort(in.order, *out.mutable_order());
  out.set_shadow_lots(in.shadow_lots);
  out.set_authority_lots(in.authority_lots);
  out.set_warm_up_us(in.warm_up.value);
  out.set_began_config_seq(in.began.value);
}

Rollout RolloutOf(const wire::Rollout& in) {
  return {.id = in.id(),
          .candidate = in.candidate(),
          .order = contract::CohortOf(in.order()),
          .shadow_lots = in.shadow_lots(),
          .authority_lots = in.authority_lots(),
          .warm_up = Micros{in.warm_up_us()},
          .began = ConfigSeq{in.began_config_seq()}};
}

}  // namespace

Result<std::string> SignConfig(const InForce& in_force, const seal::KeyPair& control_key) {
  if (in_force.config_seq.value == 0) {
    return Error{Code::kInvalid, "config_seq starts at 1; 0 means nothing is in force"};
  }
  RETURN_IF_ERROR(CheckRollout(in_force));
  wire::ConfigRecord record;
  record.set_config_seq(in_force.config_seq.value);
  record.set_environment(in_force.environment);
  record.set_contract_number(in_force.contract_number);
  record.set_contract_digest(in_force.contract_digest);
  record.set_stable_release(in_force.stable_release);
  record.set_created_at_us(in_force.created_at.value);
  if (const auto& next = in_force.next_contract; next) {
    record.mutable_next_contract()->set_number(next->number);
    record.mutable_next_contract()->set_digest(next->digest);
    contract::SetCohort(next->cohort, *record.mutable_next_contract()->mutable_cohort());
  }
  if (in_force.rollout) SetRollout(*in_force.rollout, *record.mutable_rollout());
  record.set_previous_release(in_force.previous_release);
  record.set_leader_epoch(in_force.leader_epoch);
  record.set_audit_entry(in_force.audit_entry);
  wire::SignedConfig signed_config;
  signed_config.set_record(record.SerializeAsString());
  ASSIGN_OR_RETURN(*signed_config.mutable_signature(),
                   seal::SignEd25519(control_key.private_raw, signed_config.record()));
  signed_config.set_key_id(seal::KeyId(control_key.public_raw));
  return signed_config.SerializeAsString();
}

Result<InForce> VerifyConfig(std::string_view signed_config, std::string_view control_public) {
  wire::SignedConfig outer;
  if (!outer.ParseFromArray(signed_config.data(), static_cast<int>(signed_config.size()))) {
    return Error{Code::kInvalid, "this is not a signed config record"};
  }
  if (outer.key_id() != seal::KeyId(control_public) ||
      !seal::VerifyEd25519(control_public, outer.record(), outer.signature())) {
    return Error{Code::kRefused, "the config record is not signed by control"};
  }
  wire::ConfigRecord record;
  if (!record.ParseFromString(outer.record())) {
    return Error{Code::kInvalid, "the signed bytes are no config record"};
  }
  std::optional<NextContract> next;
  if (record.has_next_contract()) {
    const wire::NextContract& in = record.next_contract();
    next = NextContract{in.number(), in.digest(), contract::CohortOf(in.cohort())};
  }
  std::optional<Rollout> rollout;
  if (record.has_rollout()) rollout = RolloutOf(record.rollout());
  return InForce{.config_seq = ConfigSeq{record.config_seq()},
                 .environment = record.environment(),
                 .contract_number = record.contract_number(),
                 .contract_digest = record.contract_digest(),
                 .stable_release = record.stable_release(),
                 .created_at = Micros{record.created_at_us()},
                 .next_contract = std::move(next),
                 .rollout = std::move(rollout),
                 .previous_release = record.previous_release(),
                 .leader_epoch = record.leader_epoch(),
                 .audit_entry = record.audit_entry()};
}

Status SendConfig(const std::string& append_socket, std::string_view signed_config,
                  std::chrono::milliseconds timeout) {
  ASSIGN_OR_RETURN(LocalConnection owner, LocalConnection::Connect(append_socket));
  RETURN_IF_ERROR(owner.Send(signed_config));
  ASSIGN_OR_RETURN(const std::optional<std::string> frame, owner.Receive(timeout));
  if (!frame.has_value()) return Error{Code::kUnavailable, "the log's owner does not answer"};
  wire::AppendReply reply;
  if (!reply.ParseFromString(*frame)) {
    return Error{Code::kUnavailable, "the log owner's answer cannot be read"};
  }
  if (!reply.ok()) return FromOwner(reply.failure());
  return Ok();
}

std::string FirstConfigPath(const Paths& paths) { return paths.data() + "/control/first-config"; }

}  // namespace telltale::control
