#include "vault/tree_parts.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace telltale::vault {
namespace {

constexpr std::string_view kTagInfo = "telltale vault audit tag v1";

}  // namespace

Result<std::string> TreeTags::Tag(const VehicleRef& vehicle, std::string_view salt) {
  seal::SecretKey parent;
  RETURN_IF_ERROR(keys_.CopyVehicle(vehicle, parent));
  seal::SecretKey key;
  RETURN_IF_ERROR(seal::HkdfSha256({parent.data(), parent.size()}, AsText(vehicle.bytes), kTagInfo,
                                   {key.data(), key.size()}));
  std::array<std::uint8_t, 32> tag{};
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const std::uint8_t*>(salt.data()), salt.size(), tag.data(),
           &length) == nullptr) {
    return Error{Code::kUnavailable, "the crypto library refused a tag"};
  }
  return HexEncode(tag);
}

Status TreeExportKeys::EnsureHour(Hour dies_at) {
  Status made;
  RETURN_IF_ERROR(tasks_.Run([&] {
    made = keys_.EnsureHour({RetentionClass::kExport, dies_at}, dies_at);
    if (made.ok()) made = keys_.Flush();
  }));
  return made;
}

Status TreeExportKeys::CopyHour(Hour dies_at, seal::SecretKey& key) {
  return keys_.CopyHour({RetentionClass::kExport, dies_at}, key);
}

}  // namespace telltale::vault
