#include "net/certificates.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "base/free_with.h"
#include "net/tls_error.h"
#include "net/tls_identity.h"

namespace telltale::net {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kAuthoritySeconds = 3652 * kDay;
constexpr std::int64_t kServerSeconds = 730 * kDay;
constexpr std::int64_t kClientSeconds = 183 * kDay;
constexpr std::size_t kCommonNameCharactersMax = 64;  // X.520
// Clocks of cars and servers differ: a certificate is good from a little before it was made.
constexpr std::int64_t kBackdatedSeconds = kDay;
constexpr std::uint64_t kPemBytesMax = 64u << 10;
constexpr std::uint32_t kPublicMode = 0644;
constexpr std::uint32_t kPrivateMode = 0600;

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

Result<CertificateAndKey> ToPem(X509* certificate, EVP_PKEY* key) {
  const Bio certificate_out(BIO_new(BIO_s_mem()));
  const Bio key_out(BIO_new(BIO_s_mem()));
  if (!certificate_out || !key_out || PEM_write_bio_X509(certificate_out.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return CryptoRefused("write PEM");
  }
  return CertificateAndKey{TextOf(certificate_out.get()), TextOf(key_out.get())};
}

bool SetRandomSerial(X509* certificate) {
  const Number serial(BN_new());
  return serial && BN_rand(serial.get(), 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetCommonName(X509_NAME* name, const std::string& common_name) {
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool SetTimes(X509* certificate, std::int64_t not_before, std::int64_t not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), not_before) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), not_after) != nullptr;
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Seconds UTC of the certificate's end.
std::int64_t EndOf(const X509* certificate) {
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return 0;
  return timegm(&end);
}

}  // namespace

struct CertificateAuthority::Leaf {
  std::string common_name;
  std::string alternative_names;  // OpenSSL's words; empty = none
  std::string usage;              // extended key usage
  std::int64_t not_before = 0;    // seconds UTC
  std::int64_t not_after = 0;
};

Result<CertificateAuthority> CertificateAuthority::Create(const std::string& common_name,
                                                          Micros now) {
  const std::int64_t from = now.value / 1'000'000 - kBackdatedSeconds;
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  if (!key || !certificate) return CryptoRefused("make a key");
  X509* raw = certificate.get();
  const bool made = X509_set_version(raw, X509_VERSION_3) == 1 && SetRandomSerial(raw) &&
                    SetCommonName(X509_get_subject_name(raw), common_name) &&
                    X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1 &&
                    SetTimes(raw, from, from + kAuthoritySeconds) &&
                    X509_set_pubkey(raw, key.get()) == 1 &&
                    AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    AddExtension(raw, raw, NID_subject_key_identifier, "hash") &&
                    X509_sign(raw, key.get(), EVP_sha256()) > 0;
  if (!made) return CryptoRefused("make an authority's certificate");
  ASSIGN_OR_RETURN(const CertificateAndKey pem, ToPem(raw, key.get()));
  return FromPem(pem);
}

Result<CertificateAuthority> CertificateAuthority::FromPem(const CertificateAndKey& pem) {
  const Bio certificate_in(
      BIO_new_mem_buf(pem.certificate_pem.data(), static_cast<int>(pem.certificate_pem.size())));
  const Bio key_in(BIO_new_mem_buf(pem.key_pem.data(), static_cast<int>(pem.key_pem.size())));
  if (!certificate_in || !key_in) return CryptoRefused("read PEM");
  CertificateAuthority authority;
  authority.pem_ = pem;
  authority.certificate_.reset(PEM_read_bio_X509(certificate_in.get(), nullptr, nullptr, nullptr),
                               X509_free);
  // An empty pass phrase: never ask at a terminal.
  char nothing[] = "";
  authority.key_.reset(PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nothing),
                       EVP_PKEY_free);
  if (!authority.certificate_ || !authority.key_) {
    return Error{Code::kInvalid, "not a PEM certificate and key: " + TakeTlsError()};
  }
  if (X509_check_private_key(authority.certificate_.get(), authority.key_.get()) != 1) {
    TakeTlsError();
    return Error{Code::kInvalid, "the authority's key and certificate do not belong together"};
  }
  return authority;
}

