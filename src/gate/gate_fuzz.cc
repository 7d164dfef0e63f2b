// Whatever the bytes: an answer; what was accepted comes back the same, is judged the same twice,
// and never passes without an approval of this candidate, since none of it says so truly.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "gate/gate_testing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale;
  const auto json = nlohmann::json::parse(AsText({data, size}), nullptr, false);
  if (json.is_discarded() || !json.is_object()) return 0;
  gate::GateSettings settings = gate::testing::GoodSettings();
  if (json.contains("settings")) {
    if (const auto read = gate::SettingsFromJson(json.at("settings")); read.ok()) {
      settings = read.value();
      CHECK(gate::CheckSettings(settings).ok());
    }
  }
  if (!json.contains("evidence")) return 0;
  auto read = gate::EvidenceFromJson(json.at("evidence"));
  if (!read.ok()) return 0;
  const auto again = gate::EvidenceFromJson(nlohmann::json(gate::ToJson(read.value())));
  CHECK(again.ok());
  settings.approvals_required = 1;
  settings.candidate = "\x01 nobody approves this";
  gate::Evidence& evidence = read.value();
  evidence.basis = {settings.environment, settings.rollout,           settings.candidate,
                    settings.stable,      gate::GateDigest(settings), gate::testing::kNow};
  const auto report = gate::Judge(evidence, settings, gate::testing::kNow);
  CHECK(report.verdict.outcome != gate::Outcome::kPass);
  CHECK(gate::VerdictFromJson(nlohmann::json(gate::ToJson(report))).ok());
  CHECK(!gate::InWords(report).empty());
  return 0;
}
