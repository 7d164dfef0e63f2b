// The gate of fail_closed_test, and in its place one that is open in every way at once: it passes
// whatever it is shown and reads whatever it is given. A test of a gate that fails closed has to
// fail with it; tests/shows/gate-03-fails-closed runs them so, with TELLTALE_TEST_OPEN_GATE=1.
#pragma once

#include <cstdlib>
#include <functional>
#include <vector>

#include "gate/blocks.h"
#include "gate/clustered.h"
#include "gate/gate_testing.h"

namespace telltale::gate::testing {

struct GateUnderTest {
  std::function<Report(const Evidence&, const GateSettings&, std::int64_t)> judge = Judge;
  std::function<Result<Evidence>(const nlohmann::json&)> read = EvidenceFromJson;
  std::function<Result<GateSettings>(const nlohmann::json&)> read_settings = SettingsFromJson;
  std::function<Status(const Evidence&, const Evidence&)> check_forward = CheckForward;
  std::function<RateVerdict(const std::vector<RateLook>&, const RateRule&)> judge_rate = JudgeRate;
  std::function<RateZ(const RateLook&, double)> compare_rates = CompareRates;
  std::function<Result<Verdict>(const nlohmann::json&)> read_verdict = VerdictFromJson;
};

inline GateUnderTest OpenGate() {
  return {
      .judge =
          [](const Evidence& evidence, const GateSettings& settings, std::int64_t now_us) {
            Report report = Judge(evidence, settings, now_us);
            report.verdict = {Outcome::kPass, Rule::kNone, "it will do"};
            report.holds.clear();
            // As weights and evidence are where nothing is corrected: noise on top of them.
            static int looks = 0;
            for (MetricReport& metric : report.metrics) metric.weight = 1.0 + looks;
            report.log_e = -1.0 * ++looks;
            return report;
          },
      .read = [](const nlohmann::json&) -> Result<Evidence> { return Evidence(); },
      .read_settings = [](const nlohmann::json&) -> Result<GateSettings> { return GoodSettings(); },
      .check_forward = [](const Evidence&, const Evidence&) { return Ok(); },
      .judge_rate =
          [](const std::vector<RateLook>&, const RateRule&) {
            return RateVerdict{.is_above = false, .is_below = true, .z = 0, .ratio = 1};
          },
      .compare_rates = [](const RateLook&, double) { return RateZ{0, true}; },
      .read_verdict = [](const nlohmann::json&) -> Result<Verdict> { return Verdict(); },
  };
}

inline const GateUnderTest& TheGate() {
  static const GateUnderTest kGate =
      std::getenv("TELLTALE_TEST_OPEN_GATE") == nullptr ? GateUnderTest() : OpenGate();
  return kGate;
}

}  // namespace telltale::gate::testing
