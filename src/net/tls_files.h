// The files of a TLS context, read whole before any of them is used: what is compared is what is
// loaded.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace telltale::net {

inline constexpr std::uint64_t kTlsFileBytesMax = 1u << 20;
inline constexpr std::uint64_t kRevocationListBytesMax = 64u << 20;

struct TlsFiles {
  // PEM: who may sign the other end's certificate; one authority or several (a bundle).
  std::string ca;
  std::string certificate;  // PEM: our chain
  std::string key;          // PEM
  // PEM: revocation lists of those authorities, for servers. Empty, or no such file: nothing is
  // revoked. Without a list of its own an authority has revoked nothing.
  std::string revocation_list = {};
};

struct TlsPem {
  TlsPem() = default;
  TlsPem(TlsPem&&) = default;
  TlsPem& operator=(TlsPem&&) = default;
  ~TlsPem();  // wipes the key

  std::string ca;
  std::string certificate;
  std::string key;
  std::string revocation_list;  // empty: there is no such file

  std::string Digest() const;      // 32 bytes; equal only when all are
  std::string ListDigest() const;  // 32 bytes, of the revocation list alone
};

//   kNotFound  a file is missing (the message names it); kTooBig over the limits above
//   kInvalid   the revocation list is there and empty: half-written, or cut off
Result<TlsPem> ReadTlsPem(const TlsFiles& files);

}  // namespace telltale::net
