#include "app/doctor_vault.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::app {
namespace {

constexpr std::string_view kStateMagic = "TVST";
constexpr std::string_view kSegmentMagic = "TVSG";
constexpr std::string_view kKeyMagic = "TVHK";
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kSegmentHeadBytes = 80;
constexpr std::size_t kSegmentCrcAt = 76;
constexpr std::size_t kFrameHeadBytes = 64;
constexpr std::size_t kKeyHeadBytes = 24;  // the key itself begins here
constexpr std::uint64_t kKeyFileBytes = 64;
constexpr std::uint64_t kStateBytesMax = 256u << 20;

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

Result<VaultCheck::State> VaultCheck::ReadState() const {
  ASSIGN_OR_RETURN(const std::string file,
                   ReadWholeFile(disk_, paths_.vault() + "/state", kStateBytesMax));
  return ParseState(AsBytes(file));
}

Result<VaultCheck::State> VaultCheck::ParseState(ByteSpan bytes) {
  const Error broken{Code::kCorrupt, "the vault's state is cut or fails its check"};
  if (bytes.size() < 12 || !AsText(bytes).starts_with(kStateMagic)) return broken;
  RETURN_IF_ERROR(CheckReadable(Format::kVaultState, "the vault's state", bytes[4], bytes[5]));
  const ByteSpan body = bytes.first(bytes.size() - 4);
  if (GetLe<std::uint32_t>(bytes.data() + body.size()) != Crc32c(body)) return broken;
  ByteReader in(body.subspan(8));
  State state;
  in.Get<std::uint64_t>();  // next segment
  in.Get<std::int64_t>();   // destroyed through
  in.Get<std::uint64_t>();  // audit entries
  in.Take(kHashBytes);
  const auto shards = in.Get<std::uint16_t>();
  for (std::uint16_t i = 0; i < shards && in.ok(); ++i) {
    state.positions.emplace_back(AsText(in.TakeBlob()));
  }
  const auto segments = in.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < segments && in.ok(); ++i) {
    const auto number = in.Get<std::uint64_t>();
    Segment segment;
    segment.hour = in.Get<std::uint32_t>();
    segment.frame_class = in.Get<std::uint8_t>();
    segment.bytes = in.Get<std::uint64_t>();
    segment.frames = in.Get<std::uint64_t>();
    state.segments[number] = segment;
  }
  if (!in.ok()) return broken;
  return state;
}

void VaultCheck::Check() {
  const auto state = ReadState();
  const auto hours = disk_.List(SegmentsFolder());
  if (!state.ok()) {
    AddError(paths_.vault() + "/state", state.error());
    if (state.error().code == Code::kNotFound && hours.ok() && !hours->empty()) {
      report_.Add(FindingKind::kReadFailed,
                  {paths_.vault() + "/state", "it is missing although the vault was used", {}});
    }
    return;
  }
  CheckPositions(*state);
  ReadKeys();
  if (!hours.ok()) AddError(SegmentsFolder(), hours.error());
  for (const std::string& name : hours.ok() ? *hours : std::vector<std::string>()) {
    if (const auto hour = NumberOf(name, "")) {
      CheckFolder(static_cast<std::uint32_t>(*hour), *state);
    }
  }
  CheckWhatIsMissing(*state);
}

