#include "app/doctor_vault.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::app {
namespace {

constexpr std::int32_t kVaultKind = 0x74740003;  // docs/formats/vault-db.md
constexpr std::string_view kSegmentMagic = "TVSG";
constexpr std::size_t kSegmentHeadBytes = 80;
constexpr std::size_t kSegmentCrcAt = 76;
constexpr std::size_t kFrameHeadBytes = 64;
constexpr std::uint8_t kSchemeHour = 1;
constexpr int kFoldersDeep = 2;  // class, hour
// As src/vault/retention_class.h calls them: the doctor is no part of the vault.
constexpr std::array<const char*, 7> kClassFolders = {
    "", "position", "quarantine", "refused", "unknown", "export", "hold"};

std::optional<std::uint64_t> NumberOf(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace

void VaultCheck::AddError(const std::string& where, const Error& error) {
  if (error.code == Code::kNotFound) return;  // gone while we looked: judged at the end
  report_.Add(KindOf(error), {where, error.message, {}});
}

Result<VaultCheck::Catalogue> VaultCheck::ReadCatalogue() const {
  ASSIGN_OR_RETURN(
      const auto copy,
      DatabaseCopy::Of(disk_, CataloguePath(), {kVaultKind, VersionOf(Format::kVaultDb).reads}));
  return ReadRows(*copy);
}

Result<VaultCheck::Catalogue> VaultCheck::ReadRows(DatabaseCopy& copy) const {
  Catalogue catalogue;
  ASSIGN_OR_RETURN(store::Statement positions,
                   copy.Prepare("SELECT value FROM meta WHERE name = 'positions'"));
  ASSIGN_OR_RETURN(const bool has_positions, positions.Step());
  if (has_positions) {
    ByteReader in(AsBytes(positions.Blob(0)));
    while (in.ok() && in.remaining() > 0) catalogue.positions.emplace_back(AsText(in.TakeBlob()));
    if (!in.ok()) return Error{Code::kCorrupt, "its positions are cut"};
  }
  ASSIGN_OR_RETURN(store::Statement rows,
                   copy.Prepare("SELECT number, scheme, class, frame_class, hour, bytes, frames "
                                "FROM segments WHERE state = 1"));
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return catalogue;
    const auto number = static_cast<std::uint64_t>(rows.Int(0));
    Segment segment;
    segment.scheme = static_cast<std::uint8_t>(rows.Int(1));
    const bool of_format1 = segment.scheme == kSchemeHour;
    segment.kind = static_cast<std::uint8_t>(rows.Int(of_format1 ? 3 : 2));
    segment.hour = static_cast<std::uint32_t>(rows.Int(4));
    segment.bytes = static_cast<std::uint64_t>(rows.Int(5));
    segment.frames = static_cast<std::uint64_t>(rows.Int(6));
    const std::string folder = of_format1 || segment.kind >= kClassFolders.size()
                                   ? std::string()
                                   : fmt::format("/{}", kClassFolders[segment.kind]);
    segment.path =
        fmt::format("{}{}/{}/{:010}.seg", SegmentsFolder(), folder, segment.hour, number);
    catalogue.segments[number] = std::move(segment);
  }
}

void VaultCheck::Check() {
  const auto catalogue = ReadCatalogue();
  const auto folders = disk_.List(SegmentsFolder());
  if (!catalogue.ok()) {
    // Of format 1: the vault takes it over at its next start, and looks at it then.
    if (disk_.Exists(paths_.vault() + "/state")) return;
    AddError(CataloguePath(), catalogue.error());
    if (catalogue.error().code == Code::kNotFound && folders.ok() && !folders->empty()) {
      report_.Add(FindingKind::kReadFailed,
                  {CataloguePath(), "it is missing although the vault was used", {}});
    }
    return;
  }
  CheckPositions(*catalogue);
  CheckFolder(SegmentsFolder(), kFoldersDeep, *catalogue);
  CheckWhatIsMissing(*catalogue);
}

void VaultCheck::CheckPositions(const Catalogue& catalogue) {
  const std::string where = CataloguePath();
  const auto ends = log_.EndsNow(*log_.IndexOf("sealed"));
  if (!ends.ok()) return AddError(where, ends.error());
  for (std::size_t shard = 0; shard < catalogue.positions.size(); ++shard) {
    if (catalogue.positions[shard].empty()) continue;
    const auto position = log::Position::Decode(AsBytes(catalogue.positions[shard]));
    if (!position.ok()) {
      AddError(where, position.error());
      continue;
    }
    for (std::size_t p = 0; p < position->next.size(); ++p) {
      if (p < ends->size() && position->next[p] <= (*ends)[p]) continue;
      report_.Add(FindingKind::kPositionBeyondEnd,
                  {where,
                   fmt::format("stream sealed partition {}: at offset {}, the log ends at {}", p,
                               position->next[p].value, p < ends->size() ? (*ends)[p].value : 0),
                   {}});
    }
  }
}

void VaultCheck::CheckFolder(const std::string& folder, int deep, const Catalogue& catalogue) {
  const auto names = disk_.List(folder);
  if (!names.ok()) return AddError(folder, names.error());
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    if (const auto number = NumberOf(name, ".seg")) {
      CheckFile(path, *number, catalogue);
    } else if (deep > 0) {
      CheckFolder(path, deep - 1, catalogue);
    }
  }
}

