#include "vault/keys/import_hours.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/checksum.h"
#include "base/format_version.h"
#include "vault/keys/file_provider.h"
#include "vault/keys/tree_folder.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kMagic = "TVHK";
constexpr std::string_view kSuffix = ".key";
constexpr std::uint8_t kSchemeDirect = 1;
constexpr std::size_t kFileBytes = 64;
constexpr std::size_t kHourAt = 8;
constexpr std::size_t kKeyAt = 24;
constexpr std::size_t kCrcAt = 60;
constexpr std::uint64_t kFileBytesMax = 4096;

std::optional<Hour> HourOfName(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  std::uint32_t hour = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), hour);
  if (problem != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return Hour{hour};
}

bool IsKeyFile(Hour hour, const std::string& file) {
  return file.size() == kFileBytes && file.starts_with(kMagic) &&
         CheckReadable(Format::kHourKey, "this key", static_cast<std::uint8_t>(file[4]),
                       static_cast<std::uint8_t>(file[5]))
             .ok() &&
         file[6] == kSchemeDirect &&
         GetLe<std::uint32_t>(file.data() + kHourAt) == static_cast<std::uint32_t>(hour.value) &&
         GetLe<std::uint32_t>(file.data() + kCrcAt) == Crc32c(AsBytes(file).first(kCrcAt));
}

enum class Taken { kIntoTree, kNothing, kDamaged };

Result<Taken> TakeOne(Disk& disk, const std::string& path, Hour hour, KeyTree& tree) {
  Result<std::string> file = ReadWholeFile(disk, path, kFileBytesMax);
  if (!file.ok() && file.error().code != Code::kTooBig) return file.error();
  if (!file.ok()) return Taken::kDamaged;
  const bool zeros = IsAllZeros(*file);
  const bool is_key = !zeros && IsKeyFile(hour, *file);
  seal::SecretKey key;
  if (is_key) std::copy_n(AsBytes(*file).begin() + kKeyAt, key.size(), key.data());
  seal::Wipe(*file);
  if (zeros) return Taken::kNothing;
  if (!is_key) return Taken::kDamaged;
  const Status put = tree.ImportHour({RetentionClass::kLegacy, hour}, hour, key);
  if (put.ok()) return Taken::kIntoTree;
  if (put.error().code == Code::kExists) return Taken::kDamaged;
  return put.error();
}

}  // namespace

Result<ImportedHours> ImportHourKeys(Disk& disk, const std::string& hours_folder, KeyTree& tree) {
  if (!disk.Exists(hours_folder)) return ImportedHours{};
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(hours_folder));
  ImportedHours counts;
  std::vector<std::string> done;
  for (const std::string& name : names) {
    const std::string path = hours_folder + "/" + name;
    // A key that was being made when the process died; no frame uses it.
    if (name.ends_with(".tmp")) done.push_back(path);
    const std::optional<Hour> hour = HourOfName(name);
    if (!hour.has_value()) continue;
    ASSIGN_OR_RETURN(const Taken taken, TakeOne(disk, path, *hour, tree));
    if (taken == Taken::kIntoTree) ++counts.imported;
    if (taken == Taken::kDamaged) {
      ++counts.damaged;
    } else {
      done.push_back(path);
    }
  }
  RETURN_IF_ERROR(tree.Flush());
  Status first;
  for (const std::string& path : done) Keep(first, OverwriteAndRemove(disk, path));
  RETURN_IF_ERROR(first);
  return counts;
}

Status DestroyLeftHourKeys(Disk& disk, const std::string& hours_folder, Hour begun) {
  if (!disk.Exists(hours_folder)) return Ok();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(hours_folder));
  Status first;
  for (const std::string& name : names) {
    const std::optional<Hour> hour = HourOfName(name);
    if (hour.has_value() && *hour <= begun) {
      Keep(first, OverwriteAndRemove(disk, hours_folder + "/" + name));
    }
  }
  return first;
}

}  // namespace telltale::vault
