#include "log/durable_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::log {
namespace {

constexpr std::string_view kMagic = "TLTDMAP\n";
constexpr auto kVersion = static_cast<std::uint16_t>(VersionOf(Format::kDurableMap).written);
constexpr auto kMinReader = static_cast<std::uint16_t>(VersionOf(Format::kDurableMap).min_reader);
constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kHeadCheckedFrom = 12;
constexpr std::size_t kSlotHeadBytes = 16;
constexpr std::size_t kPageBytes = 4096;

std::string MapPath(const std::string& dir) { return dir + "/durable.map"; }

// Largest over the shards: shard 0 carries at least as many partitions as any other.
std::size_t SlotBytes(const LogShape& shape) {
  const std::size_t carried = CarriedBy(ShardId{0}, shape);
  const std::size_t bytes = kSlotHeadBytes + shape.streams.size() * (16 + carried * 8);
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

bool IsStreamName(const std::string& name) {
  if (name.empty() || name.size() > kStreamNameBytesMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::string EncodeHead(const LogShape& shape) {
  std::string out(kMagic);
  PutLe(out, std::uint32_t{0});  // CRC, below
  PutLe(out, static_cast<std::uint32_t>(kHeadBytes));
  PutLe(out, kVersion);
  PutLe(out, kMinReader);
  PutLe(out, shape.partitions);
  PutLe(out, shape.shards);
  PutLe(out, static_cast<std::uint16_t>(shape.streams.size()));
  PutLe(out, std::uint16_t{0});
  PutLe(out, static_cast<std::uint32_t>(SlotBytes(shape)));
  for (const std::string& stream : shape.streams) PutBlob(out, stream);
  out.resize(kHeadBytes);
  const std::uint32_t crc = Crc32c(AsBytes(out).subspan(kHeadCheckedFrom));
  std::memcpy(out.data() + 8, &crc, sizeof crc);
  return out;
}

Result<LogShape> DecodeHead(ByteSpan head, const std::string& path) {
  const Error corrupt{Code::kCorrupt, path + " has a broken head"};
  if (head.size() < kHeadBytes || AsText(head.first(kMagic.size())) != kMagic) return corrupt;
  RETURN_IF_ERROR(CheckReadable(Format::kDurableMap, path, GetLe<std::uint16_t>(head.data() + 16),
                                GetLe<std::uint16_t>(head.data() + 18)));
  if (GetLe<std::uint32_t>(head.data() + 8) != Crc32c(head.subspan(kHeadCheckedFrom))) {
    return corrupt;
  }
  ByteReader reader(head.subspan(20));
  LogShape shape;
  shape.partitions = reader.Get<std::uint16_t>();
  shape.shards = reader.Get<std::uint16_t>();
  const auto streams = reader.Get<std::uint16_t>();
  reader.Get<std::uint16_t>();
  const auto slot_bytes = reader.Get<std::uint32_t>();
  if (streams > kStreamsMax) return corrupt;
  for (std::uint16_t i = 0; i < streams; ++i) shape.streams.emplace_back(AsText(reader.TakeBlob()));
  if (!reader.ok() || !CheckShape(shape).ok() || slot_bytes != SlotBytes(shape)) return corrupt;
  return shape;
}

}  // namespace

std::size_t CarriedBy(ShardId shard, const LogShape& shape) {
  if (shard.value >= shape.shards) return 0;
  return (shape.partitions - shard.value + shape.shards - 1u) / shape.shards;
}

Status CheckShape(const LogShape& shape) {
  if (shape.partitions == 0 || shape.partitions > kPartitionsMax) {
    return Error{Code::kInvalid, fmt::format("partitions must be 1 to {}", kPartitionsMax)};
  }
  if (shape.shards == 0 || shape.shards > shape.partitions) {
    return Error{Code::kInvalid, "shards must be 1 to the number of partitions"};
  }
  if (shape.streams.empty() || shape.streams.size() > kStreamsMax) {
    return Error{Code::kInvalid, fmt::format("a log has 1 to {} streams", kStreamsMax)};
  }
  for (const std::string& name : shape.streams) {
    if (!IsStreamName(name)) {
      return Error{Code::kInvalid, "a stream's name is 1 to 32 characters of a-z 0-9 - _"};
    }
    if (std::count(shape.streams.begin(), shape.streams.end(), name) != 1) {
      return Error{Code::kInvalid, "two streams have the same name"};
    }
  }
  return Ok();
}

Status DurableMap::Create(Disk& disk, const std::string& dir, const LogShape& shape) {
  RETURN_IF_ERROR(CheckShape(shape));
  std::string content = EncodeHead(shape);
  content.resize(kHeadBytes + SlotBytes(shape) * 2 * shape.shards);
  return WriteFileDurably(disk, MapPath(dir), content);
}

DurableMap::DurableMap(std::unique_ptr<File> file, LogShape shape)
    : file_(std::move(file)),
      shape_(std::move(shape)),
      slot_bytes_(SlotBytes(shape_)),
      scratch_(shape_.shards) {}

Result<DurableMap> DurableMap::Open(Disk& disk, const std::string& dir, OpenMode mode) {
  ASSIGN_OR_RETURN(auto file, disk.Open(MapPath(dir), mode));
  std::string head(kHeadBytes, '\0');
  ASSIGN_OR_RETURN(const std::size_t got,
                   file->ReadAt(0, {reinterpret_cast<std::uint8_t*>(head.data()), head.size()}));
  ASSIGN_OR_RETURN(LogShape shape, DecodeHead(AsBytes(head).first(got), MapPath(dir)));
  return DurableMap(std::move(file), std::move(shape));
}

std::uint64_t DurableMap::SlotAt(ShardId shard, std::uint64_t slot) const {
  return kHeadBytes + (2ull * shard.value + slot) * slot_bytes_;
}

Result<std::string> DurableMap::ReadSlot(ShardId shard) const {
  const std::size_t expected =
      kSlotHeadBytes + shape_.streams.size() * (16 + CarriedBy(shard, shape_) * 8);
  std::string both(slot_bytes_ + expected, '\0');
  ASSIGN_OR_RETURN(
      const std::size_t got,
      file_->ReadAt(SlotAt(shard, 0), {reinterpret_cast<std::uint8_t*>(both.data()), both.size()}));
  std::string_view newest;
  std::uint64_t newest_commit = 0;
  for (const std::size_t at : {std::size_t{0}, slot_bytes_}) {
    if (got < at + expected) continue;
    const std::string_view slot = std::string_view(both).substr(at, expected);
    if (GetLe<std::uint32_t>(slot.data() + 4) != expected) continue;
    if (GetLe<std::uint32_t>(slot.data()) != Crc32c(AsBytes(slot).subspan(4))) continue;
    const auto commit = GetLe<std::uint64_t>(slot.data() + 8);
    if (!newest.empty() && commit <= newest_commit) continue;
    newest = slot;
    newest_commit = commit;
  }
  return std::string(newest);
}

Result<std::optional<DurableState>> DurableMap::Read(ShardId shard) const {
  ASSIGN_OR_RETURN(const std::string slot, ReadSlot(shard));
  if (slot.empty()) return std::optional<DurableState>();
  ByteReader reader(std::string_view(slot).substr(8));
  DurableState state;
  state.commit = CommitNumber{reader.Get<std::uint64_t>()};
  for (std::size_t i = 0; i < shape_.streams.size(); ++i) {
    state.ends.push_back(Place{reader.Get<std::uint64_t>(), reader.Get<std::uint64_t>()});
  }
  while (reader.remaining() > 0) state.next.push_back(Offset{reader.Get<std::uint64_t>()});
  return std::optional<DurableState>(std::move(state));
}

Result<Place> DurableMap::ReadEnd(ShardId shard, StreamIndex stream) const {
  ASSIGN_OR_RETURN(const std::string slot, ReadSlot(shard));
  if (slot.empty()) return Place{};
  const char* at = slot.data() + kSlotHeadBytes + stream * 16;
  return Place{GetLe<std::uint64_t>(at), GetLe<std::uint64_t>(at + 8)};
}

Status DurableMap::WriteSlot(ShardId shard, std::uint64_t slot, const DurableState& state) {
  std::string& out = scratch_[shard.value];
  out.clear();
  PutLe(out, std::uint32_t{0});
  PutLe(out, std::uint32_t{0});
  PutLe(out, state.commit.value);
  for (const Place& end : state.ends) {
    PutLe(out, end.segment);
    PutLe(out, end.byte);
  }
  for (const Offset next : state.next) PutLe(out, next.value);
  const auto length = static_cast<std::uint32_t>(out.size());
  std::memcpy(out.data() + 4, &length, sizeof length);
  const std::uint32_t crc = Crc32c(AsBytes(out).subspan(4));
  std::memcpy(out.data(), &crc, sizeof crc);
  return file_->WriteAt(SlotAt(shard, slot), AsBytes(out));
}

Status DurableMap::Write(ShardId shard, const DurableState& state) {
  return WriteSlot(shard, state.commit.value % 2, state);
}

Status DurableMap::WriteBoth(ShardId shard, const DurableState& state) {
  RETURN_IF_ERROR(WriteSlot(shard, 0, state));
  RETURN_IF_ERROR(WriteSlot(shard, 1, state));
  return file_->Sync();
}

Result<LogShape> DescribeLog(Disk& disk, const std::string& dir) {
  ASSIGN_OR_RETURN(const DurableMap map, DurableMap::Open(disk, dir, OpenMode::kRead));
  return map.shape();
}

Result<std::vector<DurableEnd>> DurableEnds(Disk& disk, const std::string& dir,
                                            const std::string& stream) {
  ASSIGN_OR_RETURN(const DurableMap map, DurableMap::Open(disk, dir, OpenMode::kRead));
  const LogShape& shape = map.shape();
  const auto found = std::find(shape.streams.begin(), shape.streams.end(), stream);
  if (found == shape.streams.end()) {
    return Error{Code::kNotFound, fmt::format("{} has no stream {}", dir, stream)};
  }
  const auto index = static_cast<StreamIndex>(found - shape.streams.begin());
  std::vector<DurableEnd> ends;
  for (std::uint16_t s = 0; s < shape.shards; ++s) {
    DurableEnd end;
    end.shard = ShardId{s};
    end.next.resize(shape.partitions);
    ASSIGN_OR_RETURN(const auto state, map.Read(end.shard));
    if (state.has_value()) {
      const std::size_t carried = CarriedBy(end.shard, shape);
      end.commit = state->commit;
      end.segment = state->ends[index].segment;
      end.byte = state->ends[index].byte;
      for (std::size_t i = 0; i < carried; ++i) {
        end.next[CarriedPartition(i, end.shard, shape.shards).value] =
            state->next[index * carried + i];
      }
    }
    ends.push_back(std::move(end));
  }
  return ends;
}

}  // namespace telltale::log
