// Sealed wire bytes to named values, by the contract version the record was written under.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/disk.h"
#include "base/mutex.h"
#include "contract/contract.h"

namespace google::protobuf {
class DynamicMessageFactory;
class Message;
}  // namespace google::protobuf

namespace telltale::vault {

// Any thread.
class Decoder {
 public:
  using DigestOf = std::function<Result<std::string>(std::uint32_t contract_number)>;
  // Descriptors are read from <contracts_folder>/<digest>.desc when first needed and checked
  // against their digest.
  Decoder(Disk& disk, std::string contracts_folder, DigestOf digest_of);
  ~Decoder();

  // Sets row["fields"] and row["unknown"] (hex), or row["wire"] (hex) when the contract is not
  // there or the bytes are no message: the asker gets what was stored in any case.
  void Decode(std::uint32_t contract_number, std::string_view wire, nlohmann::json& row);

 private:
  struct Loaded;
  const Loaded* Load(std::uint32_t contract_number);

  Disk& disk_;
  const std::string folder_;
  const DigestOf digest_of_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<Loaded>> by_digest_ GUARDED_BY(mutex_);
};

}  // namespace telltale::vault
