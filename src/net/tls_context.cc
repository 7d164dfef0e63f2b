#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/disk.h"
#include "net/tls_error.h"

namespace telltale::net {
namespace {

Error BadFile(const std::string& path, const char* what) {
  return Error{Code::kInvalid, path + " " + what + " (" + TakeTlsError() +
                                   "); `telltale init` makes a folder with good ones"};
}

Status MustExist(const std::string& path) {
  PosixDisk disk;
  if (disk.Exists(path)) return Ok();
  return Error{Code::kNotFound, "no file " + path + "; `telltale init` makes it"};
}

Status LoadOwn(SSL_CTX* context, const TlsFiles& files) {
  RETURN_IF_ERROR(MustExist(files.certificate));
  RETURN_IF_ERROR(MustExist(files.key));
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return BadFile(files.certificate, "is not a PEM certificate");
  }
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return BadFile(files.key, "is not a PEM key of that certificate");
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return BadFile(files.key, "does not belong to the certificate");
  }
  return Ok();
}

Status LoadCa(SSL_CTX* context, const std::string& ca, bool is_server) {
  RETURN_IF_ERROR(MustExist(ca));
  if (SSL_CTX_load_verify_locations(context, ca.c_str(), nullptr) != 1) {
    return BadFile(ca, "is not a PEM certificate");
  }
  if (is_server) SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(ca.c_str()));
  return Ok();
}

Status SetRules(SSL_CTX* context) {
  bool ok = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
  ok = ok && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1;
  ok = ok && SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
  if (!ok) return Error{Code::kUnavailable, "the TLS library lacks TLS 1.2/1.3: " + TakeTlsError()};
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  // A resumed session would carry an identity that nobody checked again.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One read(2) for header and body of a record, and for several small records.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_verify_depth(context, 4);
  return Ok();
}

Result<std::shared_ptr<SSL_CTX>> Make(bool is_server) {
  ERR_clear_error();
  const SSL_METHOD* method = is_server ? TLS_server_method() : TLS_client_method();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), SSL_CTX_free);
  if (context == nullptr) return Error{Code::kUnavailable, "no TLS context: " + TakeTlsError()};
  RETURN_IF_ERROR(SetRules(context.get()));
  const int verify =
      is_server ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER;
  SSL_CTX_set_verify(context.get(), verify, nullptr);
  return context;
}

}  // namespace

Result<TlsContext> TlsContext::ForServer(const TlsFiles& files) {
  ASSIGN_OR_RETURN(auto context, Make(true));
  RETURN_IF_ERROR(LoadOwn(context.get(), files));
  RETURN_IF_ERROR(LoadCa(context.get(), files.ca, true));
  return TlsContext(std::move(context), true);
}

Result<TlsContext> TlsContext::ForClient(const TlsFiles& files) {
  ASSIGN_OR_RETURN(auto context, Make(false));
  RETURN_IF_ERROR(LoadOwn(context.get(), files));
  RETURN_IF_ERROR(LoadCa(context.get(), files.ca, false));
  return TlsContext(std::move(context), false);
}

Result<TlsContext> TlsContext::ForClientWithoutCertificate(const std::string& ca) {
  ASSIGN_OR_RETURN(auto context, Make(false));
  RETURN_IF_ERROR(LoadCa(context.get(), ca, false));
  return TlsContext(std::move(context), false);
}

}  // namespace telltale::net
