#include "net/http_rules.h"

#include <algorithm>

#include "net/http_target.h"

namespace telltale::net {
namespace {

constexpr HttpMethod kMethods[] = {HttpMethod::kGet, HttpMethod::kPost, HttpMethod::kPut,
                                   HttpMethod::kDelete};

bool EqualsNoCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

HttpResponse Refusal(unsigned status, std::string why) {
  return {status, "text/plain", std::move(why) + "\n"};
}

// "application/json" of "application/json; charset=utf-8".
std::string_view MediaTypeOf(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return type;
}

std::string NamesOf(const std::vector<HttpMethod>& methods) {
  std::string names;
  for (const HttpMethod method : methods) {
    names += names.empty() ? "" : ", ";
    names += HttpMethodName(method);
  }
  return names;
}

}  // namespace

std::string_view HttpMethodName(HttpMethod method) {
  switch (method) {
    case HttpMethod::kGet:
      return "GET";
    case HttpMethod::kPost:
      return "POST";
    case HttpMethod::kPut:
      return "PUT";
    case HttpMethod::kDelete:
      return "DELETE";
  }
  return "";
}

bool HasHttpBody(const HttpHead& head) {
  return !head.codings.empty() || (!head.lengths.empty() && ParseNumber(head.lengths[0]) != 0u);
}

bool MayHaveLargeBody(const HttpHead& head, const HttpRoute& route) {
  if (route.body_bytes_max <= kHttpBodyBytesMax || !HasHttpBody(head)) return false;
  return head.lengths.empty() || *ParseNumber(head.lengths[0]) > kHttpBodyBytesMax;
}

bool WantsToHear100(const HttpHead& head) {
  return head.is_http_1_1 && HasHttpBody(head) && EqualsNoCase(head.expect, "100-continue");
}

std::optional<HttpResponse> RefuseFraming(const HttpHead& head) {
  if (head.lengths.size() + head.codings.size() > 1) {
    return Refusal(400, "more than one length of the body");
  }
  if (!head.codings.empty() && (!head.is_http_1_1 || !EqualsNoCase(head.codings[0], "chunked"))) {
    return Refusal(400, "the only transfer coding is chunked");
  }
  if (!head.lengths.empty() && !ParseNumber(head.lengths[0])) {
    return Refusal(400, "the body's length is no number");
  }
  if (head.hosts > 1) return Refusal(400, "more than one host");
  if (head.method == "GET" && HasHttpBody(head)) return Refusal(400, "a GET has no body");
  return std::nullopt;
}

std::optional<HttpResponse> RefuseByRoute(const HttpHead& head, const HttpRoute& route,
                                          HttpMethod& method) {
  if (route.methods.empty()) return Refusal(404, "no such path");
  const auto wanted = std::find_if(std::begin(kMethods), std::end(kMethods), [&](HttpMethod one) {
    return HttpMethodName(one) == head.method;
  });
  if (wanted == std::end(kMethods) ||
      std::find(route.methods.begin(), route.methods.end(), *wanted) == route.methods.end()) {
    const std::string names = NamesOf(route.methods);
    HttpResponse refusal = Refusal(405, "only " + names);
    refusal.fields = {{"Allow", names}};
    return refusal;
  }
  method = *wanted;
  if (!head.expect.empty() && !EqualsNoCase(head.expect, "100-continue")) {
    return Refusal(417, "only 100-continue can be expected");
  }
  if (!HasHttpBody(head)) return std::nullopt;
  if (!head.lengths.empty() && *ParseNumber(head.lengths[0]) > route.body_bytes_max) {
    return TooLargeHttpBody(route.body_bytes_max);
  }
  if (!route.body_type.empty() && !EqualsNoCase(MediaTypeOf(head.content_type), route.body_type)) {
    return Refusal(415, "the body must be " + route.body_type);
  }
  return std::nullopt;
}

HttpResponse TooLargeHttpBody(std::size_t bytes_max) {
  return Refusal(413, "a body has at most " + std::to_string(bytes_max) + " bytes");
}

bool AreHttpFields(const HttpFields& fields) {
  const auto is_text = [](char c) { return c >= ' ' && c <= '~'; };
  const auto is_name = [&](char c) { return is_text(c) && c != ' ' && c != ':'; };
  return std::all_of(fields.begin(), fields.end(), [&](const auto& field) {
    const auto& [name, value] = field;
    return !name.empty() && std::all_of(name.begin(), name.end(), is_name) &&
           std::all_of(value.begin(), value.end(), is_text);
  });
}

bool CanBeSent(const HttpResponse& answer) {
  if (answer.status < 200 || answer.status > 599) return false;
  if ((answer.status == 204 || answer.status == 304) && !answer.body.empty()) return false;
  return AreHttpFields(answer.fields);
}

}  // namespace telltale::net
