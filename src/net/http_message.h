// What an HTTP request says and what it is answered with.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace telltale::net {

class HttpSource;

inline constexpr std::size_t kHttpHeaderBytesMax = 8u << 10;
inline constexpr std::size_t kHttpBodyBytesMax = 64u << 10;  // where a route says nothing else

enum class HttpMethod : std::uint8_t { kGet, kPost, kPut, kDelete };

// "GET" and its like.
std::string_view HttpMethodName(HttpMethod method);

// Who asks, by the certificate of this connection's own handshake.
struct HttpPeer {
  std::string common_name = {};         // of the certificate's subject
  std::string certificate_sha256 = {};  // of its DER bytes: 64 of 0-9a-f
};

struct HttpRequest {
  std::string path = {};                          // without the query
  std::map<std::string, std::string> query = {};  // percent-decoded; of equal keys the last
  HttpMethod method = HttpMethod::kGet;
  std::string content_type = {};  // as sent, with parameters; "" = none
  std::string body = {};          // at most the route's limit; always empty with GET
  HttpPeer peer = {};             // empty: the client shows no certificate, or is not asked for one
  std::string bearer = {};        // the token of Authorization: Bearer; "" = none. Never log it
};

using HttpFields = std::vector<std::pair<std::string, std::string>>;  // name, value

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  // Beside those the server writes itself. One that is not printable ASCII makes the answer a 500,
  // as does a body with status 204 or 304.
  HttpFields fields = {};
};

// What a path takes. Asked before a body is read.
struct HttpRoute {
  std::vector<HttpMethod> methods = {HttpMethod::kGet};  // none = there is no such path: 404
  std::string body_type = "application/json";  // media type a body must have, else 415; "" = any
  // Above kHttpBodyBytesMax: of such bodies kHttpLargeBodiesMax are taken at one time, else 503.
  std::size_t body_bytes_max = kHttpBodyBytesMax;
};

// How an error of ours is answered: 400 invalid, 403 refused, 404 not_found, 409 exists, 413
// too_big, 501 unsupported, 503 overloaded and unavailable, else 500.
unsigned HttpStatusOf(Code code);

// A whole response; or, with `source`, its head: then `body` is not looked at.
struct HttpAnswer {
  HttpAnswer(HttpResponse whole) : response(std::move(whole)) {}  // NOLINT: implicit by intent
  HttpAnswer(HttpResponse head, std::shared_ptr<HttpSource> pulled)
      : response(std::move(head)), source(std::move(pulled)) {}
  HttpResponse response;
  std::shared_ptr<HttpSource> source = nullptr;
};

}  // namespace telltale::net
