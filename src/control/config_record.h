// The signed record that says what is in force (docs/formats/config-record.md).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/cohort.h"
#include "base/config.h"
#include "base/ids.h"
#include "base/result.h"
#include "contract/rollout_wire.h"
#include "seal/seal.h"

namespace telltale::control {

// A contract for a share of the vehicles.
struct NextContract {
  std::uint32_t number = 0;
  std::string digest;  // hex
  Cohort cohort;
};

using contract::Rollout;

struct InForce {
  ConfigSeq config_seq;
  std::string environment;
  std::uint32_t contract_number = 0;
  std::string contract_digest;  // hex
  std::string stable_release;   // hex; in force
  Micros created_at;
  std::optional<NextContract> next_contract;
  std::optional<Rollout> rollout = std::nullopt;
  std::string previous_release = {};  // hex; "" = none
  std::uint64_t leader_epoch = 0;     // 0: not control's leader, but a command
  std::uint64_t audit_entry = 0;
  // Whose worker computes the safety path for them: an earlier release that has the same one. "" =
  // their own; the rollout has its candidate's.
  std::string stable_speaker = {};
  std::string previous_speaker = {};

  const std::string& SpeakerOfStable() const {
    return stable_speaker.empty() ? stable_release : stable_speaker;
  }
  const std::string& SpeakerOfPrevious() const {
    return previous_speaker.empty() ? previous_release : previous_speaker;
  }
  // "" = there is no rollout.
  std::string SpeakerOfCandidate() const {
    if (!rollout) return "";
    return rollout->speaker.empty() ? rollout->candidate : rollout->speaker;
  }
  // Of a release that the config names; any other speaks for itself.
  std::string SpeakerOf(const std::string& release) const {
    if (release == stable_release) return SpeakerOfStable();
    if (release == previous_release) return SpeakerOfPrevious();
    return rollout && release == rollout->candidate ? SpeakerOfCandidate() : release;
  }
};

// Bytes of a SignedConfig, signed with control's key pair (keys/control.key, control.pub).
//   kInvalid  config_seq 0, a key of the wrong size, or a rollout with more authority than shadow,
//             too many lots, the stable release as its candidate, or a speaker that is neither the
//             candidate nor stable's
Result<std::string> SignConfig(const InForce& in_force, const seal::KeyPair& control_key);

//   kInvalid  not a SignedConfig
//   kRefused  signed by another key, or a byte was changed
Result<InForce> VerifyConfig(std::string_view signed_config, std::string_view control_public);

// Hands it to the log's owner and waits for the answer, which comes when the record is durable in
// every partition. Sending one that is in force already changes nothing and is ok.
//   kUnavailable  no owner there, or no answer in time: send again
//   otherwise what the owner answered
Status SendConfig(const std::string& append_socket, std::string_view signed_config,
                  std::chrono::milliseconds timeout);

// Where `telltale init` leaves the first one.
std::string FirstConfigPath(const Paths& paths);

}  // namespace telltale::control