void VaultCheck::CheckFile(const std::string& path, std::uint64_t number,
                           const Catalogue& catalogue) {
  report_.Count("vault segments", 1);
  const auto known = catalogue.segments.find(number);
  if (known == catalogue.segments.end() || known->second.path != path) {
    return AddOrphan(path,
                     "the vault's catalogue does not name it: left by a crash, being written, "
                     "or somebody put it there");
  }
  seen_.insert(number);
  const Status checked = CheckSegment(path, number, known->second);
  if (!checked.ok()) AddError(path, checked.error());
}

Status VaultCheck::CheckSegment(const std::string& path, std::uint64_t number,
                                const Segment& segment) {
  ASSIGN_OR_RETURN(const auto file, disk_.Open(path, OpenMode::kRead));
  std::array<std::uint8_t, kSegmentHeadBytes> head{};
  ASSIGN_OR_RETURN(const std::size_t got, file->ReadAt(0, head));
  if (got < head.size() || !AsText(head).starts_with(kSegmentMagic)) {
    return Error{Code::kCorrupt, "cut, or no vault segment"};
  }
  RETURN_IF_ERROR(CheckReadable(Format::kVaultSegment, "this segment", head[4], head[5]));
  if (GetLe<std::uint32_t>(head.data() + kSegmentCrcAt) !=
          Crc32c(ByteSpan(head).first(kSegmentCrcAt)) ||
      head[9] != segment.scheme || head[segment.scheme == kSchemeHour ? 8 : 10] != segment.kind ||
      GetLe<std::uint32_t>(head.data() + 12) != segment.hour ||
      GetLe<std::uint64_t>(head.data() + 16) != number) {
    return Error{Code::kCorrupt, "its head is damaged"};
  }
  return CheckFrames(*file, segment);
}

Status VaultCheck::CheckFrames(const File& file, const Segment& segment) {
  ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  std::uint64_t at = kSegmentHeadBytes;
  for (std::uint64_t number = 0; number < segment.frames; ++number) {
    std::array<std::uint8_t, kFrameHeadBytes> head{};
    ASSIGN_OR_RETURN(const std::size_t got, file.ReadAt(at, head));
    const bool is_whole = got == head.size() &&
                          GetLe<std::uint32_t>(head.data()) == Crc32c(ByteSpan(head).subspan(4)) &&
                          GetLe<std::uint64_t>(head.data() + 16) == number;
    if (is_whole) at += kFrameHeadBytes + GetLe<std::uint32_t>(head.data() + 8);
    if (!is_whole || at > segment.bytes || at > size) {
      return Error{Code::kCorrupt,
                   fmt::format("damaged or cut at frame {} of {}", number, segment.frames)};
    }
    report_.Count("vault frames", 1);
  }
  return Ok();
}

// The catalogue was read before the folders: what an hour's end has taken meanwhile is not in it
// now.
void VaultCheck::CheckWhatIsMissing(const Catalogue& before) {
  const auto now = ReadCatalogue();
  if (!now.ok()) return AddError(CataloguePath(), now.error());
  for (const auto& [number, segment] : before.segments) {
    if (seen_.contains(number) || !now->segments.contains(number)) continue;
    if (disk_.Exists(segment.path)) continue;
    report_.Add(FindingKind::kReadFailed,
                {segment.path, fmt::format("it is missing with {} frames", segment.frames), {}});
  }
}

}  // namespace telltale::app
