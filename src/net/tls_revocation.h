// Which certificates the authorities have taken back: their revocation lists (CRLs).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

struct x509_st;
struct x509_store_st;

namespace telltale::net {

// Immutable once read: any thread. What any list of a certificate's issuer names is revoked; an
// issuer without a list has revoked nothing.
class RevokedSet {
 public:
  RevokedSet() = default;  // nothing is revoked

  // PEM with one or more lists; empty text = none. Each must be signed by one of `authorities`.
  //   kInvalid  not PEM or holds no list; a list of no authority of ours, or with a signature that
  //             is not its; a list with a critical extension (delta, indirect or partial lists)
  static Result<RevokedSet> FromPem(const std::string& pem, const x509_store_st* authorities);

  bool Contains(const x509_st* certificate) const;
  std::size_t size() const;

  // True when each of `authorities` that has a list in `former` has one here too: otherwise what
  // it took back would be let in again.
  bool Replaces(const RevokedSet& former, const x509_store_st* authorities) const;

  // A list is past its nextUpdate. It still counts for what it names: to shut out a whole fleet
  // because a list came late would be worse than to miss the newest revocations. Warn instead.
  bool IsStale(Micros now) const;

 private:
  struct List {
    std::shared_ptr<x509_st> authority;  // that signed it
    std::unordered_set<std::string> serials;
    std::int64_t next_update_s;  // UTC; INT64_MAX: the list names none
  };
  bool HasListOf(const x509_st* authority) const;
  std::vector<List> lists_;
};

}  // namespace telltale::net
