// Any bytes as the small files of a log: position, ledger, durable.map. First byte: which.
#include "base/sim_disk.h"
#include "log/durable_map.h"
#include "log/ledger.h"

namespace telltale::log {
namespace {

const LogShape kShape{{"a", "b"}, 4, 2};

void Run(ByteSpan input) {
  if (input.empty()) return;
  const ByteSpan rest = input.subspan(1);
  SimDisk disk;
  CHECK(disk.MakeFolders("/log").ok());
  if (input[0] % 3 == 0) {
    const auto position = Position::Decode(rest);
    if (position.ok()) CHECK(Position::Decode(AsBytes(position->Encode())).ok());
  } else if (input[0] % 3 == 1) {
    CHECK(WriteFileDurably(disk, "/log/ledger", AsText(rest)).ok());
    const auto ledger = LedgerFile::Open(disk, "/log", kShape);
    if (!ledger.ok()) return;
    // What was cut stays cut: opening again gives the same.
    const auto again = LedgerFile::Open(disk, "/log", kShape);
    CHECK(again.ok() && (*again)->entries().size() == (*ledger)->entries().size());
  } else {
    CHECK(WriteFileDurably(disk, "/log/durable.map", AsText(rest)).ok());
    const auto map = DurableMap::Open(disk, "/log", OpenMode::kRead);
    if (!map.ok()) return;
    for (std::uint16_t s = 0; s < map->shape().shards; ++s) (void)map->Read(ShardId{s});
  }
}

}  // namespace
}  // namespace telltale::log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  telltale::log::Run({data, size});
  return 0;
}
