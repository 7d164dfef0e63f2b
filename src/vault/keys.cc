#include "vault/keys.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kMagic = "TVHK";
constexpr const FormatVersion& kVersion = VersionOf(Format::kHourKey);
constexpr std::uint8_t kSchemeDirect = 1;
constexpr std::size_t kFileBytes = 64;
constexpr std::size_t kKeyAt = 24;
constexpr std::size_t kCrcAt = 60;
constexpr std::uint32_t kKeyMode = 0600;

std::string EncodeKeyFile(Hour hour, const std::uint8_t* key) {
  std::string out(kMagic);
  PutLe(out, static_cast<std::uint8_t>(kVersion.written));
  PutLe(out, static_cast<std::uint8_t>(kVersion.min_reader));
  PutLe(out, kSchemeDirect);
  PutLe<std::uint8_t>(out, 0);
  PutLe(out, static_cast<std::uint32_t>(hour.value));
  out.resize(kKeyAt);
  out.append(reinterpret_cast<const char*>(key), seal::kKeyBytes);
  out.resize(kCrcAt);
  PutLe(out, Crc32c(AsBytes(out)));
  return out;
}

// The place of the minimum reader is the same in every version (docs/formats/vault-keys.md).
Status CheckKeyReadable(const std::string& path, const std::string& file) {
  if (file.size() < 6 || !file.starts_with(kMagic)) return Ok();
  return CheckReadable(Format::kHourKey, path, static_cast<std::uint8_t>(file[4]),
                       static_cast<std::uint8_t>(file[5]));
}

bool IsKeyFile(Hour hour, const std::string& file) {
  return file.size() == kFileBytes && file.starts_with(kMagic) && file[6] == kSchemeDirect &&
         GetLe<std::uint32_t>(file.data() + 8) == static_cast<std::uint32_t>(hour.value) &&
         GetLe<std::uint32_t>(file.data() + kCrcAt) == Crc32c(AsBytes(file).first(kCrcAt));
}

Result<Hour> HourOfName(std::string_view name) {
  constexpr std::string_view kSuffix = ".key";
  if (!name.ends_with(kSuffix)) return Error{Code::kInvalid, "not a key file's name"};
  name.remove_suffix(kSuffix.size());
  std::uint32_t hour = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), hour);
  if (problem != std::errc() || end != name.data() + name.size()) {
    return Error{Code::kInvalid, "not a key file's name"};
  }
  return Hour{hour};
}

}  // namespace

KeyMemory::KeyMemory(std::size_t slots) : bytes_(slots * seal::kKeyBytes) {
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  memory_ = static_cast<std::uint8_t*>(memory);
  madvise(memory, bytes_, MADV_DONTDUMP);
  locked_ = mlock(memory, bytes_) == 0;
  for (std::size_t i = slots; i > 0; --i) free_.push_back(memory_ + (i - 1) * seal::kKeyBytes);
}

KeyMemory::~KeyMemory() {
  OPENSSL_cleanse(memory_, bytes_);
  munmap(memory_, bytes_);
}

std::uint8_t* KeyMemory::Take() {
  if (free_.empty()) return nullptr;
  std::uint8_t* slot = free_.back();
  free_.pop_back();
  return slot;
}

void KeyMemory::GiveBack(std::uint8_t* slot) {
  OPENSSL_cleanse(slot, seal::kKeyBytes);
  free_.push_back(slot);
}

std::string HourKeys::PathOf(Hour hour) const {
  return fmt::format("{}/{}.key", folder_, hour.value);
}

Result<std::unique_ptr<HourKeys>> HourKeys::Open(Disk& disk, std::string folder, Random& random) {
  RETURN_IF_ERROR(disk.MakeFolders(folder, 0700));
  std::unique_ptr<HourKeys> keys(new HourKeys(disk, std::move(folder), random));
  RETURN_IF_ERROR(keys->LoadAll());
  return keys;
}

