#include "control/gate_object.h"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::size_t kItemsMax = 256;
constexpr std::int64_t kYear_s = 366ll * 24 * 3600;
constexpr std::int64_t kVehiclesMost = 1'000'000'000;

constexpr std::array<const char*, 4> kLimits = {"missing_max", "missing_margin", "extra_max",
                                                "extra_margin"};

double& LimitIn(gate::MetricSettings& metric, std::size_t index) {
  double* const limits[] = {&metric.missing_max, &metric.missing_margin, &metric.extra_max,
                            &metric.extra_margin};
  return *limits[index];
}

// A member of `object` for each limit; what is not given is `otherwise`'s.
void ReadLimits(JsonReader& read, gate::MetricSettings otherwise, json& object) {
  for (std::size_t i = 0; i < kLimits.size(); ++i) {
    object[kLimits[i]] = read.Number(kLimits[i], LimitIn(otherwise, i), 1e-6, i % 2 == 0 ? 0.9 : 1);
  }
  for (const char* side : {"missing", "extra"}) {
    const std::string max = fmt::format("{}_max", side), margin = fmt::format("{}_margin", side);
    if (object[margin].get<double>() < object[max].get<double>()) {
      read.Mistake(fmt::format("\"{}\" must be at least \"{}\"", margin, max));
    }
  }
}

gate::MetricSettings LimitsOf(const json& object, gate::MetricSettings metric) {
  for (std::size_t i = 0; i < kLimits.size(); ++i) LimitIn(metric, i) = object.at(kLimits[i]);
  return metric;
}

// The list `name` of objects that `read_one` reads, `what` in messages; each is there once by its
// members `identity`.
template <typename ReadOne>
json EachOnce(JsonReader& read, const char* name, const char* what,
              const std::vector<const char*>& identity, const ReadOne& read_one) {
  json items = json::array();
  std::set<std::vector<json>> seen;
  const json given = read.List(name, kItemsMax);
  for (const json& body : given) {
    JsonReader one(body, fmt::format("{} {}", what, items.size()));
    json item = read_one(one);
    std::vector<json> key;
    for (const char* member : identity) key.push_back(item.at(member));
    if (!seen.insert(std::move(key)).second) one.Mistake("it is there twice");
    if (const auto status = one.Done(); !status.ok()) read.Mistake(status.error().message);
    items.push_back(std::move(item));
  }
  return items;
}

json Rules(JsonReader& read, const json& gate) {
  return EachOnce(read, "rules", "rule", {"name"}, [&](JsonReader& one) {
    json rule;
    rule["name"] = one.Text("name", std::nullopt, 128);
    ReadLimits(one, LimitsOf(gate, {}), rule);
    rule["guardrail"] = one.Flag("guardrail", true);
    return rule;
  });
}

json Blocks(JsonReader& read) {
  return EachOnce(read, "blocks", "block", {"name"}, [](JsonReader& one) {
    const gate::MetricSettings otherwise;
    json block;
    block["name"] = one.Text("name", std::nullopt, 128);
    block["family"] = one.OneOf("family", {"latency", "resources"});
    block["block_margin"] = one.Number("block_margin", otherwise.block_margin, 1e-6, 0.999);
    block["scale"] = one.Number("scale", otherwise.scale, 1e-9, 1e15);
    return block;
  });
}

json Strata(JsonReader& read) {
  return EachOnce(read, "strata", "stratum", {"dimension", "name"}, [](JsonReader& one) {
    json stratum;
    stratum["dimension"] = one.OneOf("dimension", {"model", "class", "firmware", "hour"});
    stratum["name"] = one.Text("name", std::nullopt, 128);
    return stratum;
  });
}

