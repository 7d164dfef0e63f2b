// Where root keys live: keys that wrap the key tree's root and are destroyed one by one. What a
// destruction proves depends on the provider (docs/formats/vault-keys.md, "Providers").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "seal/derive.h"

namespace telltale::vault {

// Owner thread. Ids are chosen by the provider: printable, at most 64 characters.
class KeyProvider {
 public:
  virtual ~KeyProvider() = default;

  // A fresh AES-256 key that exists nowhere else; durable on return.
  //   kUnavailable  the provider does not answer, or refused
  virtual Result<std::string> Create() = 0;
  // AEAD under the root key; `context` is authenticated. `plain` is 32 bytes.
  virtual Result<std::string> Wrap(const std::string& id, const seal::SecretKey& plain,
                                   std::string_view context) = 0;
  //   kNotFound  no such root key: destroyed, or never made
  //   kCorrupt   not what Wrap() gave
  virtual Status Unwrap(const std::string& id, std::string_view wrapped, std::string_view context,
                        seal::SecretKey& plain) = 0;
  // Gone when it returns ok. Safe to repeat: a key that is not there is destroyed.
  virtual Status Destroy(const std::string& id) = 0;
  // Every root key of this vault that the provider still has.
  virtual Result<std::vector<std::string>> List() = 0;

  virtual std::string_view name() const = 0;   // "file", "pkcs11", "command"
  virtual std::string_view proof() const = 0;  // what a receipt says: "not provable against a disk
                                               // image" | "destroyed in the token"
};

}  // namespace telltale::vault
