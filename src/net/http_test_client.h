// For tests: a client that knows nothing of the server's code; blocking, 10 s at most each time.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "base/free_with.h"

namespace telltale::net {

struct HttpTestClientOptions {
  std::uint16_t port = 0;
  int receive_buffer = 0;        // 0 = the system's
  std::string ca = {};           // "" = in the clear
  std::string certificate = {};  // of the client; "" = it shows none
  std::string key = {};
  int tls_version_max = TLS1_3_VERSION;
  SSL_SESSION* session = nullptr;  // to resume
};

class HttpTestClient {
 public:
  explicit HttpTestClient(const HttpTestClientOptions& options)
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (options.receive_buffer > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer,
                 sizeof(options.receive_buffer));
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(options.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    if (!options.ca.empty()) ShakeHands(options);
  }
  ~HttpTestClient() {
    ssl_.reset();
    close(fd_);
  }
  HttpTestClient(const HttpTestClient&) = delete;
  HttpTestClient& operator=(const HttpTestClient&) = delete;

  // False where the server went away.
  bool Send(const std::string& text) {
    if (ssl_) return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) > 0;
    return send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  bool Get(const std::string& target, const std::string& headers = "") {
    return Send("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  }
  bool Post(const std::string& target, const std::string& body,
            const std::string& headers = "Content-Type: application/json\r\n") {
    return Send("POST " + target + " HTTP/1.1\r\nHost: x\r\n" + headers +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  // Everything up to and with `mark`; what was read so far when the server hung up.
  std::string Until(const std::string& mark) {
    while (text_.find(mark) == std::string::npos) {
      if (!Read()) return std::exchange(text_, "");
    }
    const std::size_t end = text_.find(mark) + mark.size();
    const std::string taken = text_.substr(0, end);
    text_.erase(0, end);
    return taken;
  }
  // The status of the next answer, "" for none; its head is taken.
  std::string Status() {
    const std::string head = Until("\r\n\r\n");
    return head.starts_with("HTTP/1.1 ") && head.size() > 12 ? head.substr(9, 3) : "";
  }
  // Everything until the server hangs up.
  std::string Rest() {
    while (Read()) {
    }
    return std::exchange(text_, "");
  }
  // After Rest() over TLS: the server said that it ends here.
  bool WasToldTheEnd() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  SSL* ssl() { return ssl_.get(); }
  bool shook_hands() const { return shook_hands_; }

 private:
  void ShakeHands(const HttpTestClientOptions& options) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_max_proto_version(context_.get(), options.tls_version_max);
    EXPECT_EQ(SSL_CTX_load_verify_locations(context_.get(), options.ca.c_str(), nullptr), 1);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (!options.certificate.empty()) {
      EXPECT_EQ(SSL_CTX_use_certificate_file(context_.get(), options.certificate.c_str(),
                                             SSL_FILETYPE_PEM),
                1);
      EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), options.key.c_str(), SSL_FILETYPE_PEM),
                1);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd_);
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
    shook_hands_ = SSL_connect(ssl_.get()) == 1;
  }
  bool Read() {
    char piece[65536];
    const ssize_t got =
        ssl_ ? SSL_read(ssl_.get(), piece, sizeof(piece)) : recv(fd_, piece, sizeof(piece), 0);
    if (got > 0) text_.append(piece, static_cast<std::size_t>(got));
    return got > 0;
  }

  int fd_;
  std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context_;
  std::unique_ptr<SSL, FreeWith<SSL_free>> ssl_;
  bool shook_hands_ = false;
  std::string text_;
};

}  // namespace telltale::net
