#include "control/http/routes.h"

namespace telltale::control {
namespace {

using net::HttpMethod;

constexpr std::size_t kPartBytesMax = 128;

void AddObjects(std::vector<Route>& routes, std::string_view list, std::string_view one,
                const std::array<std::string_view, 4>& operations) {
  routes.push_back({HttpMethod::kGet, list, operations[0]});
  routes.push_back({HttpMethod::kGet, one, operations[1]});
  routes.push_back({HttpMethod::kPut, one, operations[2], BodyKind::kObject});
  routes.push_back({HttpMethod::kDelete, one, operations[3], BodyKind::kNone, AnswerKind::kEmpty});
}

void AddReleases(std::vector<Route>& routes) {
  routes.push_back({HttpMethod::kGet, "/v1/releases", "release.list"});
  routes.push_back({HttpMethod::kGet, "/v1/releases/{key}", "release.get"});
  routes.push_back({HttpMethod::kPut, "/v1/releases/{key}", "release.put", BodyKind::kObject});
  routes.push_back({HttpMethod::kGet, "/v1/releases/{key}/diff/{other}", "release.diff"});
  routes.push_back(
      {HttpMethod::kPost, "/v1/releases/{key}/reinstate", "reinstate", BodyKind::kObject});
  routes.push_back(
      {HttpMethod::kGet, "/v1/blobs/{key}", "blob.get", BodyKind::kNone, AnswerKind::kBytes});
  routes.push_back(
      {HttpMethod::kPut, "/v1/blobs/{key}", "blob.put", BodyKind::kBytes, AnswerKind::kEmpty});
}

void AddEnvironment(std::vector<Route>& routes) {
  const auto post = [&](std::string_view path, std::string_view operation) {
    routes.push_back({HttpMethod::kPost, path, operation, BodyKind::kObject});
  };
  routes.push_back({HttpMethod::kGet, "/v1/environments/{key}/promotion", "promotion.get"});
  routes.push_back(
      {HttpMethod::kPut, "/v1/environments/{key}/promotion", "promotion.put", BodyKind::kObject});
  post("/v1/environments/{key}/rollback", "rollback");
  post("/v1/environments/{key}/hold", "hold");
  post("/v1/environments/{key}/resume", "resume");
  routes.push_back({HttpMethod::kGet, "/v1/environments/{key}/pin", "pin.get"});
  routes.push_back({HttpMethod::kPut, "/v1/environments/{key}/pin", "pin.put", BodyKind::kObject});
  routes.push_back({HttpMethod::kDelete, "/v1/environments/{key}/pin", "pin.delete",
                    BodyKind::kNone, AnswerKind::kEmpty});
  post("/v1/environments/{key}/break-glass", "break_glass");
  post("/v1/environments/{key}/rehearsals", "rehearsals.put");
  routes.push_back({HttpMethod::kGet, "/v1/environments/{key}/rehearsals", "rehearsals.list"});
  routes.push_back({HttpMethod::kGet, "/v1/environments/{key}/ledger", "ledger"});
  routes.push_back({HttpMethod::kGet, "/v1/environments/{key}/live", "live"});
}

std::vector<Route> MakeRoutes() {
  std::vector<Route> routes;
  routes.push_back({HttpMethod::kGet, "/v1/status", "status"});
  AddObjects(routes, "/v1/environments", "/v1/environments/{key}",
             {"environments.list", "environments.get", "environments.put", "environments.delete"});
  AddObjects(routes, "/v1/cohorts", "/v1/cohorts/{key}",
             {"cohorts.list", "cohorts.get", "cohorts.put", "cohorts.delete"});
  routes.push_back({HttpMethod::kGet,
                    "/v1/cohorts/{key}/preview",
                    "cohorts.preview",
                    BodyKind::kNone,
                    AnswerKind::kJson,
                    {"environment", "per_10000", "salt"}});
  AddObjects(routes, "/v1/gates", "/v1/gates/{key}",
             {"gates.list", "gates.get", "gates.put", "gates.delete"});
  AddObjects(routes, "/v1/policies", "/v1/policies/{key}",
             {"policies.list", "policies.get", "policies.put", "policies.delete"});
  AddObjects(routes, "/v1/mirrors", "/v1/mirrors/{key}",
             {"mirrors.list", "mirrors.get", "mirrors.put", "mirrors.delete"});
  AddObjects(
      routes, "/v1/role-bindings", "/v1/role-bindings/{key}",
      {"role-bindings.list", "role-bindings.get", "role-bindings.put", "role-bindings.delete"});
  AddReleases(routes);
  AddEnvironment(routes);
  routes.push_back({HttpMethod::kGet,
                    "/v1/rollouts",
                    "rollouts.list",
                    BodyKind::kNone,
                    AnswerKind::kJson,
                    {"environment"}});
  routes.push_back({HttpMethod::kGet, "/v1/rollouts/{key}", "rollouts.get"});
  routes.push_back({HttpMethod::kGet, "/v1/rollouts/{key}/report", "rollouts.report",
                    BodyKind::kNone, AnswerKind::kMarkdown});
  routes.push_back({HttpMethod::kGet, "/v1/rollouts/{key}/gate", "rollouts.gate"});
  routes.push_back({HttpMethod::kGet, "/v1/rollouts/{key}/repair-draft", "rollouts.repair_draft"});
  routes.push_back(
      {HttpMethod::kPost, "/v1/rollouts/{key}/approvals", "approve", BodyKind::kObject});
  routes.push_back({HttpMethod::kPost, "/v1/rollouts/{key}/halt", "halt", BodyKind::kObject});
  routes.push_back(
      {HttpMethod::kPost, "/v1/rollouts/{key}/judgement", "judge_halt", BodyKind::kObject});
  routes.push_back({HttpMethod::kGet,
                    "/v1/audit",
                    "audit",
                    BodyKind::kNone,
                    AnswerKind::kJson,
                    {"after", "limit"}});
  routes.push_back({HttpMethod::kGet, "/v1/audit/verify", "audit.verify"});
  return routes;
}

// The first part of `rest`, which is taken from it together with its slash.
std::string_view TakePart(std::string_view& rest) {
  rest.remove_prefix(1);
  const std::string_view part = rest.substr(0, rest.find('/'));
  rest.remove_prefix(part.size());
  return part;
}

bool IsPart(std::string_view part) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  return !part.empty() && part.size() <= kPartBytesMax &&
         part.find_first_not_of(kLetters) == std::string_view::npos;
}

std::optional<nlohmann::json> KeysOf(std::string_view path, std::string_view pattern) {
  nlohmann::json keys = nlohmann::json::object();
  while (path.starts_with('/') && pattern.starts_with('/')) {
    const std::string_view part = TakePart(path);
    const std::string_view wanted = TakePart(pattern);
    if (wanted.starts_with('{')) {
      if (!IsPart(part)) return std::nullopt;
      keys[std::string(wanted.substr(1, wanted.size() - 2))] = std::string(part);
    } else if (part != wanted) {
      return std::nullopt;
    }
  }
  if (!path.empty() || !pattern.empty()) return std::nullopt;
  return keys;
}

}  // namespace

std::span<const Route> Routes() {
  static const std::vector<Route> kRoutes = MakeRoutes();
  return kRoutes;
}

RouteMatch MatchPath(std::string_view path) {
  RouteMatch match;
  for (const Route& route : Routes()) {
    auto keys = KeysOf(path, route.path);
    if (!keys) continue;
    match.keys = std::move(*keys);
    match.routes.push_back(&route);
  }
  return match;
}

}  // namespace telltale::control
