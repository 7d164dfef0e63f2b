#include "net/http_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>
#include <type_traits>

#include "net/http_rules.h"
#include "net/tls_error.h"

namespace telltale::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

struct Url {
  bool is_tls = false;
  std::string host;  // without brackets
  std::string port;
  std::string host_field;  // as in the URL
};

Result<Url> ParseUrl(std::string_view text) {
  const Error bad{Code::kInvalid,
                  "a URL of the form http://HOST:PORT or https://HOST:PORT is needed"};
  Url url;
  if (text.starts_with("https://")) {
    url.is_tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return bad;
  }
  if (text.ends_with('/')) text.remove_suffix(1);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 ||
      text.find_first_of("/?#@ \r\n") != text.npos) {
    return bad;
  }
  url.host_field = text;
  url.host = text.substr(0, colon);
  url.port = text.substr(colon + 1);
  if (url.host.starts_with('[') && url.host.ends_with(']')) {
    url.host = url.host.substr(1, url.host.size() - 2);
  }
  if (url.host.empty() || url.port.empty() || url.port.size() > 5 ||
      url.port.find_first_not_of("0123456789") != std::string::npos) {
    return bad;
  }
  return url;
}

bool IsLoopbackHost(const std::string& host) {
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  return host == "localhost" || (!error && address.is_loopback());
}

Result<std::shared_ptr<asio::ssl::context>> MakeTls(const HttpClientOptions& options) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  error_code error;
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  static_cast<void>(context->set_verify_mode(asio::ssl::verify_peer, error));
  // The server's own certificate may stand in `ca` in the place of its authority's.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context->native_handle()),
                              X509_V_FLAG_PARTIAL_CHAIN);
  if (options.ca.empty()) {
    static_cast<void>(context->set_default_verify_paths(error));
  } else {
    static_cast<void>(context->load_verify_file(options.ca, error));
  }
  if (error) {
    return Error{Code::kInvalid,
                 "the authorities in " + options.ca + " cannot be used: " + error.message()};
  }
  if (options.certificate.empty() != options.key.empty()) {
    return Error{Code::kInvalid,
                 "a client's certificate and its key go together: give both or none"};
  }
  if (options.certificate.empty()) return context;
  if (!context->use_certificate_chain_file(options.certificate, error)) {
    static_cast<void>(context->use_private_key_file(options.key, asio::ssl::context::pem, error));
  }
  if (error) {
    return Error{Code::kInvalid, options.certificate + " and " + options.key +
                                     " are no certificate with its key: " + error.message()};
  }
  return context;
}

// One question. All of it runs inside io.run() of the caller.
template <typename Stream>
class Asking {
 public:
  template <typename... With>
  Asking(const Url& url, const HttpClientOptions& options, const HttpQuestion& question,
         asio::io_context& io, With&&... with)
      : url_(url), resolver_(io), stream_(io, std::forward<With>(with)...) {
    const std::string_view method = HttpMethodName(question.method);
    request_.method_string({method.data(), method.size()});
    request_.target(question.target);
    request_.version(11);
    request_.set(http::field::host, url.host_field);
    request_.set(http::field::connection, "close");
    if (!options.token.empty()) {
      request_.set(http::field::authorization, "Bearer " + options.token);
    }
    for (const auto& [name, value] : question.headers) request_.set(name, value);
    if (question.method != HttpMethod::kGet) {
      if (!question.body.empty()) request_.set(http::field::content_type, question.content_type);
      request_.body() = question.body;
      request_.prepare_payload();
    }
    parser_.body_limit(kHttpAnswerBytesMax);
    tcp().expires_after(options.timeout);
  }

  void Start() {
    resolver_.async_resolve(url_.host, url_.port, [this](error_code error, auto found) {
      if (error) return End("look up", error);
      tcp().async_connect(found, [this](error_code failed, const auto&) {
        failed ? End("connect", failed) : ShakeHands();
      });
    });
  }

  Result<HttpResponse> Take() {
    if (what_failed_.empty()) {
      const auto& answer = parser_.get();
      HttpResponse response{answer.result_int()};
      const auto type = answer[http::field::content_type];
      response.content_type.assign(type.data(), type.size());
      response.body = answer.body();
      return response;
    }
    if (is_refused_) {
      return Error{Code::kRefused, "the certificate of " + url_.host_field +
                                       " is not good: " + error_.message() +
                                       "; --ca FILE names the authority that it is of"};
    }
    if (error_ == http::error::body_limit) {
      return Error{Code::kTooBig, "the answer of " + url_.host_field + " is too big"};
    }
    return Error{Code::kUnavailable,
                 "cannot " + what_failed_ + " " + url_.host_field + ": " + error_.message()};
  }

 private:
  beast::tcp_stream& tcp() { return beast::get_lowest_layer(stream_); }

  void ShakeHands() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      SSL_set_tlsext_host_name(stream_.native_handle(), url_.host.c_str());
      error_code ignored;
      static_cast<void>(
          stream_.set_verify_callback(asio::ssl::host_name_verification(url_.host), ignored));
      stream_.async_handshake(asio::ssl::stream_base::client, [this](error_code error) {
        if (!error) return Send();
        is_refused_ = SSL_get_verify_result(stream_.native_handle()) != X509_V_OK;
        End("speak TLS with", error);
      });
    } else {
      Send();
    }
  }

  void Send() {
    http::async_write(stream_, request_, [this](error_code error, std::size_t) {
      // A server that refuses early may hang up on the rest: its answer says why.
      write_error_ = error;
      Receive();
    });
  }
  void Receive() {
    http::async_read(stream_, buffer_, parser_, [this](error_code error, std::size_t) {
      if (error) End("read the answer of", write_error_ ? write_error_ : error);
    });
  }
  void End(const char* what, error_code error) {
    what_failed_ = what;
    error_ = error;
  }

  const Url& url_;
  asio::ip::tcp::resolver resolver_;
  Stream stream_;
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> parser_;
  beast::flat_buffer buffer_;
  std::string what_failed_;
  error_code error_;
  error_code write_error_;
  bool is_refused_ = false;
};

template <typename Stream, typename... With>
Result<HttpResponse> Ask(const Url& url, const HttpClientOptions& options,
                         const HttpQuestion& question, With&&... with) {
  asio::io_context io{1};
  Asking<Stream> asking(url, options, question, io, std::forward<With>(with)...);
  asking.Start();
  io.run();
  return asking.Take();
}

}  // namespace

Result<HttpResponse> AskHttp(const HttpClientOptions& options, const HttpQuestion& question) {
  ASSIGN_OR_RETURN(const Url url, ParseUrl(options.url));
  if (!AreHttpFields({{"Authorization", "Bearer " + options.token}}) ||
      !AreHttpFields(question.headers) ||
      question.target.find_first_of(" \r\n") != std::string::npos) {
    return Error{Code::kInvalid, "the token or the path has characters that cannot be sent"};
  }
  if (url.is_tls) {
    ASSIGN_OR_RETURN(const auto context, MakeTls(options));
    return Ask<TlsStream>(url, options, question, *context);
  }
  const bool is_secret = !options.token.empty() || !options.certificate.empty();
  if (is_secret && !IsLoopbackHost(url.host)) {
    return Error{Code::kRefused,
                 "who asks would go to " + url.host_field + " in the clear: use https://"};
  }
  return Ask<PlainStream>(url, options, question);
}

std::string EscapeForHttp(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace telltale::net
