#include "base/disk.h"

#include <algorithm>

namespace telltale {

std::string ParentFolder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> ReadWholeFile(Disk& disk, const std::string& path, std::uint64_t bytes_max) {
  ASSIGN_OR_RETURN(const auto file, disk.Open(path, OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (size > bytes_max) return Error{Code::kTooBig, path + " is larger than allowed"};
  std::string content(size, '\0');
  ASSIGN_OR_RETURN(const std::size_t got,
                   file->ReadAt(0, {reinterpret_cast<std::uint8_t*>(content.data()), size}));
  content.resize(got);
  return content;
}

Status WriteFileDurably(Disk& disk, const std::string& path, std::string_view content,
                        std::uint32_t permissions) {
  const std::string temporary = path + ".tmp";
  if (disk.Exists(temporary)) RETURN_IF_ERROR(disk.Remove(temporary));
  {
    ASSIGN_OR_RETURN(const auto file, disk.Open(temporary, OpenMode::kCreate, permissions));
    RETURN_IF_ERROR(file->WriteAt(0, AsBytes(content)));
    RETURN_IF_ERROR(file->Sync());
  }
  RETURN_IF_ERROR(disk.Rename(temporary, path));
  return disk.SyncFolder(ParentFolder(path));
}

}  // namespace telltale
