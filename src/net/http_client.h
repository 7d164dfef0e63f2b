// A small blocking HTTP/1.1 client for the program's own commands: one connection per question.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/http_message.h"

namespace telltale::net {

inline constexpr std::size_t kHttpAnswerBytesMax = 80u << 20;

struct HttpClientOptions {
  std::string url;      // http://host:port or https://host:port; a path is not allowed
  std::string ca = {};  // PEM: the server's certificate or who may sign it; "" = the system's
  std::string certificate = {};  // PEM files of the client's own, both or none
  std::string key = {};
  std::string token = {};                      // sent as Authorization: Bearer; "" = none
  std::chrono::milliseconds timeout{100'000};  // for all of it
};

struct HttpQuestion {
  HttpMethod method = HttpMethod::kGet;
  std::string target = "/";  // path and query, escaped
  std::string body = {};
  std::string content_type = "application/json";  // of a body
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// Any thread. Over TLS (1.2 or later) the server's certificate must be good for the host's name or
// address. A token goes over http to a loopback address alone.
//   kInvalid      not such a URL, or a file of TLS that cannot be used
//   kRefused      a token or a certificate that would leave this machine in the clear; the
//                 server's certificate is not good
//   kUnavailable  nobody answers, or not in time, or what answers speaks no HTTP
//   kTooBig       an answer over kHttpAnswerBytesMax
// An answer of any status is no error. What was sent may have been done when it is kUnavailable.
Result<HttpResponse> AskHttp(const HttpClientOptions& options, const HttpQuestion& question);

// A part of a path or of a query, with everything but letters, digits and -._~ escaped.
std::string EscapeForHttp(std::string_view text);

}  // namespace telltale::net
