// A certificate authority of our own: for `telltale init`, for the simulator's cars and for tests.
// Fleets bring their own; the door only needs the authority's certificate.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/disk.h"
#include "base/ids.h"
#include "base/result.h"

struct evp_pkey_st;
struct x509_st;

namespace telltale::net {

struct CertificateAndKey {
  std::string certificate_pem;
  std::string key_pem;  // PKCS #8, not encrypted: files of it are mode 0600
};

// A revocation list is good for this long; then servers warn (net/tls_revocation.h).
inline constexpr std::int64_t kRevocationListDays = 30;
// In an authority's folder: what Revoke() keeps.
inline constexpr std::string_view kVehiclesListName = "vehicles.crl";

// How a vehicle's certificate names its VIN.
enum class VinPlace {
  kUriSan,      // urn:telltale:vin:<VIN>; the common name is "telltale-vehicle"
  kCommonName,  // for fleets whose certificates have no URI
};

// P-256 keys, SHA-256 signatures. Immutable: any thread may issue. Errors of every call, beside
// those named: kUnavailable when the crypto library refuses.
class CertificateAuthority {
 public:
  // A new authority, valid from a day before `now` for ten years.
  static Result<CertificateAuthority> Create(const std::string& common_name, Micros now);
  //   kInvalid  not PEM, or key and certificate do not belong together
  static Result<CertificateAuthority> FromPem(const CertificateAndKey& pem);
  // <folder>/ca.crt and ca.key.
  static Result<CertificateAuthority> Load(Disk& disk, const std::string& folder);
  Status Store(Disk& disk, const std::string& folder) const;

  // For a server on this machine: SAN localhost, 127.0.0.1 and ::1; two years.
  Result<CertificateAndKey> IssueServer(Micros now) const;
  // For a vehicle: as long as the authority itself.
  //   kInvalid  not a VIN (net/tls_identity.h)
  Result<CertificateAndKey> IssueVehicle(std::string_view vin, Micros now,
                                         VinPlace place = VinPlace::kUriSan) const;
  // For a person or a program that asks over HTTP: half a year.
  //   kInvalid  `common_name` is not 1 to 64 printable ASCII characters
  Result<CertificateAndKey> IssueClient(const std::string& common_name, Micros now) const;

  // `list_pem` (empty = none yet) with `certificate_pem` on it, as a new list: dated `now`, its
  // number one higher. A certificate that is on it already gives a fresh list all the same.
  //   kInvalid  not PEM, a certificate of another authority
  //   kCorrupt  `list_pem` is no list of this authority; nothing of it may get lost, so restore it
  Result<std::string> Revoke(const std::string& list_pem, const std::string& certificate_pem,
                             Micros now) const;
  // The same in <folder>/vehicles.crl: the old list or the new one, never a mix.
  //   kUnavailable  also: another process is just doing it
  Status RevokeIn(Disk& disk, const std::string& folder, const std::string& certificate_pem,
                  Micros now) const;

  const std::string& certificate_pem() const { return pem_.certificate_pem; }

 private:
  CertificateAuthority() = default;
  struct Leaf;
  Result<CertificateAndKey> Issue(const Leaf& leaf) const;

  CertificateAndKey pem_;
  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<x509_st> certificate_;
};

}  // namespace telltale::net
