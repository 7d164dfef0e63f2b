// Whatever lies in the file, reading it answers, and only what was sealed comes out: the input is
// tried as a whole file, and as a change to one that opens.
#include "base/check.h"
#include "base/sim_disk.h"
#include "vault/access/local_parts.h"

namespace {

using namespace telltale;
using namespace telltale::vault;

constexpr const char* kFolder = "/exports";
constexpr const char* kRow = "{\"seq\":1}\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  SimDisk disk;
  SeededRandom random(1);
  MemoryExportKeys keys(random);
  const ExportName name{std::string(32, 'a'), std::string(kExportSecretBytes, 's'), Hour{7}};
  auto writer = ExportWriter::Start(disk, keys, kFolder, name);
  CHECK(writer.ok() && (*writer)->Add(kRow).ok() && (*writer)->Finish().ok());
  const std::string path = ExportPath(kFolder, name.id);
  const std::string sealed = *ReadWholeFile(disk, path);
  const auto read = [&](const std::string& bytes) {
    CHECK(WriteFileDurably(disk, path, bytes).ok());
    std::string out;
    const Status status = ReadExport(disk, keys, kFolder, name, [&](std::string_view piece) {
      out += piece;
      return Ok();
    });
    CHECK(out.empty() || out == kRow);
    CHECK(!status.ok() || (bytes.starts_with(sealed) && out == kRow));
  };
  read(std::string(reinterpret_cast<const char*>(data), size));
  if (size < 2) return 0;
  std::string changed = sealed;
  changed.resize(std::max<std::size_t>(1, data[0] % (sealed.size() + 1)), '\0');
  for (std::size_t i = 1; i + 1 < size; i += 2) {
    changed[data[i] % changed.size()] = static_cast<char>(data[i + 1]);
  }
  read(changed);
  return 0;
}
