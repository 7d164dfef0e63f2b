// What a request's head must be, before its body is read. For this folder's .cc files.
//
// Nothing here takes HTTP apart: Beast does. It is lenient where two programs could read a request
// in two ways (a coding it does not know is no coding to it), so these rules refuse such requests.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "net/http_message.h"

namespace telltale::net {

// Of a request's head, as sent.
struct HttpHead {
  bool is_http_1_1 = true;
  std::string_view method = {};
  std::vector<std::string_view> lengths = {};  // each Content-Length
  std::vector<std::string_view> codings = {};  // each Transfer-Encoding
  std::size_t hosts = 1;                       // fields Host
  std::string_view content_type = {};
  std::string_view expect = {};
};

// After RefuseFraming() gave nothing.
bool HasHttpBody(const HttpHead& head);
// It has a body of more than kHttpBodyBytesMax, or one that says no length where more is allowed.
bool MayHaveLargeBody(const HttpHead& head, const HttpRoute& route);
bool WantsToHear100(const HttpHead& head);

// 400: where the request ends can be read in two ways, or it is a GET with a body.
std::optional<HttpResponse> RefuseFraming(const HttpHead& head);
// 404, 405, 413, 415, 417: `route` does not take it. Else sets `method`.
std::optional<HttpResponse> RefuseByRoute(const HttpHead& head, const HttpRoute& route,
                                          HttpMethod& method);
HttpResponse TooLargeHttpBody(std::size_t bytes_max);

// Printable names and values: they cannot add a line of their own.
bool AreHttpFields(const HttpFields& fields);
// A final status, a body only where the status may have one, fields that add no line of their own.
bool CanBeSent(const HttpResponse& answer);

}  // namespace telltale::net
