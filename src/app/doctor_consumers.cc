#include "app/doctor_consumers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::app {
namespace {

constexpr std::string_view kSnapshotMagic = "TELLSNAP";
constexpr std::uint64_t kSnapshotHeadBytes = 24;
constexpr std::size_t kSnapshotStartBytes = 16u << 10;  // head and position lie in it
constexpr std::size_t kPieceBytes = 256u << 10;

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Over the first `size` bytes, a piece at a time.
Result<std::uint32_t> CrcOf(const File& file, std::uint64_t size) {
  std::string piece(kPieceBytes, '\0');
  std::uint32_t crc = 0;
  for (std::uint64_t at = 0; at < size;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, size - at));
    const std::span<std::uint8_t> into(reinterpret_cast<std::uint8_t*>(piece.data()), want);
    ASSIGN_OR_RETURN(const std::size_t got, file.ReadAt(at, into));
    if (got != want) return Error{Code::kCorrupt, "the file is cut"};
    crc = Crc32c(into, crc);
    at += got;
  }
  return crc;
}

struct SnapshotPlace {
  ShardId shard;
  log::Position position;
};

// The whole file's check, then its head and position (docs/formats/snapshot.md).
Result<SnapshotPlace> ReadSnapshotPlace(Disk& disk, const std::string& path) {
  const Error cut{Code::kCorrupt, "cut, torn or not a snapshot"};
  ASSIGN_OR_RETURN(const auto file, disk.Open(path, OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  std::string start(kSnapshotStartBytes, '\0');
  ASSIGN_OR_RETURN(const std::size_t got,
                   file->ReadAt(0, {reinterpret_cast<std::uint8_t*>(start.data()), start.size()}));
  start.resize(got);
  ByteReader in(start);
  if (AsText(in.Take(kSnapshotMagic.size())) != kSnapshotMagic) return cut;
  const auto version = in.Get<std::uint16_t>();
  const auto minimum = in.Get<std::uint16_t>();
  in.Get<std::uint32_t>();
  const auto body_bytes = in.Get<std::uint64_t>();
  if (!in.ok()) return cut;
  RETURN_IF_ERROR(CheckReadable(Format::kSnapshot, "this snapshot", version, minimum));
  constexpr std::uint64_t kAround = kSnapshotHeadBytes + sizeof(std::uint32_t);
  if (size < kAround || body_bytes != size - kAround) return cut;
  ASSIGN_OR_RETURN(const std::uint32_t crc, CrcOf(*file, size - sizeof(std::uint32_t)));
  std::uint8_t stored[sizeof(std::uint32_t)] = {};
  ASSIGN_OR_RETURN(const std::size_t tail, file->ReadAt(size - sizeof stored, stored));
  if (tail != sizeof stored || GetLe<std::uint32_t>(stored) != crc) return cut;
  in.TakeBlob();  // release
  SnapshotPlace place;
  place.shard = ShardId{in.Get<std::uint16_t>()};
  in.Get<std::uint16_t>();  // shards
  in.Get<std::uint16_t>();  // partitions
  in.Get<std::uint16_t>();  // rules
  const ByteSpan position = in.TakeBlob();
  if (!in.ok()) return cut;
  ASSIGN_OR_RETURN(place.position, log::Position::Decode(position));
  return place;
}

}  // namespace

void ConsumerCheck::AddError(const std::string& where, const Error& error) {
  // What a consumer replaced or removed while we looked is no finding.
  if (error.code == Code::kNotFound) return;
  report_.Add(KindOf(error), {where, error.message, {}});
}

void ConsumerCheck::CompareFirst(const std::string& where, std::string_view stream,
                                 const std::vector<Offset>& next, ShardId shard) {
  const auto first = log_.FindFirstKept(*log_.IndexOf(stream), shard);
  if (!first.ok()) return;  // reported where the stream is read
  for (std::size_t i = 0; i < first->tails.size(); ++i) {
    const PartitionId partition = log::CarriedPartition(i, shard, log_.shape().shards);
    if (next[partition.value] >= first->tails[i].next) continue;
    report_.Add(
        FindingKind::kPositionBeforeStart,
        {where,
         fmt::format("stream {} partition {}: at offset {}, the first kept is {}", stream,
                     partition.value, next[partition.value].value, first->tails[i].next.value),
         {}});
  }
}

void ConsumerCheck::Compare(const std::string& where, std::string_view stream,
                            const std::vector<Offset>& next, std::optional<ShardId> shard,
                            FindingKind beyond) {
  const std::uint16_t shards = log_.shape().shards;
  if (next.size() != log_.shape().partitions) {
    report_.Add(FindingKind::kFileBroken, {where,
                                           fmt::format("has {} partitions and the log {}",
                                                       next.size(), log_.shape().partitions),
                                           {}});
    return;
  }
  const auto ends = log_.EndsNow(*log_.IndexOf(stream));
  if (!ends.ok()) return AddError(where, ends.error());
  for (std::size_t p = 0; p < next.size(); ++p) {
    const PartitionId partition{static_cast<std::uint16_t>(p)};
    if (shard && log::ShardOf(partition, shards) != *shard) continue;
    if (next[p] <= (*ends)[p]) continue;
    report_.Add(beyond, {where,
                         fmt::format("stream {} partition {}: at offset {}, the log ends at {}",
                                     stream, p, next[p].value, (*ends)[p].value),
                         {}});
  }
}

void ConsumerCheck::CheckPositions() {
  const auto consumers = disk_.List(paths_.positions());
  if (!consumers.ok()) return AddError(paths_.positions(), consumers.error());
  for (const std::string& consumer : *consumers) {
    const auto names = disk_.List(paths_.positions() + "/" + consumer);
    if (!names.ok()) continue;  // a file in the wrong place: the strays say so
    for (const std::string& name : *names) CheckPosition(consumer, name);
  }
}

void ConsumerCheck::CheckPosition(const std::string& consumer, const std::string& name) {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string::npos) return;
  const std::string stream = name.substr(0, dash);
  const auto shard = ParseNumber(std::string_view(name).substr(dash + 1));
  if (!shard || *shard >= log_.shape().shards || !log_.IndexOf(stream)) return;
  const ShardId id{static_cast<std::uint16_t>(*shard)};
  const std::string where = fmt::format("{}/{}/{}", paths_.positions(), consumer, name);
  const auto position = log::LoadPosition(disk_, paths_.positions(), consumer, stream, id);
  if (!position.ok()) return AddError(where, position.error());
  report_.Count("positions", 1);
  Compare(where, stream, position->next, id, FindingKind::kPositionBeyondEnd);
  if (position->next.size() == log_.shape().partitions) {
    CompareFirst(where, stream, position->next, id);
  }
}

