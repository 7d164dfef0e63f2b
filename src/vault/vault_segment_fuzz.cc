// Segments, frames, state and audit lines from hostile bytes: an answer, never a crash; what is
// accepted writes back as what it was read from. Checksums are set right first, or nothing would
// get past them.
#include "base/checksum.h"
#include "base/sim_disk.h"
#include "vault/segment.h"
#include "vault/segment_index.h"
#include "vault/state.h"

using namespace telltale;

namespace {

void PutCrc(std::string& bytes, std::size_t at, std::size_t from, std::size_t to) {
  const std::uint32_t crc = Crc32c(AsBytes(bytes).subspan(from, to - from));
  std::memcpy(bytes.data() + at, &crc, sizeof crc);
}

void ReadSegmentHead(std::string bytes) {
  (void)vault::SegmentHead::Parse(AsBytes(bytes));
  if (bytes.size() < vault::kSegmentHeadBytes) return;
  PutCrc(bytes, 76, 0, 76);
  const auto head = vault::SegmentHead::Parse(AsBytes(bytes));
  if (head.ok()) CHECK(vault::SegmentHead::Parse(AsBytes(head->Encode()))->salt == head->salt);
}

void ReadFrameHead(std::string bytes) {
  (void)vault::FrameHead::Parse(AsBytes(bytes));
  if (bytes.size() < vault::kFrameHeadBytes) return;
  PutCrc(bytes, 0, 4, vault::kFrameHeadBytes);
  const auto head = vault::FrameHead::Parse(AsBytes(bytes));
  if (head.ok()) CHECK(vault::FrameHead::Parse(AsBytes(head->Encode())).ok());
  const vault::ParentKeys parents;
  auto cipher = vault::FrameCipher::Make({});
  CHECK(cipher.ok());
  CHECK(!cipher->Open(parents, AsBytes(bytes)).ok());
}

void ReadState(std::string bytes) {
  (void)vault::StateOfFormat1::Parse(AsBytes(bytes));
  if (bytes.size() < 12) return;
  PutCrc(bytes, bytes.size() - 4, 0, bytes.size() - 4);
  (void)vault::StateOfFormat1::Parse(AsBytes(bytes));
}

// Blocks of an index, as a file would have them.
void ReadIndexBlock(std::string bytes) {
  bytes.resize(vault::kIndexBlockBytes);
  bytes.replace(0, 4, "TVSX");
  PutCrc(bytes, 4, 8, bytes.size());
  SimDisk disk;
  CHECK(disk.MakeFolders("/vault").ok());
  CHECK(WriteFileDurably(disk, "/vault/index", bytes).ok());
  const auto file = *disk.Open("/vault/index", OpenMode::kRead);
  const auto all = vault::ReadIndex(*file, 0, bytes.size());
  if (!all.ok()) return;
  for (const vault::FrameSpan& span : *all) {
    CHECK(vault::FindInIndex(*file, 0, bytes.size(), span.vehicle).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteSpan bytes(data + 1, size - 1);
  const std::string text(AsText(bytes));
  switch (data[0] % 6) {
    case 0:
      ReadSegmentHead(text);
      break;
    case 1:
      ReadFrameHead(text);
      break;
    case 2: {
      vault::Frame frame;
      if (frame.ParsePlain(bytes).ok()) CHECK(frame.EncodePlain() == text);
      break;
    }
    case 3:
      ReadState(text);
      break;
    case 4: {
      vault::AuditChain chain;
      CHECK(chain.Add(text) == chain.problem().empty());
      break;
    }
    case 5:
      ReadIndexBlock(text);
      break;
  }
  return 0;
}
