#include "base/erasure_list.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/sha256.h"

namespace telltale {
namespace {

constexpr std::size_t kTagDigits = 64;

// Of a line without its break. What may follow the tag behind a space is not for this version.
std::optional<ErasureTag> TagIn(std::string_view line) {
  if (line.size() < kTagDigits || (line.size() > kTagDigits && line[kTagDigits] != ' ')) {
    return std::nullopt;
  }
  const std::string_view digits = line.substr(0, kTagDigits);
  const bool is_lower = std::none_of(digits.begin(), digits.end(),
                                     [](char digit) { return digit >= 'A' && digit <= 'F'; });
  const auto bytes = HexDecode(digits);
  if (!bytes.ok() || !is_lower) return std::nullopt;
  ErasureTag tag;
  std::memcpy(tag.data(), bytes->data(), tag.size());
  return tag;
}

}  // namespace

ErasureTag ErasureTagOf(const VehicleRef& ref) { return Sha256Of(ref.bytes); }

std::size_t ErasureList::TagHash::operator()(const ErasureTag& tag) const noexcept {
  std::size_t value = 0;
  std::memcpy(&value, tag.data(), sizeof value);
  return value;
}

Result<bool> ErasureList::Refresh() {
  const auto file = disk_->Open(path_, OpenMode::kRead);
  const bool is_there = file.ok() || file.error().code != Code::kNotFound;
  if (is_there && !file.ok()) return file.error();
  std::uint64_t size = 0;
  if (is_there) {
    ASSIGN_OR_RETURN(size, (*file)->Size());
  }
  if (size == read_to_) return false;
  if (size < read_to_) return Error{Code::kCorrupt, path_ + " is shorter than it was"};
  if (size > kErasureListBytesMax) return Error{Code::kTooBig, path_ + " is larger than allowed"};
  std::string bytes(size - read_to_, '\0');
  ASSIGN_OR_RETURN(
      const std::size_t got,
      (*file)->ReadAt(read_to_, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}));
  std::string_view rest = std::string_view(bytes).substr(0, got);
  const std::size_t before = tags_.size();
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    const auto tag = TagIn(rest.substr(0, end));
    if (!tag) return Error{Code::kCorrupt, path_ + " is no list of erased vehicles"};
    tags_.insert(*tag);
    read_to_ += end + 1;
    rest.remove_prefix(end + 1);
  }
  return tags_.size() > before;
}

Result<bool> AppendErasure(Disk& disk, const std::string& path, const VehicleRef& ref) {
  ErasureList list(disk, path);
  ASSIGN_OR_RETURN([[maybe_unused]] const bool any, list.Refresh());
  std::string lines;
  if (disk.Exists(path)) {
    ASSIGN_OR_RETURN(lines, ReadWholeFile(disk, path, kErasureListBytesMax));
    lines.resize(lines.rfind('\n') + 1);  // npos + 1 = 0: no whole line
  }
  const bool is_new = !list.Contains(ref);
  if (is_new) lines += HexEncode(ErasureTagOf(ref)) + "\n";
  // Also when it was there: who added it may have died before it was durable.
  RETURN_IF_ERROR(WriteFileDurably(disk, path, lines, 0644));
  return is_new;
}

}  // namespace telltale