void ConsumerCheck::CheckSnapshots() {
  const auto releases = disk_.List(paths_.worker());
  if (!releases.ok()) return AddError(paths_.worker(), releases.error());
  for (const std::string& release : *releases) {
    const std::string folder = paths_.worker() + "/" + release;
    const auto names = disk_.List(folder);
    if (!names.ok()) continue;
    for (const std::string& name : *names) {
      if (name.ends_with(".snapshot")) CheckSnapshot(folder + "/" + name);
    }
  }
}

void ConsumerCheck::CheckSnapshot(const std::string& path) {
  const auto place = ReadSnapshotPlace(disk_, path);
  if (!place.ok()) return AddError(path, place.error());
  report_.Count("snapshots", 1);
  Compare(path, "safety", place->position.next, place->shard, FindingKind::kSnapshotBeyondEnd);
}

void ConsumerCheck::CheckHandoffs() {
  const std::string folder = paths_.lake() + "/handoff";
  const auto names = disk_.List(folder);
  if (!names.ok()) return AddError(folder, names.error());
  Range previous;
  std::uint64_t last = 0;
  for (const std::string& name : *names) {
    if (!name.ends_with(".json")) continue;
    const auto number = ParseNumber(std::string_view(name).substr(0, name.size() - 5));
    if (!number) continue;
    if (*number != last + 1) previous = {};  // those between are committed and gone
    CheckHandoff(folder + "/" + name, *number, previous);
    last = *number;
  }
  if (previous.to.size() != log_.shape().partitions) return;
  for (std::uint16_t s = 0; s < log_.shape().shards; ++s) {
    CompareFirst(fmt::format("{}/{:020}.json", folder, last), "telemetry", previous.to, ShardId{s});
  }
}

void ConsumerCheck::CheckHandoff(const std::string& path, std::uint64_t number, Range& previous) {
  const auto content = ReadWholeFile(disk_, path);
  if (!content.ok()) return AddError(path, content.error());
  const auto json = nlohmann::json::parse(*content, nullptr, /*allow_exceptions=*/false);
  Range range;
  try {
    const auto min_reader = json.at("min_reader").get<std::uint64_t>();
    const Status readable = CheckReadable(Format::kHandoff, "this hand-off",
                                          json.value("version", min_reader), min_reader);
    if (!readable.ok()) return AddError(path, readable.error());
    if (json.at("number").get<std::uint64_t>() != number) {
      return AddError(path, {Code::kCorrupt, "its number is not its name's"});
    }
    for (const auto& one : json.at("partitions")) {
      range.from.emplace_back(one.at("from").get<std::uint64_t>());
      range.to.emplace_back(one.at("to").get<std::uint64_t>());
    }
    CheckState(path.substr(0, path.size() - 5) + ".state",
               json.at("state").at("bytes").get<std::uint64_t>(),
               json.at("state").at("crc32c").get<std::uint32_t>());
  } catch (const nlohmann::json::exception&) {
    // Not the exception's text: it may quote what the file holds.
    return AddError(path, {Code::kCorrupt, "not a hand-off"});
  }
  report_.Count("hand-offs", 1);
  Compare(path, "telemetry", range.to, {}, FindingKind::kHandoffBeyondEnd);
  if (!previous.to.empty() && range.from != previous.to) {
    report_.Add(FindingKind::kHandoffGap, {path, {}, {}});
  }
  previous = std::move(range);
}

void ConsumerCheck::CheckState(const std::string& path, std::uint64_t bytes, std::uint32_t crc) {
  const auto file = disk_.Open(path, OpenMode::kRead);
  if (!file.ok()) return AddError(path, file.error());
  const auto size = (*file)->Size();
  if (!size.ok()) return AddError(path, size.error());
  if (*size != bytes) return AddError(path, {Code::kCorrupt, "not as long as its hand-off says"});
  const auto computed = CrcOf(**file, bytes);
  if (!computed.ok()) return AddError(path, computed.error());
  if (*computed != crc) AddError(path, {Code::kCorrupt, "fails its check"});
}

}  // namespace telltale::app
