#include "net/tls_revocation.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <limits>
#include <optional>

#include "base/free_with.h"
#include "net/tls_error.h"
#include "net/tls_pem.h"

namespace telltale::net {
namespace {

using Crl = std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>>;

// As a set's key: a sign and the magnitude.
std::string SerialOf(const ASN1_INTEGER* serial) {
  std::string key(1, ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER ? '-' : '+');
  key.append(reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
             static_cast<std::size_t>(ASN1_STRING_length(serial)));
  return key;
}

// The first of `authorities` that `accepts`; null: none.
X509* FindAuthority(const X509_STORE* authorities, const std::function<bool(X509*)>& accepts) {
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(authorities);
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    X509* authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    if (authority != nullptr && accepts(authority)) return authority;
  }
  return nullptr;
}

X509* SignerOf(X509_CRL* crl, const X509_STORE* authorities) {
  X509* found = FindAuthority(authorities, [crl](X509* authority) {
    return X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(authority)) == 0 &&
           X509_CRL_verify(crl, X509_get0_pubkey(authority)) == 1;
  });
  ERR_clear_error();
  return found;
}

// Also when its certificate was renewed: name and key make an authority.
bool IsSameAuthority(const X509* one, const X509* other) {
  return X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(other)) == 0 &&
         EVP_PKEY_eq(X509_get0_pubkey(one), X509_get0_pubkey(other)) == 1;
}

std::int64_t NextUpdateOf(const X509_CRL* crl) {
  const ASN1_TIME* end = X509_CRL_get0_nextUpdate(crl);
  std::tm at{};
  if (end == nullptr || ASN1_TIME_to_tm(end, &at) != 1) {
    return std::numeric_limits<std::int64_t>::max();
  }
  return timegm(&at);
}

// Nothing where the list means more than it names: an entry's or its own critical extension.
std::optional<std::unordered_set<std::string>> SerialsOf(X509_CRL* crl) {
  if (X509_CRL_get_ext_by_critical(crl, 1, -1) >= 0) return std::nullopt;
  std::unordered_set<std::string> serials;
  STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(crl);
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    if (X509_REVOKED_get_ext_by_critical(entry, 1, -1) >= 0) return std::nullopt;
    serials.insert(SerialOf(X509_REVOKED_get0_serialNumber(entry)));
  }
  return serials;
}

}  // namespace

Result<RevokedSet> RevokedSet::FromPem(const std::string& pem, const X509_STORE* authorities) {
  RevokedSet set;
  if (pem.empty()) return set;
  const PemBio in = OpenPem(pem);
  if (in == nullptr) return Error{Code::kUnavailable, "no memory to read PEM: " + TakeTlsError()};
  while (const Crl crl{PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr)}) {
    X509* signer = SignerOf(crl.get(), authorities);
    if (signer == nullptr) {
      return Error{Code::kInvalid, "it holds a list that no authority of ours has signed"};
    }
    auto serials = SerialsOf(crl.get());
    if (!serials) {
      return Error{Code::kInvalid,
                   "it holds a list with a critical extension; only complete lists are read"};
    }
    X509_up_ref(signer);
    set.lists_.push_back(
        {std::shared_ptr<X509>(signer, X509_free), std::move(*serials), NextUpdateOf(crl.get())});
  }
  if (!AtEndOfPem()) return Error{Code::kInvalid, "it is no PEM: " + TakeTlsError()};
  if (set.lists_.empty()) return Error{Code::kInvalid, "it holds no revocation list"};
  return set;
}

bool RevokedSet::Contains(const X509* certificate) const {
  if (lists_.empty()) return false;
  const std::string serial = SerialOf(X509_get0_serialNumber(certificate));
  for (const List& list : lists_) {
    if (X509_NAME_cmp(X509_get_subject_name(list.authority.get()),
                      X509_get_issuer_name(certificate)) == 0 &&
        list.serials.contains(serial)) {
      return true;
    }
  }
  return false;
}

std::size_t RevokedSet::size() const {
  std::size_t size = 0;
  for (const List& list : lists_) size += list.serials.size();
  return size;
}

bool RevokedSet::HasListOf(const X509* authority) const {
  return std::any_of(lists_.begin(), lists_.end(), [&](const List& list) {
    return IsSameAuthority(list.authority.get(), authority);
  });
}

bool RevokedSet::Replaces(const RevokedSet& former, const X509_STORE* authorities) const {
  return std::all_of(former.lists_.begin(), former.lists_.end(), [&](const List& list) {
    const X509* lister = list.authority.get();
    if (HasListOf(lister)) return true;
    return FindAuthority(authorities, [lister](const X509* authority) {
             return IsSameAuthority(authority, lister);
           }) == nullptr;
  });
}

bool RevokedSet::IsStale(Micros now) const {
  for (const List& list : lists_) {
    if (list.next_update_s < now.value / 1'000'000) return true;
  }
  return false;
}

}  // namespace telltale::net
