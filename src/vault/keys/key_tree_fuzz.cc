// Root and page files from hostile bytes: an answer, never a crash; and a body that opened (the
// fuzzer seals it itself) is only read as far as it is.
#include <algorithm>

#include "vault/keys/root.h"

using namespace telltale;

namespace {

void ReadRoot(ByteSpan bytes) {
  const auto head = vault::RootHead::Parse(bytes);
  if (!head.ok()) return;
  const std::string written = head->Encode() + std::string(AsText(bytes.subspan(head->body_at)));
  const auto again = vault::RootHead::Parse(AsBytes(written));
  CHECK(again.ok() && again->wrapped == head->wrapped && again->generation == head->generation &&
        again->provider == head->provider && again->root_key_id == head->root_key_id);
  seal::SecretKey key;
  CHECK(!vault::OpenRoot(bytes, *head, vault::KeyOf(key)).ok());
}

// As if the bytes had been sealed under the right key.
void ReadRootBody(ByteSpan bytes) {
  vault::RootBody body(std::max<std::size_t>(bytes.size(), 8));
  std::copy(bytes.begin(), bytes.end(), body.bytes().begin());
  if (!body.Check().ok()) return;
  for (std::size_t i = 0; i < body.records(); ++i) CHECK(body.record(i).id.known());
}

void ReadPage(ByteSpan bytes) {
  const auto head = vault::PageHead::Parse(bytes);
  if (!head.ok()) return;
  vault::Page page(head->id);
  page.generation = head->generation;
  CHECK(!vault::OpenPage(bytes, page).ok());
  for (std::uint32_t at = 0; at < head->id.slots(); ++at) CHECK(!page.Has(at));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteSpan bytes(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      ReadRoot(bytes);
      break;
    case 1:
      ReadRootBody(bytes);
      break;
    case 2:
      ReadPage(bytes);
      break;
    case 3:
      (void)vault::IsPageFileName(AsText(bytes));
      break;
  }
  return 0;
}
