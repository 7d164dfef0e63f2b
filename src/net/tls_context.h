// Certificates, keys and the rules of the handshake: TLS 1.2 and 1.3 only, AEAD ciphers only, both
// ends show a certificate of our CAs, no renegotiation, no early data. Session tickets where the
// server's options have keys for them.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/tls_files.h"
#include "net/tls_tickets.h"

struct ssl_ctx_st;
struct x509_st;

namespace telltale::net {

class TlsConnection;

struct TlsServerOptions {
  std::shared_ptr<TicketKeys> tickets = nullptr;  // null: every handshake is a whole one
  // Certificates are judged at its time; null: the system's. Must outlive the connections.
  const Clock* clock = nullptr;
  bool only_tls_1_3 = false;
  // A client may come without a certificate; one that it shows must be good all the same.
  bool certificate_optional = false;
};

// Immutable once loaded: any thread. Connections keep what they need of it alive.
class TlsContext {
 public:
  //   kNotFound  a file is missing (the message names it)
  //   kInvalid   not PEM, key and certificate do not belong together, no revocation list of ours
  static Result<TlsContext> ForServer(const TlsFiles& files, const TlsServerOptions& options = {});
  // The same of what was read already; `files` names it in messages.
  static Result<TlsContext> ForServer(const TlsPem& pem, const TlsFiles& files,
                                      const TlsServerOptions& options);
  // Takes tickets where the server gives them (TlsConnection::TakeSession).
  static Result<TlsContext> ForClient(const TlsFiles& files);
  // The same of what is in memory; `files` names it in messages.
  static Result<TlsContext> ForClient(const TlsPem& pem, const TlsFiles& files);
  // A client that shows no certificate: what a server of ours must refuse. For tests.
  static Result<TlsContext> ForClientWithoutCertificate(const std::string& ca);

  // The peer's certificate is on this server's revocation list, whatever context the connection
  // was accepted with. On the connection's thread, after OnHandshake. Cheap: two look-ups.
  bool IsRevoked(const TlsConnection& connection) const;
  // The same of a peer's certificate; null is none that could be.
  bool IsRevoked(const x509_st* peer) const;
  // RevokedSet::Replaces, of the authorities here.
  bool KeepsListsOf(const TlsContext& former) const;
  // RevokedSet::IsStale: warn.
  bool has_stale_list(Micros now) const;

  ssl_ctx_st* get() const { return context_.get(); }
  bool is_server() const { return is_server_; }
  const Clock* clock() const { return clock_; }

 private:
  TlsContext(std::shared_ptr<ssl_ctx_st> context, bool is_server, const Clock* clock)
      : context_(std::move(context)), is_server_(is_server), clock_(clock) {}
  std::shared_ptr<ssl_ctx_st> context_;
  bool is_server_;
  const Clock* clock_;
};

}  // namespace telltale::net