Result<CertificateAuthority> CertificateAuthority::Load(Disk& disk, const std::string& folder) {
  CertificateAndKey pem;
  ASSIGN_OR_RETURN(pem.certificate_pem, ReadWholeFile(disk, folder + "/ca.crt", kPemBytesMax));
  ASSIGN_OR_RETURN(pem.key_pem, ReadWholeFile(disk, folder + "/ca.key", kPemBytesMax));
  Result<CertificateAuthority> authority = FromPem(pem);
  if (!authority.ok()) return Annotate(authority.error(), folder);
  return authority;
}

Status CertificateAuthority::Store(Disk& disk, const std::string& folder) const {
  RETURN_IF_ERROR(WriteFileDurably(disk, folder + "/ca.key", pem_.key_pem, kPrivateMode));
  return WriteFileDurably(disk, folder + "/ca.crt", pem_.certificate_pem, kPublicMode);
}

Result<CertificateAndKey> CertificateAuthority::IssueServer(Micros now) const {
  const std::int64_t now_s = now.value / 1'000'000;
  return Issue({.common_name = "telltale-server",
                .alternative_names = "DNS:localhost,IP:127.0.0.1,IP:::1",
                .usage = "serverAuth",
                .not_before = now_s - kBackdatedSeconds,
                .not_after = std::min(now_s + kServerSeconds, EndOf(certificate_.get()))});
}

Result<CertificateAndKey> CertificateAuthority::IssueVehicle(std::string_view vin, Micros now,
                                                             VinPlace place) const {
  // Checked before it goes into OpenSSL's little language, where a comma would add a name.
  if (!IsVin(vin)) return Error{Code::kInvalid, "a VIN is 17 of A-H J-N P R-Z 0-9"};
  const bool in_san = place == VinPlace::kUriSan;
  return Issue({.common_name = in_san ? "telltale-vehicle" : std::string(vin),
                .alternative_names = in_san ? "URI:urn:telltale:vin:" + std::string(vin) : "",
                .usage = "clientAuth",
                .not_before = now.value / 1'000'000 - kBackdatedSeconds,
                .not_after = EndOf(certificate_.get())});
}

Result<CertificateAndKey> CertificateAuthority::IssueClient(const std::string& common_name,
                                                            Micros now) const {
  if (common_name.empty() || common_name.size() > kCommonNameCharactersMax ||
      !std::all_of(common_name.begin(), common_name.end(),
                   [](char c) { return c >= ' ' && c <= '~'; })) {
    return Error{Code::kInvalid, "a common name is 1 to 64 printable ASCII characters"};
  }
  const std::int64_t now_s = now.value / 1'000'000;
  return Issue({.common_name = common_name,
                .alternative_names = "",
                .usage = "clientAuth",
                .not_before = now_s - kBackdatedSeconds,
                .not_after = std::min(now_s + kClientSeconds, EndOf(certificate_.get()))});
}

Result<CertificateAndKey> CertificateAuthority::Issue(const Leaf& leaf) const {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  if (!key || !certificate) return CryptoRefused("make a key");
  X509* raw = certificate.get();
  X509* issuer = certificate_.get();
  const bool made = X509_set_version(raw, X509_VERSION_3) == 1 && SetRandomSerial(raw) &&
                    SetCommonName(X509_get_subject_name(raw), leaf.common_name) &&
                    X509_set_issuer_name(raw, X509_get_subject_name(issuer)) == 1 &&
                    SetTimes(raw, leaf.not_before, leaf.not_after) &&
                    X509_set_pubkey(raw, key.get()) == 1 &&
                    AddExtension(raw, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                    AddExtension(raw, issuer, NID_key_usage, "critical,digitalSignature") &&
                    AddExtension(raw, issuer, NID_ext_key_usage, leaf.usage) &&
                    (leaf.alternative_names.empty() ||
                     AddExtension(raw, issuer, NID_subject_alt_name, leaf.alternative_names)) &&
                    AddExtension(raw, issuer, NID_authority_key_identifier, "keyid:always") &&
                    X509_sign(raw, key_.get(), EVP_sha256()) > 0;
  if (!made) return CryptoRefused("make a certificate");
  return ToPem(raw, key.get());
}

}  // namespace telltale::net
