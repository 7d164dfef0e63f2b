// Bytes of a Position: docs/formats/position.md.
#include <fmt/format.h>

#include "base/checksum.h"
#include "base/format_version.h"
#include "log/log.h"

namespace telltale::log {
namespace {

constexpr std::string_view kMagic = "TLPO";
constexpr auto kVersion = static_cast<std::uint16_t>(VersionOf(Format::kPosition).written);
constexpr auto kMinReader = static_cast<std::uint16_t>(VersionOf(Format::kPosition).min_reader);
constexpr std::size_t kCheckedFrom = 8;
// The log's owner reads it, and a consumer may run as another user. Offsets are no secret.
constexpr std::uint32_t kPositionPermissions = 0644;
constexpr std::uint64_t kPositionBytesMax = 32 + 8ull * kPartitionsMax;

std::string PathOf(const std::string& positions_dir, const std::string& consumer,
                   const std::string& stream, ShardId shard) {
  return fmt::format("{}/{}/{}-{}", positions_dir, consumer, stream, shard.value);
}

}  // namespace

std::string Position::Encode() const {
  std::string out(kMagic);
  PutLe(out, std::uint32_t{0});  // CRC, below
  PutLe(out, kVersion);
  PutLe(out, kMinReader);
  PutLe(out, segment);
  PutLe(out, byte);
  PutLe(out, static_cast<std::uint32_t>(next.size()));
  for (const Offset offset : next) PutLe(out, offset.value);
  const std::uint32_t crc = Crc32c(AsBytes(out).subspan(kCheckedFrom));
  std::memcpy(out.data() + 4, &crc, sizeof crc);
  return out;
}

Result<Position> Position::Decode(ByteSpan bytes) {
  const Error corrupt{Code::kCorrupt, "a position fails its check"};
  ByteReader reader(bytes);
  if (AsText(reader.Take(kMagic.size())) != kMagic) return corrupt;
  const auto crc = reader.Get<std::uint32_t>();
  if (!reader.ok() || Crc32c(bytes.subspan(kCheckedFrom)) != crc) return corrupt;
  const auto version = reader.Get<std::uint16_t>();
  const auto minimum = reader.Get<std::uint16_t>();
  if (!reader.ok()) return corrupt;
  RETURN_IF_ERROR(CheckReadable(Format::kPosition, "a position", version, minimum));
  Position position;
  position.segment = reader.Get<std::uint64_t>();
  position.byte = reader.Get<std::uint64_t>();
  const auto partitions = reader.Get<std::uint32_t>();
  if (partitions > kPartitionsMax || reader.remaining() != partitions * 8ull) return corrupt;
  for (std::uint32_t i = 0; i < partitions; ++i) {
    position.next.push_back(Offset{reader.Get<std::uint64_t>()});
  }
  if (!reader.ok()) return corrupt;
  return position;
}

Status SavePosition(Disk& disk, const std::string& positions_dir, const std::string& consumer,
                    const std::string& stream, ShardId shard, const Position& position) {
  const std::string path = PathOf(positions_dir, consumer, stream, shard);
  // Made by the first save only: the folder may belong to another user who lets us write in it.
  if (!disk.Exists(ParentFolder(path))) {
    RETURN_IF_ERROR(disk.MakeFolders(ParentFolder(path)));
    RETURN_IF_ERROR(disk.SyncFolder(positions_dir));
  }
  return WriteFileDurably(disk, path, position.Encode(), kPositionPermissions);
}

Result<Position> LoadPosition(Disk& disk, const std::string& positions_dir,
                              const std::string& consumer, const std::string& stream,
                              ShardId shard) {
  const std::string path = PathOf(positions_dir, consumer, stream, shard);
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk, path, kPositionBytesMax));
  auto position = Position::Decode(AsBytes(bytes));
  if (!position.ok()) return Annotate(position.error(), path);
  return position;
}

std::uint64_t RecordsBehind(const DurableEnd& end, const Position& position, std::uint16_t shards) {
  std::uint64_t behind = 0;
  for (std::size_t p = end.shard.value; p < end.next.size(); p += shards) {
    const std::uint64_t at = p < position.next.size() ? position.next[p].value : 0;
    behind += end.next[p].value > at ? end.next[p].value - at : 0;
  }
  return behind;
}

}  // namespace telltale::log
