#include "control/config_record.h"

#include "base/local_socket.h"
#include "contract/config_wire.h"
#include "contract/failure_wire.h"
#include "seal/signed_config.h"

namespace telltale::control {
namespace {

namespace wire = ::telltale::internal::v1;

Status CheckSpeakers(const InForce& in_force) {
  if (!in_force.rollout) return Ok();
  RETURN_IF_ERROR(contract::CheckRollout(*in_force.rollout, in_force.stable_release));
  const bool is_silent = in_force.SpeakerOfCandidate() == in_force.SpeakerOfStable();
  if (is_silent || in_force.SpeakerOfCandidate() == in_force.rollout->candidate) return Ok();
  return Error{Code::kInvalid, "a candidate's speaker is itself or the stable release's"};
}

// Who speaks stands where older readers look for the release (docs/formats/config-record.md).
void SetReleases(const InForce& in_force, wire::ConfigRecord& record) {
  record.set_stable_release(in_force.SpeakerOfStable());
  record.set_previous_release(in_force.SpeakerOfPrevious());
  if (in_force.SpeakerOfStable() != in_force.stable_release) {
    record.set_stable_in_force(in_force.stable_release);
  }
  if (in_force.SpeakerOfPrevious() != in_force.previous_release) {
    record.set_previous_in_force(in_force.previous_release);
  }
  if (!in_force.rollout) return;
  const bool is_silent = in_force.SpeakerOfCandidate() == in_force.SpeakerOfStable();
  contract::SetRollout(*in_force.rollout,
                       is_silent ? *record.mutable_silent_rollout() : *record.mutable_rollout());
}

void ReadReleases(const wire::ConfigRecord& record, InForce& in_force) {
  in_force.stable_release = contract::StableInForce(record);
  if (in_force.stable_release != record.stable_release()) {
    in_force.stable_speaker = record.stable_release();
  }
  in_force.previous_release = record.previous_release();
  if (!record.previous_in_force().empty()) {
    in_force.previous_release = record.previous_in_force();
    in_force.previous_speaker = record.previous_release();
  }
  if (record.has_rollout()) {
    in_force.rollout = contract::RolloutOf(record.rollout());
  } else if (record.has_silent_rollout()) {
    in_force.rollout = contract::RolloutOf(record.silent_rollout());
    const bool is_itself = in_force.rollout->candidate == record.stable_release();
    if (!is_itself) in_force.rollout->speaker = record.stable_release();
  }
}

}  // namespace

Result<std::string> SignConfig(const InForce& in_force, const seal::KeyPair& control_key) {
  if (in_force.config_seq.value == 0) {
    return Error{Code::kInvalid, "config_seq starts at 1; 0 means nothing is in force"};
  }
  RETURN_IF_ERROR(CheckSpeakers(in_force));
  wire::ConfigRecord record;
  record.set_config_seq(in_force.config_seq.value);
  record.set_environment(in_force.environment);
  record.set_contract_number(in_force.contract_number);
  record.set_contract_digest(in_force.contract_digest);
  record.set_created_at_us(in_force.created_at.value);
  if (const auto& next = in_force.next_contract; next) {
    record.mutable_next_contract()->set_number(next->number);
    record.mutable_next_contract()->set_digest(next->digest);
    contract::SetCohort(next->cohort, *record.mutable_next_contract()->mutable_cohort());
  }
  SetReleases(in_force, record);
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
  ASSIGN_OR_RETURN(const wire::ConfigRecord record,
                   seal::VerifyConfigRecord(signed_config, control_public));
  std::optional<NextContract> next;
  if (record.has_next_contract()) {
    const wire::NextContract& in = record.next_contract();
    next = NextContract{in.number(), in.digest(), contract::CohortOf(in.cohort())};
  }
  InForce in_force{.config_seq = ConfigSeq{record.config_seq()},
                   .environment = record.environment(),
                   .contract_number = record.contract_number(),
                   .contract_digest = record.contract_digest(),
                   .stable_release = {},
                   .created_at = Micros{record.created_at_us()},
                   .next_contract = std::move(next),
                   .leader_epoch = record.leader_epoch(),
                   .audit_entry = record.audit_entry()};
  ReadReleases(record, in_force);
  return in_force;
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
  if (!reply.ok()) return contract::ErrorOf(reply.failure());
  return Ok();
}

std::string FirstConfigPath(const Paths& paths) { return paths.data() + "/control/first-config"; }

}  // namespace telltale::control
