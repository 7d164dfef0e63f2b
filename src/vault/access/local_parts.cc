#include "vault/access/local_parts.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

namespace telltale::vault {

Result<std::string> RefTags::Tag(const VehicleRef& vehicle, std::string_view salt) {
  std::array<std::uint8_t, 32> tag{};
  unsigned int size = 0;
  const auto* done =
      HMAC(EVP_sha256(), vehicle.bytes.data(), static_cast<int>(vehicle.bytes.size()),
           reinterpret_cast<const std::uint8_t*>(salt.data()), salt.size(), tag.data(), &size);
  if (done == nullptr) return Error{Code::kUnavailable, "the crypto library refused to hash"};
  return HexEncode(tag);
}

Status MemoryExportKeys::EnsureHour(Hour dies_at) {
  MutexLock lock(mutex_);
  std::unique_ptr<seal::SecretKey>& key = keys_[dies_at];
  if (key != nullptr) return Ok();
  key = std::make_unique<seal::SecretKey>();
  random_.Fill({key->data(), key->size()});
  return Ok();
}

Status MemoryExportKeys::CopyHour(Hour dies_at, seal::SecretKey& key) {
  MutexLock lock(mutex_);
  const auto found = keys_.find(dies_at);
  if (found == keys_.end()) return Error{Code::kNotFound, "the key of this hour is gone"};
  std::copy_n(found->second->data(), key.size(), key.data());
  return Ok();
}

void MemoryExportKeys::Destroy(Hour dies_at) {
  MutexLock lock(mutex_);
  keys_.erase(dies_at);
}

Status NoActions::Check(const Request& /*request*/) {
  return Error{Code::kUnsupported, "this vault has no holds and no clock to confirm"};
}

Status NoActions::Run(const BookedRequest& /*request*/, nlohmann::json& /*answer*/) {
  return Error{Code::kUnsupported, "this vault has no holds and no clock to confirm"};
}

}  // namespace telltale::vault
