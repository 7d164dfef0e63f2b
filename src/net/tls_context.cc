#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/disk.h"
#include "base/free_with.h"
#include "net/tls_connection.h"
#include "net/tls_error.h"
#include "net/tls_pem.h"
#include "net/tls_trust.h"

namespace telltale::net {
namespace {

using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;

Error BadFile(const std::string& path, const char* what) {
  return Error{Code::kInvalid, path + " " + what + " (" + TakeTlsError() +
                                   "); `telltale init` makes a folder with good ones"};
}

Status LoadChain(SSL_CTX* context, const std::string& pem, const std::string& path) {
  const PemBio in = OpenPem(pem);
  const Certificate own(in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr);
  if (own == nullptr || SSL_CTX_use_certificate(context, own.get()) != 1) {
    return BadFile(path, "is not a PEM certificate");
  }
  while (Certificate next{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)}) {
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) {
      return BadFile(path, "has a certificate in its chain that cannot be used");
    }
    static_cast<void>(next.release());  // the context has it
  }
  return AtEndOfPem() ? Ok() : BadFile(path, "is not a PEM certificate");
}

Status LoadOwn(SSL_CTX* context, const TlsPem& pem, const TlsFiles& files) {
  RETURN_IF_ERROR(LoadChain(context, pem.certificate, files.certificate));
  const PemBio in = OpenPem(pem.key);
  // An empty pass phrase: never ask at a terminal.
  char nothing[] = "";
  const std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>> key(
      in ? PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nothing) : nullptr);
  if (key == nullptr) return BadFile(files.key, "is not a PEM key");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return BadFile(files.key, "does not belong to the certificate");
  }
  return Ok();
}

// All certificates of the bundle.
Status LoadCa(SSL_CTX* context, const std::string& pem, const std::string& path, bool is_server) {
  const PemBio in = OpenPem(pem);
  if (in == nullptr) return BadFile(path, "cannot be read");
  int count = 0;
  while (const Certificate ca{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)}) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca.get()) != 1 ||
        (is_server && SSL_CTX_add_client_CA(context, ca.get()) != 1)) {
      return BadFile(path, "has a certificate that cannot be used");
    }
    ++count;
  }
  if (!AtEndOfPem() || count == 0) return BadFile(path, "is not a PEM certificate");
  return Ok();
}

// After LoadCa: lists are of its authorities.
Status LoadTrust(SSL_CTX* context, const std::string& pem, const std::string& path,
                 const TlsServerOptions& options) {
  auto revoked = RevokedSet::FromPem(pem, SSL_CTX_get_cert_store(context));
  if (!revoked.ok()) return Annotate(revoked.error(), path);
  if (!SetTrust(context, {std::move(revoked).value()})) {
    return Error{Code::kUnavailable, "no TLS context: " + TakeTlsError()};
  }
  return options.tickets != nullptr ? options.tickets->Use(context) : Ok();
}

Status SetRules(SSL_CTX* context) {
  bool ok = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
  ok = ok && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1;
  ok = ok && SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
  if (!ok) return Error{Code::kUnavailable, "the TLS library lacks TLS 1.2/1.3: " + TakeTlsError()};
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  // TicketKeys::Use() is the one way to resume a session: it judges the identity again.
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
  SSL_CTX_set_verify(context.get(), verify, is_server ? VerifyPeer : nullptr);
  return context;
}

}  // namespace

Result<TlsContext> TlsContext::ForServer(const TlsFiles& files, const TlsServerOptions& options) {
  ASSIGN_OR_RETURN(const TlsPem pem, ReadTlsPem(files));
  return ForServer(pem, files, options);
}

Result<TlsContext> TlsContext::ForServer(const TlsPem& pem, const TlsFiles& files,
                                         const TlsServerOptions& options) {
  ASSIGN_OR_RETURN(auto context, Make(true));
  if (options.only_tls_1_3) SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  if (options.certificate_optional) SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, VerifyPeer);
  RETURN_IF_ERROR(LoadOwn(context.get(), pem, files));
  RETURN_IF_ERROR(LoadCa(context.get(), pem.ca, files.ca, true));
  RETURN_IF_ERROR(LoadTrust(context.get(), pem.revocation_list, files.revocation_list, options));
  return TlsContext(std::move(context), true, options.clock);
}

Result<TlsContext> TlsContext::ForClient(const TlsFiles& files) {
  ASSIGN_OR_RETURN(const TlsPem pem,
                   ReadTlsPem({files.ca, files.certificate, files.key, /*revocation_list=*/""}));
  return ForClient(pem, files);
}

Result<TlsContext> TlsContext::ForClient(const TlsPem& pem, const TlsFiles& files) {
  ASSIGN_OR_RETURN(auto context, Make(false));
  RETURN_IF_ERROR(LoadOwn(context.get(), pem, files));
  RETURN_IF_ERROR(LoadCa(context.get(), pem.ca, files.ca, false));
  SSL_CTX_clear_options(context.get(), SSL_OP_NO_TICKET);
  return TlsContext(std::move(context), false, nullptr);
}

Result<TlsContext> TlsContext::ForClientWithoutCertificate(const std::string& ca) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const std::string pem, ReadWholeFile(disk, ca, kTlsFileBytesMax));
  ASSIGN_OR_RETURN(auto context, Make(false));
  RETURN_IF_ERROR(LoadCa(context.get(), pem, ca, false));
  return TlsContext(std::move(context), false, nullptr);
}

bool TlsContext::IsRevoked(const TlsConnection& connection) const {
  return IsRevoked(SSL_get0_peer_certificate(connection.ssl()));
}

bool TlsContext::IsRevoked(const X509* peer) const {
  const TlsTrust* trust = TrustOf(context_.get());
  return trust != nullptr && peer != nullptr && trust->revoked.Contains(peer);
}

bool TlsContext::KeepsListsOf(const TlsContext& former) const {
  const TlsTrust* before = TrustOf(former.context_.get());
  const TlsTrust* trust = TrustOf(context_.get());
  if (before == nullptr) return true;
  return trust != nullptr &&
         trust->revoked.Replaces(before->revoked, SSL_CTX_get_cert_store(context_.get()));
}

bool TlsContext::has_stale_list(Micros now) const {
  const TlsTrust* trust = TrustOf(context_.get());
  return trust != nullptr && trust->revoked.IsStale(now);
}

}  // namespace telltale::net