Status HourKeys::LoadAll() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(folder_));
  for (const std::string& name : names) {
    // A key that was being made when the process died; no frame uses it.
    if (name.ends_with(".tmp")) RETURN_IF_ERROR(disk_.Remove(folder_ + "/" + name));
  }
  ASSIGN_OR_RETURN(const std::vector<Hour> hours, Listed());
  for (const Hour hour : hours) {
    const Status loaded = LoadOne(hour);
    if (loaded.ok()) continue;
    // Left alone: its frames are closed to this build, and it is destroyed when its hour begins.
    if (loaded.error().code != Code::kUnsupported) return loaded;
    ++damaged_;
  }
  return Ok();
}

Status HourKeys::LoadOne(Hour hour) {
  ASSIGN_OR_RETURN(std::string file, ReadWholeFile(disk_, PathOf(hour), 4096));
  if (std::all_of(file.begin(), file.end(), [](char c) { return c == 0; })) {
    return Destroy(hour);
  }
  if (const Status readable = CheckKeyReadable(PathOf(hour), file); !readable.ok()) {
    seal::Wipe(file);
    return readable;
  }
  if (!IsKeyFile(hour, file)) {
    ++damaged_;
    seal::Wipe(file);
    return Ok();
  }
  MutexLock lock(mutex_);
  std::uint8_t* slot = memory_.Take();
  if (slot == nullptr) {
    seal::Wipe(file);
    return Error{Code::kTooBig, "more hour keys than any window needs; the vault's folder is odd"};
  }
  std::copy_n(file.data() + kKeyAt, seal::kKeyBytes, reinterpret_cast<char*>(slot));
  keys_[hour] = slot;
  seal::Wipe(file);
  return Ok();
}

Status HourKeys::Ensure(Hour hour) {
  {
    MutexLock lock(mutex_);
    if (keys_.contains(hour)) return Ok();
  }
  if (disk_.Exists(PathOf(hour))) {
    // Either a making that failed after the rename, or a damaged key: its frames are lost, and it
    // must not keep new ones from being stored.
    RETURN_IF_ERROR(LoadOne(hour));
    MutexLock lock(mutex_);
    if (keys_.contains(hour)) return disk_.SyncFolder(folder_);
  }
  seal::SecretKey key;
  random_.Fill({key.data(), key.size()});
  std::string file = EncodeKeyFile(hour, key.data());
  const Status written = WriteFileDurably(disk_, PathOf(hour), file, kKeyMode);
  seal::Wipe(file);
  RETURN_IF_ERROR(written);
  MutexLock lock(mutex_);
  std::uint8_t* slot = memory_.Take();
  if (slot == nullptr) return Error{Code::kTooBig, "more hour keys than any window needs"};
  std::copy_n(key.data(), seal::kKeyBytes, slot);
  keys_[hour] = slot;
  return Ok();
}

Status HourKeys::Copy(Hour hour, seal::SecretKey& key) const {
  MutexLock lock(mutex_);
  const auto found = keys_.find(hour);
  if (found == keys_.end()) return Error{Code::kNotFound, "the hour's key is destroyed"};
  std::copy_n(found->second, seal::kKeyBytes, key.data());
  return Ok();
}

Status HourKeys::Destroy(Hour hour) {
  {
    MutexLock lock(mutex_);
    const auto found = keys_.find(hour);
    if (found != keys_.end()) {
      memory_.GiveBack(found->second);
      keys_.erase(found);
    }
  }
  const std::string path = PathOf(hour);
  if (!disk_.Exists(path)) return Ok();
  // Each step is tried whatever the one before said: unlinking without overwriting is still more
  // than leaving the key.
  Status overwritten;
  {
    Result<std::unique_ptr<File>> file = disk_.Open(path, OpenMode::kReadWrite);
    const std::string zeros(kFileBytes, '\0');
    overwritten = file.ok() ? (*file)->WriteAt(0, AsBytes(zeros)) : Status(file.error());
    if (overwritten.ok()) overwritten = (*file)->Sync();
  }
  RETURN_IF_ERROR(disk_.Remove(path));
  RETURN_IF_ERROR(disk_.SyncFolder(folder_));
  return overwritten;
}

Result<std::vector<Hour>> HourKeys::Listed() const {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(folder_));
  std::vector<Hour> hours;
  for (const std::string& name : names) {
    const Result<Hour> hour = HourOfName(name);
    if (hour.ok()) hours.push_back(*hour);
  }
  return hours;
}

}  // namespace telltale::vault
