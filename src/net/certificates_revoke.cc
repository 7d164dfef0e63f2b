#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/file_lock.h"
#include "base/free_with.h"
#include "net/certificates.h"
#include "net/tls_error.h"
#include "net/tls_files.h"
#include "net/tls_pem.h"

namespace telltale::net {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::uint32_t kPublicMode = 0644;

using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Crl = std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>>;
using Entry = std::unique_ptr<X509_REVOKED, FreeWith<X509_REVOKED_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, FreeWith<ASN1_INTEGER_free>>;
using Time = std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;

Result<Certificate> OursFrom(const std::string& pem, X509* authority) {
  const PemBio in = OpenPem(pem);
  Certificate found(in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr);
  if (found == nullptr) return Error{Code::kInvalid, "not a PEM certificate: " + TakeTlsError()};
  if (X509_NAME_cmp(X509_get_issuer_name(found.get()), X509_get_subject_name(authority)) != 0 ||
      X509_verify(found.get(), X509_get0_pubkey(authority)) != 1) {
    TakeTlsError();
    return Error{Code::kInvalid,
                 "the certificate is of another authority, which alone can revoke it"};
  }
  return found;
}

// Null: there is none yet.
Result<Crl> FormerList(const std::string& pem, X509* authority) {
  if (pem.empty()) return Crl();
  const PemBio in = OpenPem(pem);
  Crl former(in ? PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr) : nullptr);
  if (former == nullptr || X509_CRL_verify(former.get(), X509_get0_pubkey(authority)) != 1) {
    TakeTlsError();
    return Error{Code::kCorrupt,
                 "the revocation list is not one of this authority; restore it from a backup"};
  }
  return former;
}

bool SetTime(X509_CRL* list, std::int64_t now_s) {
  const Time from(ASN1_TIME_set(nullptr, now_s));
  const Time to(ASN1_TIME_set(nullptr, now_s + kRevocationListDays * kDay));
  return from && to && X509_CRL_set1_lastUpdate(list, from.get()) == 1 &&
         X509_CRL_set1_nextUpdate(list, to.get()) == 1;
}

bool SetNumber(X509_CRL* list, const X509_CRL* former) {
  std::int64_t number = 0;
  if (former != nullptr) {
    const Integer last(
        static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(former, NID_crl_number, nullptr, nullptr)));
    if (last && ASN1_INTEGER_get_int64(&number, last.get()) != 1) return false;
  }
  const Integer next(ASN1_INTEGER_new());
  return next && ASN1_INTEGER_set_int64(next.get(), number + 1) == 1 &&
         X509_CRL_add1_ext_i2d(list, NID_crl_number, next.get(), 0, 0) == 1;
}

bool SetAuthority(X509_CRL* list, X509* authority) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, authority, nullptr, nullptr, list, 0);
  const Extension extension(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  return extension && X509_CRL_add_ext(list, extension.get(), -1) == 1;
}

bool AddEntry(X509_CRL* list, Entry entry) {
  if (!entry || X509_CRL_add0_revoked(list, entry.get()) != 1) return false;
  static_cast<void>(entry.release());  // the list has it
  return true;
}

// What was on the former list, and `certificate` once.
bool AddEntries(X509_CRL* list, X509_CRL* former, const X509* certificate, std::int64_t now_s) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  bool is_listed = false;
  STACK_OF(X509_REVOKED)* entries = former != nullptr ? X509_CRL_get_REVOKED(former) : nullptr;
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    is_listed |= ASN1_INTEGER_cmp(X509_REVOKED_get0_serialNumber(entry), serial) == 0;
    if (!AddEntry(list, Entry(X509_REVOKED_dup(entry)))) return false;
  }
  if (is_listed) return true;
  Entry entry(X509_REVOKED_new());
  const Time at(ASN1_TIME_set(nullptr, now_s));
  const Integer copy(ASN1_INTEGER_dup(serial));
  if (!entry || !at || !copy || X509_REVOKED_set_serialNumber(entry.get(), copy.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), at.get()) != 1) {
    return false;
  }
  return AddEntry(list, std::move(entry));
}

Result<std::string> ToPem(X509_CRL* list) {
  const PemBio out(BIO_new(BIO_s_mem()));
  if (!out || PEM_write_bio_X509_CRL(out.get(), list) != 1) return CryptoRefused("write PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

Result<std::string> CertificateAuthority::Revoke(const std::string& list_pem,
                                                 const std::string& certificate_pem,
                                                 Micros now) const {
  X509* authority = certificate_.get();
  ASSIGN_OR_RETURN(const Certificate certificate, OursFrom(certificate_pem, authority));
  ASSIGN_OR_RETURN(const Crl former, FormerList(list_pem, authority));
  const std::int64_t now_s = now.value / 1'000'000;
  const Crl list(X509_CRL_new());
  const bool made = list && X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1 &&
                    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(authority)) == 1 &&
                    SetTime(list.get(), now_s) && SetNumber(list.get(), former.get()) &&
                    SetAuthority(list.get(), authority) &&
                    AddEntries(list.get(), former.get(), certificate.get(), now_s) &&
                    X509_CRL_sort(list.get()) == 1 &&
                    X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) > 0;
  if (!made) return CryptoRefused("make a revocation list");
  return ToPem(list.get());
}

Status CertificateAuthority::RevokeIn(Disk& disk, const std::string& folder,
                                      const std::string& certificate_pem, Micros now) const {
  const std::string path = folder + "/" + std::string(kVehiclesListName);
  // Read, change, write: of two at once one's entry would get lost.
  ASSIGN_OR_RETURN(const auto lock, LockFile(disk, path + ".lock"));
  Result<std::string> former = ReadWholeFile(disk, path, kRevocationListBytesMax);
  if (!former.ok() && former.error().code != Code::kNotFound) return former.error();
  const Result<std::string> list = Revoke(former.ok() ? *former : "", certificate_pem, now);
  if (!list.ok()) {
    return list.error().code == Code::kCorrupt ? Annotate(list.error(), path) : list.error();
  }
  return WriteFileDurably(disk, path, *list, kPublicMode);
}

}  // namespace telltale::net
