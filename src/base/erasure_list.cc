#include "base/erasure_list.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "base/checksum.h"
#include "base/sha256.h"

namespace telltale {
namespace {

constexpr std::uint64_t kReads = 1;  // version of the format
constexpr std::string_view kMagic = "telltale erasure list";

struct Line {
  ErasureTag tag{};
  std::uint64_t number = 0;  // µs UTC; of the head the oldest reader that understands the list
};

ErasureTag HeadTag() { return Sha256Of(AsBytes(kMagic)); }

std::string Encode(const Line& line) {
  const std::string text = fmt::format("{} {}", HexEncode(line.tag), line.number);
  return fmt::format("{} {:08x}\n", text, Crc32c(AsBytes(text)));
}

// `text` without its line break. nullopt: it fails its check.
std::optional<Line> Decode(std::string_view text) {
  constexpr std::size_t kTagDigits = 64;
  constexpr std::size_t kTailDigits = 9;  // a space and the check
  if (text.size() < kTagDigits + 2 + kTailDigits || text[kTagDigits] != ' ') return std::nullopt;
  const std::string_view checked = text.substr(0, text.size() - kTailDigits);
  if (text.substr(checked.size()) != fmt::format(" {:08x}", Crc32c(AsBytes(checked)))) {
    return std::nullopt;
  }
  const auto tag = HexDecode(checked.substr(0, kTagDigits));
  if (!tag.ok()) return std::nullopt;
  Line line;
  std::memcpy(line.tag.data(), tag->data(), line.tag.size());
  const char* const end = checked.data() + checked.size();
  const auto [stopped, problem] =
      std::from_chars(checked.data() + kTagDigits + 1, end, line.number);
  if (problem != std::errc() || stopped != end) return std::nullopt;
  return line;
}

// From `at` to the end of the file.
Result<std::string> ReadFrom(const File& file, std::uint64_t at, std::uint64_t size) {
  if (size > kErasureListBytesMax) {
    return Error{Code::kTooBig, "the erasure list is larger than allowed"};
  }
  std::string bytes(size - at, '\0');
  ASSIGN_OR_RETURN(const std::size_t got,
                   file.ReadAt(at, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}));
  bytes.resize(got);
  return bytes;
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
  if (!file.ok() && file.error().code == Code::kNotFound) return false;
  if (!file.ok()) return file.error();
  ASSIGN_OR_RETURN(const std::uint64_t size, (*file)->Size());
  if (size == read_to_) return false;
  // Shorter: put back from a copy, say. Whoever was known stays known.
  if (size < read_to_) read_to_ = 0;
  ASSIGN_OR_RETURN(const std::string bytes, ReadFrom(**file, read_to_, size));
  const std::size_t whole = bytes.rfind('\n') + 1;  // npos + 1 = 0: no whole line
  const std::size_t before = tags_.size();
  RETURN_IF_ERROR(Take(std::string_view(bytes).substr(0, whole)));
  read_to_ += whole;
  return tags_.size() > before;
}

Status ErasureList::Take(std::string_view lines) {
  const ErasureTag head = HeadTag();
  bool is_first = read_to_ == 0;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const auto line = Decode(lines.substr(0, end));
    lines.remove_prefix(end + 1);
    if (std::exchange(is_first, false)) {
      if (!line || line->tag != head) return Error{Code::kCorrupt, "not an erasure list"};
      if (line->number > kReads) {
        return Error{Code::kUnsupported,
                     fmt::format("the erasure list needs a reader of version {}; this telltale "
                                 "reads up to {}: use a newer telltale",
                                 line->number, kReads)};
      }
      continue;
    }
    if (line) {
      tags_.insert(line->tag);
    } else {
      ++damaged_;
    }
  }
  return Ok();
}

Result<bool> AppendErasure(Disk& disk, const std::string& path, const VehicleRef& ref, Micros now) {
  ErasureList list(disk, path);
  ASSIGN_OR_RETURN([[maybe_unused]] const bool any, list.Refresh());
  // The head by itself and whole, so that no power cut leaves a list that nobody can read.
  if (!list.has_head()) {
    RETURN_IF_ERROR(WriteFileDurably(disk, path, Encode({HeadTag(), kReads}), 0644));
  }
  ASSIGN_OR_RETURN(const auto file, disk.Open(path, OpenMode::kReadWrite));
  const bool is_new = !list.Contains(ref);
  if (is_new) {
    ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
    ASSIGN_OR_RETURN(const std::string bytes, ReadFrom(*file, 0, size));
    // Whole lines stay, even damaged ones: a reader may have passed them.
    const std::uint64_t whole = bytes.rfind('\n') + 1;
    if (whole < size) RETURN_IF_ERROR(file->Truncate(whole));
    const std::string line = Encode({ErasureTagOf(ref), static_cast<std::uint64_t>(now.value)});
    RETURN_IF_ERROR(file->WriteAt(whole, AsBytes(line)));
  }
  // Also when it was there: who added it may have died before this.
  RETURN_IF_ERROR(file->Sync());
  return is_new;
}

}  // namespace telltale
