// Root keys in a key service that a program of the operator talks to (docs/formats/vault-keys.md,
// "Command").
#pragma once

#include "base/clock.h"
#include "vault/keys/command_process.h"
#include "vault/keys/provider.h"

namespace telltale::vault {

inline constexpr Micros kKeyCommandTimeout = Micros::Seconds(30);

class CommandProvider final : public KeyProvider {
 public:
  struct Options {
    std::string program;
    Micros timeout = kKeyCommandTimeout;
  };
  // `clock` must outlive this object.
  CommandProvider(Options options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  // Of all: kUnavailable  does not start, takes too long, refuses
  //         kCorrupt      answers what is no answer
  Result<std::string> Create() override;
  Result<std::string> Wrap(const std::string& id, const seal::SecretKey& plain,
                           std::string_view context) override;
  Status Unwrap(const std::string& id, std::string_view wrapped, std::string_view context,
                seal::SecretKey& plain) override;
  Status Destroy(const std::string& id) override;
  Result<std::vector<std::string>> List() override;
  std::string_view name() const override { return "command"; }
  std::string_view proof() const override {
    return "destroyed by the key service; its own record is the proof";
  }

 private:
  Result<std::string> Call(std::vector<std::string> arguments, std::string input) const;

  const Options options_;
  const Clock& clock_;
};

}  // namespace telltale::vault
