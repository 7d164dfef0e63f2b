#include "gate/settings.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/sha256.h"
#include "gate/json_fields.h"
#include "gate/names.h"

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

template <typename Enum, std::size_t kCount>
void ReadName(Fields& fields, std::string_view member,
              const std::array<std::string_view, kCount>& names, Enum& into) {
  std::string name(NameIn(names, into));
  fields.MayText(member, name);
  const auto found = FromNameIn<Enum>(names, name);
  if (!found) return fields.Mistake(std::string(member) + " is not one of its names");
  into = *found;
}

MetricSettings ReadMetric(Fields& parent, const Json& item) {
  MetricSettings metric;
  Fields fields(item, "gate settings metrics");
  fields.Text("name", metric.name);
  ReadName(fields, "family", kFamilyNames, metric.family);
  ReadName(fields, "kind", kKindNames, metric.kind);
  ReadName(fields, "extra_of", kExtraOfNames, metric.extra_of);
  fields.MayText("component", metric.component);
  fields.MayText("component_digest", metric.component_digest);
  fields.MayFlag("is_guardrail", metric.is_guardrail);
  fields.MayNumber("missing_max", metric.missing_max);
  fields.MayNumber("missing_margin", metric.missing_margin);
  fields.MayNumber("missing_min", metric.missing_min);
  fields.MayNumber("extra_max", metric.extra_max);
  fields.MayNumber("extra_margin", metric.extra_margin);
  fields.MayNumber("extra_min", metric.extra_min);
  fields.MayNumber("block_margin", metric.block_margin);
  fields.MayNumber("scale", metric.scale);
  fields.MayNumber("ratio_margin", metric.ratio_margin);
  fields.Each("planned", [&](const Json& share) {
    if (!share.is_number()) return fields.Mistake("planned has what is not a number");
    metric.planned.push_back(share.get<double>());
  });
  parent.Take(fields.Done());
  return metric;
}

void ReadTexts(Fields& fields, std::string_view name, std::vector<std::string>& into) {
  if (!fields.Has(name)) return;
  into.clear();
  fields.Each(name, [&](const Json& item) {
    if (!item.is_string()) return fields.Mistake(std::string(name) + " has what is not a text");
    into.push_back(item.get<std::string>());
  });
}

void ReadNumbers(Fields& fields, GateSettings& settings) {
  fields.MayNumber("alpha_halt", settings.alpha_halt);
  fields.MayNumber("alpha_promote", settings.alpha_promote);
  fields.MayNumber("alpha_balance", settings.alpha_balance);
  fields.MayNumber("power", settings.power);
  fields.MayCount("vehicles_min", settings.vehicles_min);
  fields.MayCount("small_vehicles", settings.small_vehicles);
  fields.MayCount("distinct_min", settings.distinct_min);
  fields.MayNumber("stratum_share_min", settings.stratum_share_min);
  fields.MayCount("stratum_vehicles_min", settings.stratum_vehicles_min);
  fields.MayNumber("silent_max", settings.silent_max);
  fields.MayNumber("settle_driving_s", settings.settle_driving_s);
  fields.MayCount("soak_s", settings.soak_s);
  fields.MayCount("warm_up_s", settings.warm_up_s);
  fields.MayCount("stale_after_s", settings.stale_after_s);
  fields.MayCount("dead_letter_vehicles_min", settings.dead_letter_vehicles_min);
  fields.MayCount("approvals_required", settings.approvals_required);
}

ordered_json MetricToJson(const MetricSettings& metric) {
  ordered_json json = {{"name", metric.name},
                       {"family", FamilyName(metric.family)},
                       {"kind", MetricKindName(metric.kind)},
                       {"component", metric.component},
                       {"component_digest", metric.component_digest},
                       {"is_guardrail", metric.is_guardrail}};
  switch (metric.kind) {
    case MetricKind::kPaired:
      json["missing_max"] = metric.missing_max;
      json["missing_margin"] = metric.missing_margin;
      json["missing_min"] = metric.missing_min;
      json["extra_max"] = metric.extra_max;
      json["extra_margin"] = metric.extra_margin;
      json["extra_min"] = metric.extra_min;
      json["extra_of"] = NameIn(kExtraOfNames, metric.extra_of);
      break;
    case MetricKind::kBlocks:
      json["block_margin"] = metric.block_margin;
      json["scale"] = metric.scale;
      break;
    case MetricKind::kRate:
      json["ratio_margin"] = metric.ratio_margin;
      json["planned"] = metric.planned;
      break;
  }
  return json;
}

