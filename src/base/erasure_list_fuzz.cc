// Whatever bytes are the list: an answer, never a crash; and what can be read can be added to.
#include "base/check.h"
#include "base/erasure_list.h"
#include "base/sim_disk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale;
  SimDisk disk;
  CHECK(disk.MakeFolders("/l").ok());
  CHECK(WriteFileDurably(disk, "/l/list", AsText({data, size})).ok());
  ErasureList list(disk, "/l/list");
  if (!list.Refresh().ok()) return 0;
  VehicleRef ref;
  ref.bytes.fill(1);
  if (size == 0) return 0;  // no head: not a list that is added to
  if (!AppendErasure(disk, "/l/list", ref).ok()) return 0;
  ErasureList again(disk, "/l/list");
  CHECK(again.Refresh().ok());
  CHECK(again.Contains(ref));
  return 0;
}
