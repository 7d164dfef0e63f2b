// Certificates, keys and the rules of the handshake: TLS 1.2 and 1.3 only, AEAD ciphers only, both
// ends show a certificate of our CA, no renegotiation, no session tickets.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

struct ssl_ctx_st;

namespace telltale::net {

struct TlsFiles {
  std::string ca;           // PEM: who may sign the other end's certificate
  std::string certificate;  // PEM: our chain
  std::string key;          // PEM
};

// Immutable once loaded: any thread. Connections keep what they need of it alive.
class TlsContext {
 public:
  //   kNotFound  a file is missing (the message names it)
  //   kInvalid   not PEM, key and certificate do not belong together
  static Result<TlsContext> ForServer(const TlsFiles& files);
  static Result<TlsContext> ForClient(const TlsFiles& files);
  // A client that shows no certificate: what a server of ours must refuse. For tests.
  static Result<TlsContext> ForClientWithoutCertificate(const std::string& ca);

  ssl_ctx_st* get() const { return context_.get(); }
  bool is_server() const { return is_server_; }

 private:
  TlsContext(std::shared_ptr<ssl_ctx_st> context, bool is_server)
      : context_(std::move(context)), is_server_(is_server) {}
  std::shared_ptr<ssl_ctx_st> context_;
  bool is_server_;
};

}  // namespace telltale::net