void ReadNumbers(JsonReader& read, json& object) {
  const gate::GateSettings otherwise;
  const auto number = [&](const char* name, double value, double least, double most) {
    object[name] = read.Number(name, value, least, most);
  };
  const auto count = [&](const char* name, std::int64_t value, std::int64_t least,
                         std::int64_t most) {
    object[name] = read.Whole(name, value, least, most);
  };
  number("alpha_halt", otherwise.alpha_halt, 1e-9, kFalseHaltsMax);
  number("alpha_promote", otherwise.alpha_promote, 1e-9, 0.1);
  number("alpha_balance", otherwise.alpha_balance, 1e-9, 0.1);
  number("power", otherwise.power, 0.5, 0.999);
  number("stratum_share_min", otherwise.stratum_share_min, 1e-6, 0.9);
  number("silent_max", otherwise.silent_max, 1e-6, 0.9);
  number("settle_driving_s", otherwise.settle_driving_s, 0, static_cast<double>(kYear_s));
  count("vehicles_min", otherwise.vehicles_min, 1, kVehiclesMost);
  count("small_vehicles", otherwise.small_vehicles, 1, kVehiclesMost);
  count("stratum_vehicles_min", otherwise.stratum_vehicles_min, 0, kVehiclesMost);
  count("soak_s", otherwise.soak_s, 0, kYear_s);
  count("stale_after_s", otherwise.stale_after_s, 1, kYear_s);
  // Fewer would halt on what one or two vehicles do.
  count("distinct_min", otherwise.distinct_min, otherwise.distinct_min, kVehiclesMost);
  count("dead_letter_vehicles_min", otherwise.dead_letter_vehicles_min,
        otherwise.dead_letter_vehicles_min, kVehiclesMost);
}

json Evidence(JsonReader& read) {
  json object;
  const gate::GateSettings otherwise;
  ReadNumbers(read, object);
  object["dimensions"] = read.Texts("dimensions", otherwise.dimensions, 8);
  object["sources"] = read.Texts("sources", otherwise.sources, 16);
  if (object["sources"].empty()) read.Mistake("\"sources\" must name at least one");
  object["strata"] = Strata(read);
  ReadLimits(read, {}, object);
  object["rules"] = Rules(read, object);
  object["blocks"] = Blocks(read);
  object["confirmers"] = read.Texts("confirmers", {}, kItemsMax);
  return object;
}

}  // namespace

json ReadGate(JsonReader& read) {
  json object;
  const std::string kind = read.OneOf("kind", {kGateNone, kGateManual, kGateEvidence});
  if (kind == kGateEvidence) object = Evidence(read);
  object["kind"] = kind;
  return object;
}

gate::GateSettings PlainSettings(const json& object) {
  gate::GateSettings settings;
  settings.name = object.at("key");
  settings.alpha_halt = object.at("alpha_halt");
  settings.alpha_promote = object.at("alpha_promote");
  settings.alpha_balance = object.at("alpha_balance");
  settings.power = object.at("power");
  settings.vehicles_min = object.at("vehicles_min");
  settings.small_vehicles = object.at("small_vehicles");
  settings.distinct_min = object.at("distinct_min");
  settings.stratum_share_min = object.at("stratum_share_min");
  settings.stratum_vehicles_min = object.at("stratum_vehicles_min");
  settings.dimensions = object.at("dimensions").get<std::vector<std::string>>();
  settings.silent_max = object.at("silent_max");
  settings.settle_driving_s = object.at("settle_driving_s");
  settings.soak_s = object.at("soak_s");
  settings.stale_after_s = object.at("stale_after_s");
  settings.dead_letter_vehicles_min = object.at("dead_letter_vehicles_min");
  settings.sources = object.at("sources").get<std::vector<std::string>>();
  for (const json& one : object.at("strata")) {
    settings.strata.push_back({.dimension = one.at("dimension"), .name = one.at("name")});
  }
  for (const json& one : object.at("blocks")) {
    gate::MetricSettings metric;
    metric.name = one.at("name");
    metric.kind = gate::MetricKind::kBlocks;
    metric.family =
        one.at("family") == json("latency") ? gate::Family::kLatency : gate::Family::kResources;
    metric.block_margin = one.at("block_margin");
    metric.scale = one.at("scale");
    settings.metrics.push_back(std::move(metric));
  }
  return settings;
}

gate::MetricSettings RuleLimits(const json& object, const std::string& rule) {
  for (const json& one : object.at("rules")) {
    if (one.at("name") != json(rule)) continue;
    gate::MetricSettings limits = LimitsOf(one, {});
    limits.is_guardrail = one.at("guardrail");
    return limits;
  }
  return LimitsOf(object, {});
}

}  // namespace telltale::control
