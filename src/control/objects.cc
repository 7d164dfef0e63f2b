#include "control/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ids.h"
#include "control/gate_object.h"
#include "control/json_reader.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::array kKinds = {kEnvironments, kCohorts, kGates, kPolicies, kMirrors, kRoleBindings};
constexpr std::size_t kStagesMax = 32;
constexpr std::size_t kWindowsMax = 100;
constexpr std::size_t kReferencesMax = 100'000;
constexpr std::int64_t kYear_s = 366ll * 24 * 3600;

json Environment(JsonReader& read) {
  json object;
  const std::string kind = read.OneOf("kind", {"dev", "staging", "prod"});
  object["kind"] = kind;
  object["dir"] = read.Text("dir", std::nullopt, 4096);
  if (!object["dir"].get_ref<const std::string&>().starts_with("/")) {
    read.Mistake("\"dir\" must be an absolute path");
  }
  object["upstream"] = read.Key("upstream", "");
  object["policy"] = read.Key("policy", "");
  object["deletion_protection"] = read.Flag("deletion_protection", kind == "prod");
  return object;
}

json References(JsonReader& read, std::string_view name) {
  json list = read.List(name, kReferencesMax);
  for (const json& item : list) {
    if (item.is_string() && item.get_ref<const std::string&>().size() == 32 &&
        VehicleRef::FromHex(item.get_ref<const std::string&>()).ok()) {
      continue;
    }
    read.Mistake(fmt::format("\"{}\" must hold vehicle references of 32 hex digits", name));
    return json::array();
  }
  return list;
}

json CohortObject(JsonReader& read) {
  json object;
  object["salt"] = read.Text("salt", "", 128);
  object["always"] = References(read, "always");
  object["never"] = References(read, "never");
  return object;
}

json StageJson(const json& body, JsonReader& outer, std::size_t index) {
  JsonReader read(body, fmt::format("stage {}", index));
  json stage;
  stage["per_10000"] = read.Whole("per_10000", std::nullopt, 0, 10'000);
  stage["shadow_s"] = read.Whole("shadow_s", 0, 0, kYear_s);
  stage["soak_s"] = read.Whole("soak_s", 0, 0, kYear_s);
  stage["approvals"] = read.Whole("approvals", 0, 0, 10);
  stage["gate"] = read.Key("gate", "");
  if (const auto status = read.Done(); !status.ok()) outer.Mistake(status.error().message);
  return stage;
}

json Stages(JsonReader& read) {
  json stages = json::array();
  const json given = read.List("stages", kStagesMax);
  std::int64_t before = -1;
  for (const json& body : given) {
    stages.push_back(StageJson(body, read, stages.size()));
    const auto share = stages.back()["per_10000"].get<std::int64_t>();
    if (share <= before) read.Mistake("\"per_10000\" must grow from stage to stage");
    before = share;
  }
  if (before != 10'000) read.Mistake("the last of \"stages\" must have \"per_10000\" 10000");
  return stages;
}

json FreezeWindows(JsonReader& read) {
  json windows = json::array();
  const json given = read.List("freeze_windows", kWindowsMax);
  for (const json& body : given) {
    JsonReader one(body, fmt::format("freeze window {}", windows.size()));
    json window;
    window["from"] = one.Time("from");
    window["to"] = one.Time("to");
    window["reason"] = one.Text("reason", "");
    if (const auto status = one.Done(); !status.ok()) {
      read.Mistake(status.error().message);
    } else if (ParseUtc(window["from"].get<std::string>()).value() >=
               ParseUtc(window["to"].get<std::string>()).value()) {
      read.Mistake("a freeze window must end after it begins");
    }
    windows.push_back(std::move(window));
  }
  return windows;
}

json Policy(JsonReader& read) {
  json object;
  object["kind"] = read.OneOf("kind", {"standard", "small", "demo"}, "standard");
  object["stages"] = Stages(read);
  object["warm_up_s"] = read.Whole("warm_up_s", 1800, 0, kYear_s);
  object["rollback_window_s"] = read.Whole("rollback_window_s", 86'400, 0, kYear_s);
  object["freeze_windows"] = FreezeWindows(read);
  object["cohort"] = read.Key("cohort", "");
  return object;
}

json Mirror(JsonReader& read) {
  json object;
  object["from"] = read.Key("from");
  object["to"] = read.Key("to");
  object["per_10000"] = read.Whole("per_10000", std::nullopt, 0, 10'000);
  object["generation"] = read.Whole("generation", 1, 1, 1ll << 53);
  if (object["from"] == object["to"]) read.Mistake("a mirror goes to another environment");
  return object;
}

json RoleBinding(JsonReader& read) {
  json object;
  object["subject"] = read.Text("subject", std::nullopt, 256);
  const auto& subject = object["subject"].get_ref<const std::string&>();
  const bool is_named = (subject.starts_with("cn:") && subject.size() > 3) ||
                        (subject.starts_with("token:") && subject.size() > 6);
  if (!is_named) read.Mistake("\"subject\" must be cn:<common name> or token:<name>");
  object["role"] = read.OneOf(
      "role", {"viewer", "author", "approver", "deployer", "privacy_officer", "break_glass"});
  object["environments"] = read.List("environments", 1000);
  for (const json& item : object["environments"]) {
    if (item.is_string() && IsKey(item.get_ref<const std::string&>())) continue;
    read.Mistake("\"environments\" must hold keys of environments");
  }
  return object;
}

}  // namespace

bool IsObjectKind(std::string_view kind) {
  return std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end();
}

Result<json> ReadObject(std::string_view kind, const std::string& key, const json& body) {
  if (!IsKey(key)) {
    return Error{Code::kInvalid, "a key is a-z, 0-9 and -, begins with no -, and has at most 63"};
  }
  JsonReader read(body, fmt::format("{} {}", kind, key));
  if (read.Text("key", key) != key) read.Mistake("\"key\" is another than the path's");
  json object;
  if (kind == kEnvironments) object = Environment(read);
  if (kind == kCohorts) object = CohortObject(read);
  if (kind == kGates) object = ReadGate(read);
  if (kind == kPolicies) object = Policy(read);
  if (kind == kMirrors) object = Mirror(read);
  if (kind == kRoleBindings) object = RoleBinding(read);
  RETURN_IF_ERROR(read.Done());
  object["key"] = key;
  return object;
}

std::vector<std::pair<std::string, std::string>> NamedBy(std::string_view kind,
                                                         const json& object) {
  std::vector<std::pair<std::string, std::string>> named;
  const auto note = [&](std::string_view of_kind, const json& key) {
    if (!key.get_ref<const std::string&>().empty()) named.emplace_back(of_kind, key);
  };
  if (kind == kEnvironments) {
    note(kEnvironments, object.at("upstream"));
    note(kPolicies, object.at("policy"));
  } else if (kind == kPolicies) {
    note(kCohorts, object.at("cohort"));
    for (const json& stage : object.at("stages")) note(kGates, stage.at("gate"));
  } else if (kind == kMirrors) {
    note(kEnvironments, object.at("from"));
    note(kEnvironments, object.at("to"));
  } else if (kind == kRoleBindings) {
    for (const json& key : object.at("environments")) note(kEnvironments, key);
  }
  return named;
}

}  // namespace telltale::control
