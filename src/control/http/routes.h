// Every path of the API (docs/control.md), and what is asked of the plane for it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_message.h"

namespace telltale::control {

inline constexpr std::size_t kBlobBodyBytesMax = 64u << 20;
inline constexpr std::size_t kObjectBytesMax = 1u << 20;  // a cohort's lists

enum class BodyKind : std::uint8_t {
  kNone,    // a body is not looked at
  kObject,  // JSON object; none = {}
  kBytes,   // application/octet-stream
};
enum class AnswerKind : std::uint8_t {
  kJson,
  kEmpty,     // 204
  kMarkdown,  // the plane's {"markdown"}
  kBytes,
};

struct Route {
  net::HttpMethod method;
  std::string_view path;       // "/v1/environments/{key}/pin"
  std::string_view operation;  // of Plane::Do
  BodyKind body = BodyKind::kNone;
  AnswerKind answer = AnswerKind::kJson;
  std::vector<std::string_view> query = {};  // members that the path takes
};

std::span<const Route> Routes();

// What a path names between its slashes: {"key": …} and further ones, as in the template.
struct RouteMatch {
  std::vector<const Route*> routes;  // one a method; none = there is no such path
  nlohmann::json keys = nlohmann::json::object();
};
// Parts of a path have 1 to 128 of letters, digits and -._~ and are never escaped.
RouteMatch MatchPath(std::string_view path);

}  // namespace telltale::control
