// A rollout's gate as it is seen now: evidence that the observer left, judged. docs/gate.md.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/disk.h"
#include "control/gate_settings.h"
#include "control/installation.h"
#include "gate/report.h"

namespace telltale::control {

// Counts that went back hold for so long: who counts anew out of the journals has caught up by
// then. After it they are taken as they are: somebody was erased.
inline constexpr Micros kBackHold = Micros::Seconds(600);

// What a rollout asks of its gate of kind evidence; control.db says it.
struct GateQuestion {
  GateNames names = {};           // environment: filled in by who sees the installation
  nlohmann::json gate = {};       // the object
  std::int64_t stage = 0;         // confirmations are of
  nlohmann::json approvals = {};  // of the rollout
  // The candidate has stable's speaker: one worker computes for both, and nothing can be compared.
  bool has_one_speaker = false;
};

// What was seen last.
struct GateSight {
  std::string rollout = {};
  nlohmann::json gate = {};  // the object that it was judged by
  gate::GateSettings settings = {};
  gate::Report report = {};
};

// Reads and judges when something is new, and once a second. One thread. It never fails: what
// cannot be read is a HOLD with its words.
class GateWatch {
 public:
  GateSight Look(Disk& disk, const Paths& environment, Installation& installation,
                 const GateQuestion& question, Micros now);

 private:
  bool Prepare(Disk& disk, const Paths& environment, Installation& installation,
               const GateQuestion& question);
  void Judge(const Result<std::string>& text, const GateQuestion& question, Micros now);
  void JudgeOneSpeaker(Disk& disk, const Paths& environment, const GateQuestion& question);
  Status FindOpened(Disk& disk, const Paths& environment, const GateNames& names);
  void LookBack(gate::Evidence evidence, Micros now);

  GateSight sight_;
  std::optional<GateParts> parts_;
  std::optional<std::vector<std::string>> opened_;  // fields, and nothing is declared of them
  std::string written_;                             // settings that lie with the observer
  std::string judged_;                              // what the report is of
  Micros judged_at_ = {};
  std::optional<gate::Evidence> before_;  // the newest that went on from what was before it
  std::optional<Micros> back_since_;      // since when counts are lower than in it
};

// A HOLD without any evidence.
gate::Report HoldReport(const gate::GateSettings& settings, gate::Rule rule, std::string words);
// What people said of small cohorts at this stage.
std::vector<gate::Confirmation> ConfirmationsIn(const GateQuestion& question);
// Without vehicles: what control keeps for good. Whoever was erased must not stay in it.
nlohmann::json WithoutVehicles(nlohmann::json report);
// And back, as far as the observer's file still has them.
void AddVehicles(const std::string& evidence, nlohmann::json& report);

}  // namespace telltale::control
