// What subject rights ask of the vault (docs/formats/vault-socket.md), behind a seam.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace telltale::app {

class VaultDoor {
 public:
  virtual ~VaultDoor() = default;
  // One request. `message` gets each message before the last, which is returned.
  //   kUnavailable  no vault answers, or not in time
  //   as the vault says; kInvalid also: it does not know the request
  virtual Result<nlohmann::json> Ask(const nlohmann::json& request,
                                     const std::function<void(const nlohmann::json&)>& message) = 0;
};

class VaultSocket final : public VaultDoor {
 public:
  explicit VaultSocket(std::string path) : path_(std::move(path)) {}
  Result<nlohmann::json> Ask(const nlohmann::json& request,
                             const std::function<void(const nlohmann::json&)>& message) override;

 private:
  std::string path_;
};

}  // namespace telltale::app
