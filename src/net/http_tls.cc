#include "net/http_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/disk.h"
#include "net/tls_error.h"

namespace telltale::net {

Result<std::shared_ptr<SSL_CTX>> MakeHttpTls(const std::string& certificate,
                                             const std::string& key) {
  ERR_clear_error();
  PosixDisk disk;
  for (const std::string& path : {certificate, key}) {
    if (!disk.Exists(path)) return Error{Code::kNotFound, "no file " + path};
  }
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) return Error{Code::kUnavailable, "no TLS context: " + TakeTlsError()};
  if (SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
    return Error{Code::kUnavailable, "the TLS library lacks TLS 1.2/1.3: " + TakeTlsError()};
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
    return Error{Code::kInvalid, certificate + " is not a PEM certificate: " + TakeTlsError()};
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return Error{Code::kInvalid,
                 key + " is not the PEM key of " + certificate + ": " + TakeTlsError()};
  }
  return context;
}

}  // namespace telltale::net
