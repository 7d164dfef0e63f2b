#include "control/plane_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/json_reader.h"
#include "control/objects.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr int kRefusalsMax = 20;
constexpr Micros kRefusalsWindow = Micros::Seconds(10);

bool IsAmong(const json& list, const std::string& key) {
  return std::find(list.begin(), list.end(), json(key)) != list.end();
}

}  // namespace

Result<std::unique_ptr<PlaneState>> PlaneState::Open(Options options) {
  ASSIGN_OR_RETURN(ControlDb db, ControlDb::Open(options.path, options.vfs));
  return std::unique_ptr<PlaneState>(new PlaneState(std::move(options), std::move(db)));
}

Result<std::vector<json>> PlaneState::BindingsOf(const std::string& subject) {
  ASSIGN_OR_RETURN(auto bindings, db_.List(kRoleBindings));
  std::erase_if(bindings, [&](const json& one) { return one.at("subject") != json(subject); });
  return bindings;
}

Status PlaneState::Permit(const Operation& operation, const Call& call) {
  // The machine's owner and the platform's user: nobody could make the first binding otherwise.
  if (call.subject == "local:0" || call.subject == fmt::format("local:{}", options_.platform_uid)) {
    return Ok();
  }
  std::string environment;
  if (operation.scope == Scope::kEnvironment) environment = call.key;
  if (operation.scope == Scope::kRollout) {
    ASSIGN_OR_RETURN(const auto rollout, db_.FindRollout(call.key));
    if (rollout) environment = rollout->at("environment").get<std::string>();
  }
  ASSIGN_OR_RETURN(const auto bindings, BindingsOf(call.subject));
  for (const json& binding : bindings) {
    const auto& role = binding.at("role").get_ref<const std::string&>();
    if (std::find(operation.roles.begin(), operation.roles.end(), role) == operation.roles.end()) {
      continue;
    }
    const json& limits = binding.at("environments");
    if (limits.empty() || operation.scope == Scope::kAny) return Ok();
    if (operation.scope != Scope::kEverything && IsAmong(limits, environment)) return Ok();
  }
  return Error{Code::kRefused,
               fmt::format("{} has no role for {}; needed is {}{}", call.subject, operation.name,
                           fmt::join(operation.roles, " or "),
                           environment.empty() ? "" : " for environment " + environment)};
}

Result<json> PlaneState::MustFind(std::string_view kind, const std::string& key) {
  ASSIGN_OR_RETURN(auto found, db_.Find(kind, key));
  if (found) return std::move(*found);
  return Error{Code::kNotFound, fmt::format("there is no {} in {}", key, kind)};
}

Result<std::uint64_t> PlaneState::Note(const Call& call, const std::string& environment) {
  json arguments = call.body;
  if (!arguments.is_object()) arguments = json{{"body", std::move(arguments)}};
  if (call.key != environment && !call.key.empty()) arguments["key"] = call.key;
  return db_.Note({.subject = call.subject,
                   .operation = call.operation,
                   .environment = environment,
                   .arguments = std::move(arguments)},
                  Now());
}

Status PlaneState::NoteRefusal(const Call& call) {
  const Micros now = clock_.NowMonotonic();
  if (now - refusals_since_ >= kRefusalsWindow) {
    refusals_since_ = now;
    refusals_ = 0;
  }
  if (++refusals_ > kRefusalsMax) return Ok();
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(db_.Note({.subject = call.subject.substr(0, 256),
                            .operation = "refused",
                            .arguments = {{"operation", call.operation}, {"key", call.key}}},
                           Now()));
  return transaction.Commit();
}

Status PlaneState::NoteChange(const Call& call) {
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(Note(call, ""));
  return transaction.Commit();
}

}  // namespace telltale::control
