// Root keys that a PKCS#11 token made and never gives out: destroying one there is destroying it.
#pragma once

#include <memory>

#include "base/disk.h"
#include "base/random.h"
#include "vault/keys/provider.h"

namespace telltale::vault {

class Pkcs11Token;

class Pkcs11Provider final : public KeyProvider {
 public:
  struct Options {
    std::string module;        // path of the shared library
    std::string token;         // label of the token
    std::string pin_file;      // 0600, the user PIN
    std::string label_prefix;  // of this vault's keys, at most 31 characters: "telltale-vault-1"
  };
  //   kInvalid      a prefix that is empty or too long
  //   kUnavailable  the module or the token is not there, or refuses the PIN
  static Result<std::unique_ptr<Pkcs11Provider>> Open(Disk& disk, Random& random, Options options);
  ~Pkcs11Provider() override;

  Result<std::string> Create() override;  // the id is the key's label
  Result<std::string> Wrap(const std::string& id, const seal::SecretKey& plain,
                           std::string_view context) override;
  Status Unwrap(const std::string& id, std::string_view wrapped, std::string_view context,
                seal::SecretKey& plain) override;
  Status Destroy(const std::string& id) override;
  Result<std::vector<std::string>> List() override;
  std::string_view name() const override { return "pkcs11"; }
  std::string_view proof() const override { return "destroyed in the token"; }

 private:
  Pkcs11Provider(std::unique_ptr<Pkcs11Token> token, Random& random, Options options);
  bool IsId(std::string_view id) const;
  Result<std::vector<unsigned long>> HandlesOf(const std::string& id);
  Result<unsigned long> HandleOf(const std::string& id);
  Status Generate(std::string label, unsigned long& key);
  Status CheckGuarded(unsigned long key);

  const std::unique_ptr<Pkcs11Token> token_;
  Random& random_;
  const Options options_;
};

}  // namespace telltale::vault
