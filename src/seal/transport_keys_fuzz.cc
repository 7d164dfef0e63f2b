// Bundles and private key files from hostile bytes: an answer, never a crash, and what was read
// means the same when it is written again.
#include "seal/transport_keys.h"

using namespace telltale;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes(data, size);
  if (const auto bundle = seal::ParseBundle(bytes); bundle.ok()) {
    const auto again = seal::ParseBundle(AsBytes(seal::EncodeUnsigned(*bundle)));
    CHECK(again.ok() && *again == *bundle);
    for (const seal::TransportKey& key : bundle->keys) {
      CHECK(bundle->NewestAt(key.not_before) != nullptr);
      CHECK(bundle->CoveredUntil(key.not_before) >= key.not_after);
    }
    CHECK(!seal::OpenBundle(bytes, std::string(32, 'k')).ok());
  }
  seal::TransportPrivateKey key;
  if (seal::ParsePrivate(bytes, key).ok()) CHECK(size == seal::kTransportPrivateBytes);
  return 0;
}
