#include "vault/keys/file_provider.h"

#include <algorithm>

#include "vault/keys/aead.h"
#include "vault/keys/tree_folder.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kSuffix = ".key";
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kWrappedBytes = seal::kNonceBytes + seal::kKeyBytes + seal::kTagBytes;
constexpr std::uint64_t kFileBytesMax = 4096;

bool IsId(std::string_view id) {
  return id.size() == 2 * kIdBytes && id.find_first_not_of("0123456789abcdef") == id.npos;
}

Status Overwrite(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, disk.Open(path, OpenMode::kReadWrite));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  RETURN_IF_ERROR(file->WriteAt(0, AsBytes(std::string(std::min(size, kFileBytesMax), '\0'))));
  return file->Sync();
}

}  // namespace

bool IsAllZeros(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

Status OverwriteAndRemove(Disk& disk, const std::string& path) {
  if (!disk.Exists(path)) return disk.SyncFolder(ParentFolder(path));
  Status first = Overwrite(disk, path);
  Keep(first, disk.Remove(path));
  Keep(first, disk.SyncFolder(ParentFolder(path)));
  return first;
}

std::string FileProvider::PathOf(std::string_view id) const {
  return folder_ + "/" + std::string(id) + std::string(kSuffix);
}

Result<std::unique_ptr<FileProvider>> FileProvider::Open(Disk& disk, std::string folder,
                                                         Random& random) {
  RETURN_IF_ERROR(disk.MakeFolders(folder, 0700));
  std::unique_ptr<FileProvider> provider(new FileProvider(disk, std::move(folder), random));
  RETURN_IF_ERROR(provider->FinishOld());
  return provider;
}

Status FileProvider::FinishOld() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(folder_));
  for (const std::string& name : names) {
    const std::string path = folder_ + "/" + name;
    bool old = name.ends_with(".tmp");  // no root is under it
    if (!old && name.ends_with(kSuffix)) {
      ASSIGN_OR_RETURN(std::string text, ReadWholeFile(disk_, path, kFileBytesMax));
      old = IsAllZeros(text);
      seal::Wipe(text);
    }
    if (old) RETURN_IF_ERROR(OverwriteAndRemove(disk_, path));
  }
  return Ok();
}

Result<std::string> FileProvider::Create() {
  std::array<std::uint8_t, kIdBytes> raw{};
  random_.Fill(raw);
  const std::string id = HexEncode(raw);
  seal::SecretKey key;
  random_.Fill({key.data(), key.size()});
  RETURN_IF_ERROR(seal::StoreKey(disk_, PathOf(id), key.text(), true));
  return id;
}

Status FileProvider::Load(const std::string& id, seal::SecretKey& key) const {
  const Error gone{Code::kNotFound, "the root key is destroyed"};
  if (!IsId(id) || !disk_.Exists(PathOf(id))) return gone;
  Result<std::string> raw = seal::LoadKey(disk_, PathOf(id));
  if (!raw.ok()) {
    if (raw.error().code != Code::kInvalid) return raw.error();
    return Error{Code::kCorrupt, raw.error().message};
  }
  std::copy(raw->begin(), raw->end(), key.data());
  seal::Wipe(*raw);
  return Ok();
}

Result<std::string> FileProvider::Wrap(const std::string& id, const seal::SecretKey& plain,
                                       std::string_view context) {
  seal::SecretKey key;
  RETURN_IF_ERROR(Load(id, key));
  Sealing how{.key = KeyOf(key), .nonce = {}, .bound = context};
  random_.Fill(how.nonce);
  std::string out(AsText(how.nonce));
  RETURN_IF_ERROR(SealBytes(how, {plain.data(), plain.size()}, out));
  return out;
}

Status FileProvider::Unwrap(const std::string& id, std::string_view wrapped,
                            std::string_view context, seal::SecretKey& plain) {
  seal::SecretKey key;
  RETURN_IF_ERROR(Load(id, key));
  if (wrapped.size() != kWrappedBytes) return Error{Code::kCorrupt, "not a wrapped key"};
  Sealing how{.key = KeyOf(key), .nonce = {}, .bound = context};
  std::copy_n(AsBytes(wrapped).begin(), how.nonce.size(), how.nonce.begin());
  return OpenBytes(how, AsBytes(wrapped).subspan(how.nonce.size()), {plain.data(), plain.size()});
}

Status FileProvider::Destroy(const std::string& id) {
  if (!IsId(id)) return Error{Code::kInvalid, "not the id of a root key"};
  return OverwriteAndRemove(disk_, PathOf(id));
}

Result<std::vector<std::string>> FileProvider::List() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(folder_));
  std::vector<std::string> ids;
  for (std::string_view name : names) {
    if (!name.ends_with(kSuffix)) continue;
    name.remove_suffix(kSuffix.size());
    if (IsId(name)) ids.emplace_back(name);
  }
  return ids;
}

}  // namespace telltale::vault
