// Heads and entries from hostile bytes: an answer, never a crash, and nothing outside the input.
#include "seal/derive.h"
#include "seal/seal.h"

using namespace telltale;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes(data, size);
  if (const auto head = seal::ParseHead(bytes); head.ok()) {
    CHECK(seal::StoredHeadBytes(bytes) + seal::kTagBytes <= size);
    // What this build writes for the same head reads back as the same head.
    std::string again;
    seal::AppendHead(again, *head);
    again.append(seal::kTagBytes, '\0');
    const auto reread = seal::ParseHead(AsBytes(again));
    CHECK(reread.ok() && seal::SignedPart(*reread) == seal::SignedPart(*head));
  }
  if (const auto entries = seal::ParseEntries(bytes); entries.ok()) {
    std::string again;
    for (const seal::SealedEntry& entry : *entries) seal::AppendEntry(again, entry);
    CHECK(again == AsText(bytes));
  }
  return 0;
}
