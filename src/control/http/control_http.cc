#include "control/http/control_http.h"

#include <algorithm>

#include "control/http/openapi_document.h"
#include "control/http/yaml_json.h"
#include "control/page/page.h"

namespace telltale::control {
namespace {

using net::HttpMethod;
using net::HttpResponse;
using nlohmann::json;

constexpr std::string_view kOpenApiPath = "/openapi.json";
constexpr const char* kBytesType = "application/octet-stream";
constexpr std::int64_t kOne = 1'000'000;  // of Allowance::micro_requests
constexpr std::size_t kAllowancesMax = 4096;

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string_view NextOf(Code code) {
  switch (code) {
    case Code::kInvalid:
      return "change the request; GET /openapi.json says what it may be";
    case Code::kNotFound:
      return "list what there is with the path's collection, or GET /v1/status";
    case Code::kExists:
      return "GET what is there; remove it first or leave it";
    case Code::kTooBig:
      return "send less; GET /openapi.json says how much";
    case Code::kOverloaded:
      return "ask again in a second";
    case Code::kUnavailable:
      return "ask again; GET /v1/status says what is not reached";
    case Code::kRefused:
      return "GET /v1/status says what stands in the way; GET /v1/role-bindings who may";
    case Code::kUnsupported:
      return "use a Telltale that has it";
    default:
      return "look at GET /v1/status and GET /v1/audit before asking again";
  }
}

HttpResponse ErrorWith(unsigned status, std::string_view code, std::string_view message,
                       std::string_view next) {
  HttpResponse answer{status};
  answer.body = Dump({{"error", {{"code", code}, {"message", message}, {"next", next}}}});
  if (status == 503 || status == 429) answer.fields = {{"Retry-After", "1"}};
  return answer;
}

// What the server refuses by itself has a status and no kind.
Code CodeOfStatus(unsigned status) {
  switch (status) {
    case 404:
      return Code::kNotFound;
    case 413:
      return Code::kTooBig;
    case 503:
      return Code::kOverloaded;
    case 500:
      return Code::kCorrupt;
    default:
      return Code::kInvalid;
  }
}

// The body as a JSON object. Deep ones are refused: what reads them calls itself.
Result<json> ObjectOf(const std::string& body) {
  if (body.empty()) return json::object();
  bool is_deep = false;
  const json::parser_callback_t watch = [&](int depth, json::parse_event_t, json&) {
    is_deep = is_deep || depth > kJsonDepthMax;
    return !is_deep;
  };
  json object = json::parse(body, watch, false);
  if (is_deep) return Error{Code::kInvalid, "the body is nested too deeply"};
  if (!object.is_object()) return Error{Code::kInvalid, "the body must be a JSON object"};
  return object;
}

bool IsPrintable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

Result<json> ArgumentsOf(const Route& route, const net::HttpRequest& request, json keys) {
  for (const auto& [name, value] : request.query) {
    if (std::find(route.query.begin(), route.query.end(), name) == route.query.end()) {
      return Error{Code::kInvalid, "this path takes no query " +
                                       (IsPrintable(name) ? name : std::string("like that"))};
    }
    if (!IsPrintable(value)) return Error{Code::kInvalid, name + " must be printable ASCII"};
    keys[name] = value;
  }
  if (route.body == BodyKind::kObject) {
    ASSIGN_OR_RETURN(keys["body"], ObjectOf(request.body));
  } else if (route.body == BodyKind::kBytes) {
    keys["body"] = json::binary({request.body.begin(), request.body.end()});
  }
  return keys;
}

// Of an answer that stands for a text or for bytes.
std::string MarkdownIn(const json& answer) {
  const auto found = answer.find("markdown");
  return found != answer.end() && found->is_string() ? found->get<std::string>() : "";
}
std::string BytesIn(const json& answer) {
  if (!answer.is_binary()) return "";
  const auto& bytes = answer.get_binary();
  return {bytes.begin(), bytes.end()};
}

HttpResponse AnswerOf(const Route& route, const json& result) {
  switch (route.answer) {
    case AnswerKind::kEmpty:
      return {204};
    case AnswerKind::kMarkdown:
      return {200, "text/markdown; charset=utf-8", MarkdownIn(result)};
    case AnswerKind::kBytes:
      return {200, kBytesType, BytesIn(result)};
    case AnswerKind::kJson:
      break;
  }
  return {200, "application/json", Dump(result)};
}

HttpResponse AnswerOf(const PageFile& file) {
  HttpResponse answer{200, std::string(file.content_type), std::string(file.bytes)};
  answer.fields = {{"ETag", std::string(file.etag)}};
  for (const auto& [name, value] : PageHeaders()) answer.fields.emplace_back(name, value);
  return answer;
}

}  // namespace

HttpResponse ErrorAnswer(const Error& error) {
  return ErrorWith(net::HttpStatusOf(error.code), CodeName(error.code), error.message,
                   NextOf(error.code));
}

Result<std::unique_ptr<ControlHttp>> ControlHttp::Make(Plane& plane, const TokenBook& tokens,
                                                       const Clock& clock) {
  ASSIGN_OR_RETURN(const json document, JsonOfYaml(std::string(OpenApiYaml())));
  return std::unique_ptr<ControlHttp>(new ControlHttp(plane, tokens, clock, Dump(document)));
}

ControlHttp::ControlHttp(Plane& plane, const TokenBook& tokens, const Clock& clock,
                         std::string openapi)
    : plane_(plane), tokens_(tokens), clock_(clock), openapi_(std::move(openapi)) {}

net::HttpRoute ControlHttp::RouteOf(const std::string& path) {
  if (FindPageFile(path) != nullptr || path == kOpenApiPath) return {};
  net::HttpRoute taken{{}};
  for (const Route* route : MatchPath(path).routes) {
    taken.methods.push_back(route->method);
    if (route->body == BodyKind::kObject) {
      taken.body_bytes_max = std::max(taken.body_bytes_max, kObjectBytesMax);
    }
    if (route->body == BodyKind::kBytes) {
      taken.body_type = kBytesType;
      taken.body_bytes_max = kBlobBodyBytesMax;
    }
  }
  return taken;
}

std::string ControlHttp::SubjectOf(const net::HttpRequest& request) const {
  // A token is shown on purpose; a certificate comes along.
  if (!request.bearer.empty()) return tokens_.SubjectOf(request.bearer);
  if (!request.peer.common_name.empty()) return "cn:" + request.peer.common_name;
  return "";
}

bool ControlHttp::MayAskNow(const std::string& subject) {
  const Micros now = clock_.NowMonotonic();
  MutexLock lock(mutex_);
  if (allowances_.size() >= kAllowancesMax) allowances_.clear();  // more than there are tokens
  auto& allowance =
      allowances_.try_emplace(subject, Allowance{kRequestsBurstMax * kOne, now}).first->second;
  const std::int64_t passed_us = std::clamp<std::int64_t>((now - allowance.at).value, 0, 60 * kOne);
  allowance.at = now;
  allowance.micro_requests =
      std::min(allowance.micro_requests + passed_us * kRequestsPerSMax, kRequestsBurstMax * kOne);
  if (allowance.micro_requests < kOne) return false;
  allowance.micro_requests -= kOne;
  return true;
}

std::optional<HttpResponse> ControlHttp::RefuseEarly(const net::HttpRequest& head) {
  if (!head.path.starts_with("/v1/")) return std::nullopt;
  const std::string subject = SubjectOf(head);
  if (subject.empty()) {
    return ErrorWith(401, CodeName(Code::kRefused), "nobody here knows who asks",
                     "send Authorization: Bearer TOKEN (`telltale control token new NAME` makes "
                     "one), or show a client certificate");
  }
  if (MayAskNow(subject)) return std::nullopt;
  return ErrorWith(429, CodeName(Code::kOverloaded), "too many requests in a short time",
                   NextOf(Code::kOverloaded));
}

HttpResponse ControlHttp::Worded(HttpResponse refusal) {
  std::string message = std::move(refusal.body);
  while (message.ends_with('\n')) message.pop_back();
  const Code code = CodeOfStatus(refusal.status);
  HttpResponse worded = ErrorWith(refusal.status, CodeName(code), message, NextOf(code));
  worded.fields = std::move(refusal.fields);
  return worded;
}

net::HttpAnswer ControlHttp::Serve(const net::HttpRequest& request) {
  if (const PageFile* file = FindPageFile(request.path)) return AnswerOf(*file);
  if (request.path == kOpenApiPath) return HttpResponse{200, "application/json", openapi_};
  RouteMatch match = MatchPath(request.path);
  const auto route = std::find_if(match.routes.begin(), match.routes.end(),
                                  [&](const Route* one) { return one->method == request.method; });
  // Asked again: a token may have been revoked since the head was judged.
  const Actor actor{SubjectOf(request)};
  if (route == match.routes.end() || actor.subject.empty()) {
    return ErrorAnswer({Code::kRefused, "nobody here knows who asks any more"});
  }
  auto arguments = ArgumentsOf(**route, request, std::move(match.keys));
  if (!arguments.ok()) return ErrorAnswer(arguments.error());
  const auto result = plane_.Do(actor, (*route)->operation, *arguments);
  return result.ok() ? AnswerOf(**route, *result) : ErrorAnswer(result.error());
}

}  // namespace telltale::control
