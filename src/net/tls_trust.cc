#include "net/tls_trust.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/free_with.h"

namespace telltale::net {
namespace {

void FreeTrust(void*, void* trust, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<TlsTrust*>(trust);
}

int TrustIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeTrust);
  return index;
}

}  // namespace

bool SetTrust(SSL_CTX* context, TlsTrust trust) {
  auto owned = std::make_unique<TlsTrust>(std::move(trust));
  if (SSL_CTX_set_ex_data(context, TrustIndex(), owned.get()) != 1) return false;
  static_cast<void>(owned.release());  // FreeTrust has it
  return true;
}

const TlsTrust* TrustOf(const SSL_CTX* context) {
  return static_cast<const TlsTrust*>(SSL_CTX_get_ex_data(context, TrustIndex()));
}

int VerifyPeer(int ok, X509_STORE_CTX* check) {
  if (ok != 1 || X509_STORE_CTX_get_error_depth(check) != 0) return ok;
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
  if (TrustOf(SSL_get_SSL_CTX(ssl))->revoked.Contains(X509_STORE_CTX_get_current_cert(check))) {
    X509_STORE_CTX_set_error(check, X509_V_ERR_CERT_REVOKED);
    return 0;
  }
  if (X509_STORE_CTX_get_num_untrusted(check) > 1) SSL_set_num_tickets(ssl, 0);
  return 1;
}

bool IsTrustedNow(SSL* ssl, X509* certificate) {
  SSL_CTX* context = SSL_get_SSL_CTX(ssl);
  if (TrustOf(context)->revoked.Contains(certificate)) return false;
  ERR_set_mark();
  const std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  bool ok = check && X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context), certificate,
                                         nullptr) == 1;
  // As the TLS library does it in a handshake, in this order.
  if (ok) {
    X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(check.get());
    X509_VERIFY_PARAM_set_auth_level(rules, SSL_get_security_level(ssl));
    ok = X509_STORE_CTX_set_default(check.get(), "ssl_client") == 1 &&
         X509_VERIFY_PARAM_set1(rules, SSL_get0_param(ssl)) == 1;
  }
  ok = ok && X509_verify_cert(check.get()) == 1;
  ERR_pop_to_mark();
  return ok;
}

}  // namespace telltale::net
