// Whatever the bytes, decoding answers with a Result; a body that is accepted has one encoding
// (apart from the reserved section, which readers pass over).
#include "base/check.h"
#include "safety/snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale::safety;
  const telltale::ByteSpan bytes{data, size};
  const auto whole = DecodeSnapshot(bytes, SnapshotHead{});
  static_cast<void>(whole.ok());
  auto snapshot = DecodeSnapshotBody(bytes);
  if (!snapshot.ok()) snapshot = DecodeSnapshotBody(bytes, 1);
  if (!snapshot.ok()) return 0;
  const std::string once = EncodeSnapshotBody(*snapshot);
  const auto again = DecodeSnapshotBody(telltale::AsBytes(once));
  CHECK(again.ok());
  CHECK(EncodeSnapshotBody(*again) == once);
  return 0;
}
