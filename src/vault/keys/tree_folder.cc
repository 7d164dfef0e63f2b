#include "vault/keys/tree_folder.h"

#include "vault/keys/page.h"

namespace telltale::vault {
namespace {

constexpr std::uint32_t kMode = 0600;

}  // namespace

Status TreeFolder::Put(const std::string& name, std::string_view bytes) {
  const std::string temporary = PathOf(name + ".tmp");
  if (disk_.Exists(temporary)) RETURN_IF_ERROR(disk_.Remove(temporary));
  {
    ASSIGN_OR_RETURN(const auto file, disk_.Open(temporary, OpenMode::kCreate, kMode));
    RETURN_IF_ERROR(file->WriteAt(0, AsBytes(bytes)));
    RETURN_IF_ERROR(file->Sync());
  }
  return disk_.Rename(temporary, PathOf(name));
}

Status TreeFolder::PutRoot(std::string_view bytes) {
  return WriteFileDurably(disk_, PathOf(kRootName), bytes, kMode);
}

Status TreeFolder::Remove(std::string_view name) {
  if (!Has(name)) return Ok();
  RETURN_IF_ERROR(disk_.Remove(PathOf(name)));
  return Sync();
}

Status TreeFolder::RemoveOthers(const std::set<std::string>& kept) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(path_));
  Status first;
  bool removed = false;
  for (const std::string& name : names) {
    const bool unfinished = name == std::string(kRootName) + ".tmp";
    if (!unfinished && (!IsPageFileName(name) || kept.contains(name))) continue;
    Keep(first, disk_.Remove(PathOf(name)));
    removed = true;
  }
  if (removed) Keep(first, Sync());
  return first;
}

Status TreeFolder::KeepReserve(std::uint64_t bytes) {
  const std::string path = PathOf(kReserveName);
  ASSIGN_OR_RETURN(const auto file, disk_.Open(path, OpenMode::kCreateOrOpen, kMode));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (size >= bytes) return Ok();
  return file->Preallocate(bytes);
}

bool TreeFolder::GiveUpReserve() { return Has(kReserveName) && Remove(kReserveName).ok(); }

}  // namespace telltale::vault
