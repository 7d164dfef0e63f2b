#include "net/http_peer.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>

#include "base/ids.h"
#include "net/tls_error.h"

namespace telltale::net {

Result<HttpPeer> HttpPeerOf(X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
    return Error{Code::kRefused, "the client's certificate has not one common name"};
  }
  unsigned char* utf8 = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  HttpPeer peer;
  if (size > 0) peer.common_name.assign(reinterpret_cast<char*>(utf8), std::size_t(size));
  OPENSSL_free(utf8);
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (peer.common_name.empty() || peer.common_name.size() > kHttpCommonNameBytesMax ||
      std::any_of(peer.common_name.begin(), peer.common_name.end(), is_control)) {
    TakeTlsError();
    return Error{Code::kRefused, "the common name of the client's certificate cannot be used"};
  }
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &digest_size) != 1) {
    return CryptoRefused("make a certificate's fingerprint");
  }
  peer.certificate_sha256 = HexEncode(digest, digest_size);
  return peer;
}

bool HasEnded(const X509* certificate, Micros now) {
  std::time_t now_s = now.value / 1'000'000;
  return X509_cmp_time(X509_get0_notAfter(certificate), &now_s) <= 0;
}

}  // namespace telltale::net
