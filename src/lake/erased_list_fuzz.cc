// Bytes as the list of erased vehicles: refused or read, never anything else.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/sim_disk.h"
#include "lake/erased.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  telltale::SimDisk disk;
  CHECK(disk.MakeFolders("/e").ok());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CHECK(telltale::WriteFileDurably(disk, "/e/list", text).ok());
  telltale::lake::Erased erased("/e/list");
  const auto read = erased.Refresh(disk);
  CHECK(!read.ok() || erased.lines() == size / 65);
  return 0;
}