void VaultCheck::CheckPositions(const State& state) {
  const std::string where = paths_.vault() + "/state";
  const auto ends = log_.EndsNow(*log_.IndexOf("sealed"));
  if (!ends.ok()) return AddError(where, ends.error());
  for (std::size_t shard = 0; shard < state.positions.size(); ++shard) {
    if (state.positions[shard].empty()) continue;
    const auto position = log::Position::Decode(AsBytes(state.positions[shard]));
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

void VaultCheck::ReadKeys() {
  const auto names = disk_.List(KeysFolder());
  if (!names.ok()) return AddError(KeysFolder(), names.error());
  for (const std::string& name : *names) {
    const auto hour = NumberOf(name, ".key");
    if (!hour) continue;
    keys_.insert(static_cast<std::uint32_t>(*hour));
    report_.Count("hour keys", 1);
    CheckKey(KeysFolder() + "/" + name, static_cast<std::uint32_t>(*hour));
  }
}

void VaultCheck::CheckKey(const std::string& path, std::uint32_t hour) {
  const auto file = disk_.Open(path, OpenMode::kRead);
  if (!file.ok()) return AddError(path, file.error());
  const auto size = (*file)->Size();
  std::array<std::uint8_t, kKeyHeadBytes> head{};
  const auto got = (*file)->ReadAt(0, head);
  if (!size.ok() || !got.ok()) return AddError(path, size.ok() ? got.error() : size.error());
  if (std::all_of(head.begin(), head.end(), [](std::uint8_t byte) { return byte == 0; })) {
    return AddOrphan(path, "its destruction was interrupted: the vault finishes it when it starts");
  }
  if (*got >= 6 && AsText(head).starts_with(kKeyMagic)) {
    const Status readable = CheckReadable(Format::kHourKey, "this key", head[4], head[5]);
    if (!readable.ok()) return AddError(path, readable.error());
  }
  if (*size != kKeyFileBytes || !AsText(head).starts_with(kKeyMagic) ||
      GetLe<std::uint32_t>(head.data() + 8) != hour) {
    AddError(path, {Code::kCorrupt, "not the key of this hour: what is sealed under it is lost"});
  }
}

void VaultCheck::CheckFolder(std::uint32_t hour, const State& state) {
  const std::string folder = fmt::format("{}/{}", SegmentsFolder(), hour);
  const auto names = disk_.List(folder);
  if (!names.ok()) return AddError(folder, names.error());
  for (const std::string& name : *names) {
    const auto number = NumberOf(name, ".seg");
    if (!number) continue;
    const std::string path = folder + "/" + name;
    report_.Count("vault segments", 1);
    used_.insert(hour);
    const auto known = state.segments.find(*number);
    if (!keys_.contains(hour)) {
      AddOrphan(path, "the key of its hour is destroyed: nobody can open it");
    } else if (known == state.segments.end() || known->second.hour != hour) {
      AddOrphan(path, "the vault's state does not name it: left by a crash, or being written");
    } else {
      const Status checked = CheckSegment(path, *number, known->second);
      if (!checked.ok()) AddError(path, checked.error());
    }
    if (known != state.segments.end() && known->second.hour == hour) seen_.insert(*number);
  }
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
      head[8] != segment.frame_class || GetLe<std::uint32_t>(head.data() + 12) != segment.hour ||
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
                          GetLe<std::uint64_t>(head.data() + 16) == number &&
                          head[6] == segment.frame_class;
    if (is_whole) at += kFrameHeadBytes + GetLe<std::uint32_t>(head.data() + 8);
    if (!is_whole || at > segment.bytes || at > size) {
      return Error{Code::kCorrupt,
                   fmt::format("damaged or cut at frame {} of {}", number, segment.frames)};
    }
    report_.Count("vault frames", 1);
  }
  return Ok();
}

// The state was read before the folders: what an hour's end has taken meanwhile is not in it now.
void VaultCheck::CheckWhatIsMissing(const State& before) {
  const auto now = ReadState();
  if (!now.ok()) return AddError(paths_.vault() + "/state", now.error());
  for (const auto& [number, segment] : before.segments) {
    if (seen_.contains(number) || !now->segments.contains(number)) continue;
    const std::string path =
        fmt::format("{}/{}/{:010}.seg", SegmentsFolder(), segment.hour, number);
    if (disk_.Exists(path)) continue;
    if (!disk_.Exists(fmt::format("{}/{}.key", KeysFolder(), segment.hour))) {
      AddOrphan(path, "the vault's state names it, and its hour is destroyed");
    } else {
      report_.Add(FindingKind::kReadFailed,
                  {path, fmt::format("it is missing with {} frames", segment.frames), {}});
    }
  }
  for (const std::uint32_t hour : keys_) {
    if (used_.contains(hour)) continue;
    AddOrphan(fmt::format("{}/{}.key", KeysFolder(), hour),
              "no segment of its hour: none was written yet, or a crash came before the first");
  }
}

}  // namespace telltale::app
