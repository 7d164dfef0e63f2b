// Objects that people put: looked at together, since they name each other.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_state.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::size_t kUpstreamsMax = 32;

}  // namespace

Result<json> PlaneState::ListObjects(std::string_view kind) {
  ASSIGN_OR_RETURN(auto items, db_.List(kind));
  return json{{"items", std::move(items)}};
}

Result<json> PlaneState::GetObject(std::string_view kind, const std::string& key) {
  return MustFind(kind, key);
}

// What it names must be there; a mistyped name gets the nearest.
Status PlaneState::CheckNames(std::string_view kind, const json& object) {
  for (const auto& [of_kind, key] : NamedBy(kind, object)) {
    if (of_kind == kind && json(key) == object.at("key")) continue;
    ASSIGN_OR_RETURN(const auto found, db_.Find(of_kind, key));
    if (found) continue;
    ASSIGN_OR_RETURN(const auto all, db_.List(of_kind));
    std::vector<std::string> names;
    for (const json& one : all) names.push_back(one.at("key"));
    const std::string nearest = NearestName(key, names);
    return Error{Code::kInvalid, fmt::format("there is no {} in {}{}", key, of_kind,
                                             nearest.empty() ? std::string(": put it first")
                                                             : "; did you mean " + nearest + "?")};
  }
  return Ok();
}

Status PlaneState::CheckEnvironment(const json& object) {
  const auto& key = object.at("key").get_ref<const std::string&>();
  std::string upstream = object.at("upstream");
  for (std::size_t i = 0; !upstream.empty(); ++i) {
    if (upstream == key || i == kUpstreamsMax) {
      return Error{Code::kInvalid, "the upstreams of " + key + " go round in a circle"};
    }
    ASSIGN_OR_RETURN(const auto next, db_.Find(kEnvironments, upstream));
    if (!next) break;
    upstream = next->at("upstream");
  }
  ASSIGN_OR_RETURN(const auto all, db_.List(kEnvironments));
  for (const json& other : all) {
    if (other.at("key") != json(key) && other.at("dir") == object.at("dir")) {
      return Error{Code::kExists,
                   fmt::format("{} is environment {} already", object.at("dir").get<std::string>(),
                               other.at("key").get<std::string>())};
    }
  }
  ASSIGN_OR_RETURN(const auto before, db_.Find(kEnvironments, key));
  ASSIGN_OR_RETURN(const auto rollout, db_.NewestRollout(key));
  if (before && rollout && IsOpen(PhaseIn(*rollout)) && before->at("dir") != object.at("dir")) {
    return Error{Code::kRefused, "a rollout is open: the environment keeps its folder until then"};
  }
  return Ok();
}

Result<json> PlaneState::PutObject(std::string_view kind, const Call& call) {
  ASSIGN_OR_RETURN(const json object, ReadObject(kind, call.key, call.body));
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(CheckNames(kind, object));
  if (kind == kEnvironments) RETURN_IF_ERROR(CheckEnvironment(object));
  ASSIGN_OR_RETURN(const auto before, db_.Find(kind, call.key));
  if (before && *before == object) return object;  // nothing to write down
  if (kind == kGates) {
    RETURN_IF_ERROR(ChangeGate(call.key, before ? &*before : nullptr, &object));
  }
  RETURN_IF_ERROR(db_.Put(kind, call.key, object));
  RETURN_IF_ERROR(Note(call, kind == kEnvironments ? call.key : ""));
  RETURN_IF_ERROR(transaction.Commit());
  if (kind == kEnvironments && before && before->at("dir") != object.at("dir")) {
    sights_.erase(call.key);
  }
  return object;
}

Status PlaneState::CheckUnused(std::string_view kind, const std::string& key) {
  for (const std::string_view by : {kEnvironments, kPolicies, kMirrors, kRoleBindings}) {
    ASSIGN_OR_RETURN(const auto all, db_.List(by));
    for (const json& one : all) {
      if (by == kind && one.at("key") == json(key)) continue;
      for (const auto& [of_kind, named] : NamedBy(by, one)) {
        if (of_kind != kind || named != key) continue;
        return Error{Code::kExists, fmt::format("{} in {} names it: change that first",
                                                one.at("key").get<std::string>(), by)};
      }
    }
  }
  return Ok();
}

Result<json> PlaneState::DeleteObject(std::string_view kind, const Call& call) {
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  ASSIGN_OR_RETURN(const json object, MustFind(kind, call.key));
  RETURN_IF_ERROR(CheckUnused(kind, call.key));
  if (kind == kEnvironments) {
    if (object.at("deletion_protection").get<bool>()) {
      return Error{Code::kRefused,
                   call.key + " is protected: put it with deletion_protection false first"};
    }
    ASSIGN_OR_RETURN(const auto rollout, db_.NewestRollout(call.key));
    if (rollout && IsOpen(PhaseIn(*rollout))) {
      return Error{Code::kRefused, "a rollout is open: roll it back, or let it close"};
    }
    for (const char* of : {"promotions", "pins", "holds", "break-glass"}) {
      RETURN_IF_ERROR(db_.Delete(of, call.key));
    }
  }
  if (kind == kGates) RETURN_IF_ERROR(ChangeGate(call.key, &object, nullptr));
  RETURN_IF_ERROR(db_.Delete(kind, call.key));
  RETURN_IF_ERROR(Note(call, kind == kEnvironments ? call.key : ""));
  RETURN_IF_ERROR(transaction.Commit());
  if (kind == kEnvironments) sights_.erase(call.key);
  return json::object();
}

}  // namespace telltale::control
