#include "net/tls_tickets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <string_view>

#include "net/tls_error.h"
#include "net/tls_trust.h"

namespace telltale::net {
namespace {

constexpr std::string_view kSessionContext = "telltale-door";
constexpr std::int64_t kRotationUs = std::chrono::microseconds(kTicketKeyRotation).count();

// A ticket that opens is not enough. Where the certificate in it would not be let in now, the whole
// handshake decides: with all of the peer's chain, and with the right words when it refuses.
SSL_TICKET_RETURN OnTicket(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t,
                           SSL_TICKET_STATUS status, void*) {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  X509* peer = SSL_SESSION_get0_peer(session);
  if (peer == nullptr || !IsTrustedNow(ssl, peer)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return SSL_TICKET_RETURN_USE_RENEW;
}

bool AllowTickets(SSL_CTX* context) {
  SSL_CTX_clear_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_timeout(context, std::chrono::seconds(kTicketKeyRotation).count());
  // No early data: it could be replayed.
  return SSL_CTX_set_max_early_data(context, 0) == 1 &&
         SSL_CTX_set_recv_max_early_data(context, 0) == 1 &&
         SSL_CTX_set_session_id_context(
             context, reinterpret_cast<const unsigned char*>(kSessionContext.data()),
             static_cast<unsigned int>(kSessionContext.size())) == 1 &&
         SSL_CTX_set_session_ticket_cb(context, nullptr, OnTicket, nullptr) == 1;
}

}  // namespace

TicketKeys::~TicketKeys() { OPENSSL_cleanse(key_.data(), key_.size()); }

void TicketKeys::RotateWhenDue() {
  const Micros now = clock_.NowMonotonic();
  if (generation_ != 0 && (now - made_).value < kRotationUs) return;
  Key key{};
  if (RAND_priv_bytes(key.data(), static_cast<int>(key.size())) != 1) return;
  key_ = key;
  OPENSSL_cleanse(key.data(), key.size());
  made_ = now;
  ++generation_;
}

std::uint64_t TicketKeys::generation() {
  MutexLock lock(mutex_);
  RotateWhenDue();
  return generation_;
}

Status TicketKeys::Use(SSL_CTX* context) {
  MutexLock lock(mutex_);
  RotateWhenDue();
  if (generation_ != 0 && AllowTickets(context) &&
      SSL_CTX_set_tlsext_ticket_keys(context, key_.data(), key_.size()) == 1) {
    return Ok();
  }
  return Error{Code::kUnavailable, "no session tickets: " + TakeTlsError()};
}

}  // namespace telltale::net
