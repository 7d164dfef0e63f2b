#include "gate/settings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/sha256.h"
#include "gate/settings_members.h"

namespace telltale::gate {
namespace {

using Json = nlohmann::json;
using nlohmann::ordered_json;

constexpr std::array<std::string_view, kFamilies> kFamilyNames = {"alerts",  "parse",     "fields",
                                                                  "latency", "resources", "rates"};
constexpr std::array<double, kFamilies> kFamilyWeights = {0.40, 0.25, 0.15, 0.10, 0.05, 0.05};
constexpr std::array<std::string_view, 3> kKindNames = {"paired", "blocks", "rate"};
constexpr std::array<std::string_view, 2> kExtraOfNames = {"exposed", "candidate_fired"};

constexpr double kShareLeast = 1e-6;
constexpr double kShareMost = 0.9;

Error Wrong(const std::string& where, const std::string& message) {
  return {Code::kInvalid, "gate settings: " + where + " " + message};
}

bool IsShare(double value) { return value >= kShareLeast && value <= kShareMost; }

Status CheckPaired(const MetricSettings& metric) {
  if (!IsShare(metric.missing_max) || !IsShare(metric.extra_max)) {
    return Wrong(metric.name, "missing_max and extra_max are from 0.000001 to 0.9");
  }
  const bool rising = metric.missing_margin >= metric.missing_max &&
                      metric.extra_margin >= metric.extra_max && metric.missing_margin <= 1 &&
                      metric.extra_margin <= 1;
  if (!rising) return Wrong(metric.name, "a margin is from its max to 1");
  const bool ordered = metric.missing_min >= 0 && metric.missing_min <= metric.missing_max &&
                       metric.extra_min >= 0 && metric.extra_min <= metric.extra_max;
  if (!ordered) return Wrong(metric.name, "a min is from 0 to its max");
  return Ok();
}

Status CheckRate(const MetricSettings& metric) {
  if (!(metric.ratio_margin >= 1 && metric.ratio_margin <= 100)) {
    return Wrong(metric.name, "ratio_margin is from 1 to 100");
  }
  if (metric.planned.empty() || metric.planned.size() > 20 || metric.planned.back() != 1) {
    return Wrong(metric.name, "planned is 1 to 20 shares, the last one 1");
  }
  double before = 0;
  for (const double share : metric.planned) {
    if (!(share > before && share <= 1)) return Wrong(metric.name, "planned rises from above 0");
    before = share;
  }
  return Ok();
}

Status CheckMetrics(const GateSettings& settings) {
  if (settings.metrics.empty()) return Wrong("metrics", "are empty: nothing would be looked at");
  std::set<std::string> names;
  for (const MetricSettings& metric : settings.metrics) {
    if (metric.name.empty() || !names.insert(metric.name).second) {
      return Wrong("metrics", "need names, each once: '" + metric.name + "'");
    }
    if (metric.kind == MetricKind::kPaired) RETURN_IF_ERROR(CheckPaired(metric));
    if (metric.kind == MetricKind::kRate) RETURN_IF_ERROR(CheckRate(metric));
    if (!(metric.block_margin > 0 && metric.block_margin < 1) || !(metric.scale > 0)) {
      return Wrong(metric.name, "block_margin is between 0 and 1, scale above 0");
    }
  }
  return Ok();
}

Status CheckStrata(const GateSettings& settings) {
  std::set<std::pair<std::string, std::string>> names;
  for (const StratumName& stratum : settings.strata) {
    if (!names.insert({stratum.dimension, stratum.name}).second) {
      return Wrong("strata", "have " + stratum.dimension + " " + stratum.name + " twice");
    }
  }
  return Ok();
}

Status CheckArms(const GateSettings& settings) {
  if (settings.arms.empty()) return Ok();
  double sum = 0;
  std::set<std::string> names;
  for (const ArmShare& arm : settings.arms) {
    if (!(arm.share > 0) || !names.insert(arm.name).second) {
      return Wrong("arms", "need a share above 0, and each name once");
    }
    sum += arm.share;
  }
  if (settings.arms.size() < 2 || std::fabs(sum - 1) > 1e-6) {
    return Wrong("arms", "are at least two shares that sum to 1");
  }
  return Ok();
}

}  // namespace

Names NamesOf(Family) { return kFamilyNames; }
Names NamesOf(MetricKind) { return kKindNames; }
Names NamesOf(ExtraOf) { return kExtraOfNames; }
std::string_view FamilyName(Family family) { return NameOf(family); }
double FamilyWeight(Family family) {
  const auto index = static_cast<std::size_t>(family);
  CHECK(index < kFamilyWeights.size());
  return kFamilyWeights[index];
}
std::string_view MetricKindName(MetricKind kind) { return NameOf(kind); }

Status CheckSettings(const GateSettings& settings) {
  for (const double alpha : {settings.alpha_halt, settings.alpha_promote, settings.alpha_balance}) {
    if (!(alpha >= 1e-9 && alpha <= 0.5)) return Wrong("alpha", "is from 1e-9 to 0.5");
  }
  if (!(settings.power >= 0.5 && settings.power < 1)) return Wrong("power", "is from 0.5 below 1");
  if (!IsShare(settings.silent_max) || !IsShare(settings.stratum_share_min)) {
    return Wrong("silent_max and stratum_share_min", "are from 0.000001 to 0.9");
  }
  if (settings.vehicles_min < 1 || settings.distinct_min < 1 || settings.stale_after_s < 1 ||
      settings.dead_letter_vehicles_min < 1) {
    return Wrong("vehicles_min, distinct_min, stale_after_s, dead_letter_vehicles_min",
                 "are at least 1");
  }
  if (settings.small_vehicles < 0 || settings.stratum_vehicles_min < 0 || settings.soak_s < 0 ||
      settings.warm_up_s < 0 || settings.approvals_required < 0 || settings.settle_driving_s < 0) {
    return Wrong("a minimum", "is negative");
  }
  constexpr std::int64_t kSecondsMax = 1'000'000'000;
  for (const std::int64_t most : {settings.stale_after_s, settings.soak_s, settings.warm_up_s,
                                  settings.vehicles_min, settings.stratum_vehicles_min}) {
    if (most > kSecondsMax) return Wrong("a minimum or time", "is over 1000000000");
  }
  if (settings.sources.empty()) return Wrong("sources", "are empty: nothing could be stale");
  RETURN_IF_ERROR(CheckArms(settings));
  RETURN_IF_ERROR(CheckStrata(settings));
  return CheckMetrics(settings);
}

Result<GateSettings> SettingsFromJson(const Json& json) {
  GateSettings settings;
  Fields fields(json, "gate settings");
  RETURN_IF_ERROR(fields.Version(Format::kGateSettings, "this gate"));
  MemberReader::All(fields, settings);
  RETURN_IF_ERROR(fields.Done());
  RETURN_IF_ERROR(CheckSettings(settings));
  return settings;
}

ordered_json ToJson(const GateSettings& settings) {
  ordered_json json;
  json["format"] = VersionOf(Format::kGateSettings).written;
  MemberWriter().AddAll(settings, json);
  return json;
}

std::string GateDigest(const GateSettings& settings) {
  ordered_json json;
  MemberWriter().AddAll(settings, json);
  std::apply([&](const auto&... member) { (json.erase(std::string(member.name)), ...); },
             kMembersInForce);
  // Names that are no UTF-8 are replaced rather than thrown at the caller.
  const std::string text = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  return HexEncode(Sha256Of(AsBytes(text)));
}

MetricSettings WithDeclared(MetricSettings metric, double low_percent, double high_percent) {
  // "10 to 20 % less": up to 20 of 100 vehicles lose their output, and at least 10 do.
  if (low_percent < 0) {
    metric.missing_max = std::clamp(-low_percent / 100, metric.missing_max, kShareMost);
    metric.missing_margin = std::min(1.0, metric.missing_max * 1.25);
    if (high_percent < 0) metric.missing_min = std::min(metric.missing_max, -high_percent / 100);
  }
  // "10 to 20 % more": of 120 vehicles that fire now, up to 20 did not before.
  if (high_percent > 0) {
    const double most = high_percent / (100 + high_percent);
    metric.extra_of = ExtraOf::kCandidateFired;
    metric.extra_max = std::clamp(most, metric.extra_max, kShareMost);
    metric.extra_margin = std::min(1.0, metric.extra_max * 1.25);
    if (low_percent > 0) {
      metric.extra_min = std::min(metric.extra_max, low_percent / (100 + low_percent));
    }
  }
  return metric;
}

}  // namespace telltale::gate
