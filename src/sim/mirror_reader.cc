#include "sim/mirror_reader.h"

#include <spdlog/spdlog.h>

#include "log/retention.h"

namespace telltale::sim {
namespace {

constexpr const char* kStream = "telemetry";
constexpr const char* kPlace = "position";

}  // namespace

MirrorReader::MirrorReader(Parts parts, MirrorReaderOptions options)
    : parts_(parts),
      options_(std::move(options)),
      erased_(parts_.disk, options_.erasure_list),
      read_(parts_.counters.Get("records_read")),
      taken_(parts_.counters.Get("records_of_the_cohort")),
      expired_(parts_.counters.Get("places_expired")),
      behind_(parts_.counters.Drops("mirror", Reason::kMirrorBehind)),
      erased_count_(parts_.counters.Drops("mirror", Reason::kErased)) {}

Result<std::unique_ptr<MirrorReader>> MirrorReader::Open(Parts parts, MirrorReaderOptions options) {
  std::unique_ptr<MirrorReader> reader(new MirrorReader(parts, std::move(options)));
  ASSIGN_OR_RETURN(reader->first_ends_, parts.streams.Ends(kStream));
  reader->readers_.resize(reader->first_ends_.size());
  for (const log::DurableEnd& end : reader->first_ends_) {
    ASSIGN_OR_RETURN(const log::Position from, reader->FirstPlace(end.shard, end));
    RETURN_IF_ERROR(reader->OpenShard(end.shard, from));
  }
  return reader;
}

Result<log::Position> MirrorReader::FirstPlace(ShardId shard, const log::DurableEnd& end) {
  auto kept = log::LoadPosition(parts_.disk, options_.state_dir, kPlace, kStream, shard);
  if (kept.ok() || kept.error().code != Code::kNotFound) return kept;
  if (options_.starts_at_oldest) return log::Position{};
  return log::Position{.next = end.next, .segment = end.segment, .byte = end.byte};
}

Status MirrorReader::OpenShard(ShardId shard, const log::Position& from) {
  auto opened = parts_.streams.OpenReader(kStream, shard, from);
  if (!opened.ok() && log::IsExpired(opened.error())) {
    spdlog::warn("mirror: shard {}: {}; going on at the oldest record kept", shard.value,
                 opened.error().message);
    expired_.Add();
    opened = parts_.streams.OpenReader(kStream, shard, {});
  }
  if (!opened.ok()) return opened.error();
  readers_[shard.value] = std::move(opened).value();
  return Ok();
}

// Removed while it lagged: the same as at a start.
Result<const log::RecordView*> MirrorReader::NextOf(ShardId shard) {
  auto record = readers_[shard.value]->Next();
  if (record.ok() || !log::IsExpired(record.error())) return record;
  const log::Position from = readers_[shard.value]->position();
  RETURN_IF_ERROR(OpenShard(shard, from));
  return readers_[shard.value]->Next();
}

bool MirrorReader::Wants(const log::RecordView& record) {
  if (record.header.kind != log::RecordKind::kData) return false;
  if (!options_.cohort.Contains(record.header.vehicle)) return false;
  if (erased_.Contains(record.header.vehicle)) {
    erased_count_.Add();
    return false;
  }
  if (record.log_time < parts_.clock.NowUtc() - options_.behind_max) {
    behind_.Add();
    return false;
  }
  return true;
}

Result<std::size_t> MirrorReader::Read(std::size_t most,
                                       const std::function<Status(const log::RecordView&)>& take) {
  RETURN_IF_ERROR(erased_.Refresh());
  std::size_t count = 0;
  for (std::size_t shard = 0; shard < readers_.size(); ++shard) {
    // Each shard its part: a busy one does not starve the others.
    for (std::size_t i = 0; i < most / readers_.size() + 1; ++i) {
      ASSIGN_OR_RETURN(const log::RecordView* record,
                       NextOf(ShardId{static_cast<std::uint16_t>(shard)}));
      if (record == nullptr) break;
      ++count;
      if (!Wants(*record)) continue;
      taken_.Add();
      RETURN_IF_ERROR(take(*record));
    }
  }
  read_.Add(count);
  return count;
}

bool MirrorReader::past_first_ends() const {
  for (const log::DurableEnd& end : first_ends_) {
    const log::Position& at = readers_[end.shard.value]->position();
    if (log::RecordsBehind(end, at, static_cast<std::uint16_t>(first_ends_.size())) > 0) {
      return false;
    }
  }
  return true;
}

std::vector<log::Position> MirrorReader::positions() const {
  std::vector<log::Position> all;
  for (const auto& reader : readers_) all.push_back(reader->position());
  return all;
}

Status MirrorReader::Save(const std::vector<log::Position>& positions) {
  for (std::size_t shard = 0; shard < positions.size(); ++shard) {
    RETURN_IF_ERROR(log::SavePosition(parts_.disk, options_.state_dir, kPlace, kStream,
                                      ShardId{static_cast<std::uint16_t>(shard)},
                                      positions[shard]));
  }
  return Ok();
}

}  // namespace telltale::sim
