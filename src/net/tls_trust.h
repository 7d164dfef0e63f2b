// Who a server lets in beyond the chain of certificates, kept inside the TLS library's context. For
// this folder's .cc files.
#pragma once

#include <memory>

#include "net/tls_revocation.h"

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;
struct x509_store_ctx_st;

namespace telltale::net {

struct TlsTrust {
  RevokedSet revoked;
};

// Once, before the first connection; lives as long as the context.
//   false  the TLS library is out of memory
bool SetTrust(ssl_ctx_st* context, TlsTrust trust);
// Null: SetTrust was not called.
const TlsTrust* TrustOf(const ssl_ctx_st* context);

// The verify callback of a server. Only the peer's own certificate may be revoked. A peer whose
// chain needed certificates that it sent itself gets no ticket: a ticket keeps its own certificate
// alone, which could not be judged again.
int VerifyPeer(int ok, x509_store_ctx_st* check);

// The judgement of a handshake on a certificate that did not come with one.
bool IsTrustedNow(ssl_st* ssl, x509_st* certificate);

}  // namespace telltale::net