// All but what names the rollout.
void AddRules(const GateSettings& settings, ordered_json& json) {
  json["alpha_halt"] = settings.alpha_halt;
  json["alpha_promote"] = settings.alpha_promote;
  json["alpha_balance"] = settings.alpha_balance;
  json["power"] = settings.power;
  json["vehicles_min"] = settings.vehicles_min;
  json["small_vehicles"] = settings.small_vehicles;
  json["distinct_min"] = settings.distinct_min;
  json["stratum_share_min"] = settings.stratum_share_min;
  json["stratum_vehicles_min"] = settings.stratum_vehicles_min;
  json["dimensions"] = settings.dimensions;
  json["silent_max"] = settings.silent_max;
  json["settle_driving_s"] = settings.settle_driving_s;
  json["soak_s"] = settings.soak_s;
  json["warm_up_s"] = settings.warm_up_s;
  json["stale_after_s"] = settings.stale_after_s;
  json["dead_letter_vehicles_min"] = settings.dead_letter_vehicles_min;
  json["approvals_required"] = settings.approvals_required;
  json["sources"] = settings.sources;
  json["arms"] = ordered_json::array();
  for (const ArmShare& arm : settings.arms) {
    json["arms"].push_back({{"name", arm.name}, {"share", arm.share}});
  }
  json["strata"] = ordered_json::array();
  for (const StratumName& stratum : settings.strata) {
    json["strata"].push_back({{"dimension", stratum.dimension}, {"name", stratum.name}});
  }
  json["metrics"] = ordered_json::array();
  for (const MetricSettings& metric : settings.metrics) {
    json["metrics"].push_back(MetricToJson(metric));
  }
}

}  // namespace

std::string_view FamilyName(Family family) { return NameIn(kFamilyNames, family); }
double FamilyWeight(Family family) {
  const auto index = static_cast<std::size_t>(family);
  CHECK(index < kFamilyWeights.size());
  return kFamilyWeights[index];
}
std::string_view MetricKindName(MetricKind kind) { return NameIn(kKindNames, kind); }

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
  fields.MayText("name", settings.name);
  fields.MayText("environment", settings.environment);
  fields.MayText("rollout", settings.rollout);
  fields.MayText("candidate", settings.candidate);
  fields.MayText("stable", settings.stable);
  ReadNumbers(fields, settings);
  ReadTexts(fields, "dimensions", settings.dimensions);
  ReadTexts(fields, "sources", settings.sources);
  fields.Each("arms", [&](const nlohmann::json& item) {
    ArmShare arm;
    Fields inner(item, "gate settings arms");
    inner.Text("name", arm.name);
    inner.Number("share", arm.share);
    fields.Take(inner.Done());
    settings.arms.push_back(std::move(arm));
  });
  fields.Each("strata", [&](const nlohmann::json& item) {
    StratumName stratum;
    Fields inner(item, "gate settings strata");
    inner.Text("dimension", stratum.dimension);
    inner.Text("name", stratum.name);
    fields.Take(inner.Done());
    settings.strata.push_back(std::move(stratum));
  });
  fields.Each("metrics", [&](const nlohmann::json& item) {
    settings.metrics.push_back(ReadMetric(fields, item));
  });
  RETURN_IF_ERROR(fields.Done());
  RETURN_IF_ERROR(CheckSettings(settings));
  return settings;
}

ordered_json ToJson(const GateSettings& settings) {
  ordered_json json = {{"format", VersionOf(Format::kGateSettings).written},
                       {"name", settings.name},
                       {"environment", settings.environment},
                       {"rollout", settings.rollout},
                       {"candidate", settings.candidate},
                       {"stable", settings.stable}};
  AddRules(settings, json);
  return json;
}

std::string GateDigest(const GateSettings& settings) {
  ordered_json json = {{"name", settings.name}};
  AddRules(settings, json);
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
