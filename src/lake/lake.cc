#include "lake/lake.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "base/checksum.h"
#include "base/sha256.h"
#include "contract/config_wire.h"
#include "lake/iceberg.h"
#include "lake/parquet_file.h"
#include "log/retention.h"

namespace telltale::lake {
namespace {

constexpr int kSliceRecords = 8192;
constexpr std::uint64_t kStateBytesMax = 16ull << 30;
constexpr char kStream[] = "telemetry";
constexpr char kConsumer[] = "lake";

Result<PartitionConfig> ConfigOf(ByteSpan payload) {
  const auto parsed = contract::ParseConfig(payload);
  if (!parsed.ok()) return Error{Code::kCorrupt, "a config record cannot be read"};
  const internal::v1::ConfigRecord& record = *parsed;
  // The log's owner checked control's signature before it appended; no crypto here.
  // Rows of both contracts lie in one table: its columns are the next one's, where there is one.
  const bool has_next = record.has_next_contract();
  return PartitionConfig{record.config_seq(),
                         has_next ? record.next_contract().number() : record.contract_number(),
                         has_next ? record.next_contract().digest() : record.contract_digest(),
                         contract::StableInForce(record), record.environment()};
}

}  // namespace

Lake::Lake(Disk& disk, Clock& clock, Counters& counters, LakeOptions options)
    : disk_(disk),
      clock_(clock),
      counters_(counters),
      options_(std::move(options)),
      erased_(options_.erased_list),
      intake_(options_.partitions, counters),
      positions_(options_.shards),
      from_(options_.partitions),
      arrivals_columns_(ArrivalsColumns()),
      coverage_columns_(CoverageColumns()),
      rows_total_(counters.Get("lake.rows_total")),
      files_total_(counters.Get("lake.files_total")),
      shards_stopped_(counters.Get("lake.shards_stopped")),
      shards_expired_(counters.Get("lake.shards_expired")),
      handoffs_total_(counters.Get("lake.handoffs_total")),
      coverage_shared_(counters.Get("lake.coverage_shared_total")) {
  for (log::Position& position : positions_) position.next.resize(options_.partitions);
}

Result<std::unique_ptr<Lake>> Lake::Open(Disk& disk, Clock& clock, Counters& counters,
                                         LakeOptions options, const OpenReader& open) {
  auto lake = std::unique_ptr<Lake>(new Lake(disk, clock, counters, std::move(options)));
  RETURN_IF_ERROR(disk.MakeFolders(lake->handoff_folder(), 0750));
  ASSIGN_OR_RETURN(lake->lock_, LockFile(disk, lake->options_.lake_folder + "/lake.lock"));
  RETURN_IF_ERROR(lake->Resume());
  RETURN_IF_ERROR(lake->HeedErased());
  if (lake->options_.shadow) RETURN_IF_ERROR(lake->BeginShadow());
  RETURN_IF_ERROR(lake->OpenReaders(open));
  auto arrivals = TableBuilder::Make(lake->arrivals_columns_, counters);
  if (!arrivals.ok()) return FromArrow(arrivals.status(), "preparing table arrivals");
  lake->arrivals_builder_ = std::move(arrivals).ValueUnsafe();
  auto coverage = TableBuilder::Make(lake->coverage_columns_, counters);
  if (!coverage.ok()) return FromArrow(coverage.status(), "preparing table coverage");
  lake->coverage_builder_ = std::move(coverage).ValueUnsafe();
  lake->cut_at_ = clock.NowMonotonic();
  return lake;
}

Status Lake::OpenReaders(const OpenReader& open) {
  readers_.resize(options_.shards);
  stopped_.resize(options_.shards);
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    // A position without offsets begins at the oldest record kept.
    const log::Position from = options_.shadow ? log::Position{} : positions_[shard];
    auto reader = open(ShardId{shard}, from);
    if (!reader.ok() && log::IsExpired(reader.error())) {
      StopShard(shard, reader.error());
      continue;
    }
    if (!reader.ok()) return reader.error();
    if ((*reader)->partitions() != options_.partitions) {
      return Error{Code::kInvalid, "the log has " + std::to_string((*reader)->partitions()) +
                                       " partitions, the configuration says " +
                                       std::to_string(options_.partitions)};
    }
    readers_[shard] = std::move(reader).value();
    if (!options_.shadow) continue;
    positions_[shard] = readers_[shard]->position();
    for (std::size_t p = shard; p < options_.partitions; p += options_.shards) {
      from_[p] = positions_[shard].next[p];
    }
  }
  return Ok();
}

Status Lake::BeginShadow() {
  const ShadowRun& run = *options_.shadow;
  if (number_ != 0) return Error{Code::kInvalid, "the folder of a shadow run is not empty"};
  newest_ = PartitionConfig{0, 0, run.contract, run.release, ""};
  for (std::uint16_t p = 0; p < options_.partitions; ++p) intake_.config(PartitionId{p}) = newest_;
  return LoadContract(newest_);
}

Status Lake::Resume() {
  ASSIGN_OR_RETURN(number_, NewestHandoff(disk_, handoff_folder()));
  RETURN_IF_ERROR(RemoveOrphans(disk_, options_.lake_folder, number_));
  if (number_ == 0) return Ok();
  const std::string path = HandoffPath(handoff_folder(), number_);
  ASSIGN_OR_RETURN(const std::string json, ReadWholeFile(disk_, path, kStateBytesMax));
  ASSIGN_OR_RETURN(const Handoff handoff, ParseHandoff(json));
  if (handoff.number != number_ || handoff.to.size() != options_.partitions ||
      handoff.positions.size() != options_.shards) {
    return Error{Code::kInvalid, path + " is of another number, or of a log of another shape"};
  }
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    ASSIGN_OR_RETURN(positions_[shard], log::Position::Decode(AsBytes(handoff.positions[shard])));
  }
  from_ = handoff.to;
  erased_told_ = handoff.erased_lines;
  ASSIGN_OR_RETURN(const std::string file,
                   ReadWholeFile(disk_, StatePath(handoff_folder(), number_), kStateBytesMax));
  ASSIGN_OR_RETURN(const std::string_view body, StateBody(number_, file));
  ByteReader in(body);
  RETURN_IF_ERROR(intake_.Decode(in));
  // Not handoff.config: a hand-off that was cut for a new contract lies under the old one.
  for (std::uint16_t p = 0; p < options_.partitions; ++p) {
    const PartitionConfig& config = intake_.config(PartitionId{p});
    if (config.config_seq > newest_.config_seq) newest_ = config;
  }
  if (newest_.config_seq != 0) RETURN_IF_ERROR(LoadContract(Widest()));
  // A crash between the hand-off and this: retention may hold too much for one cadence, no more.
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    RETURN_IF_ERROR(log::SavePosition(disk_, options_.positions_folder, kConsumer, kStream,
                                      ShardId{shard}, positions_[shard]));
  }
  return Ok();
}

Status Lake::LoadContract(const PartitionConfig& config) {
  if (!IsSha256Hex(config.contract_digest)) {
    return Error{Code::kInvalid, "a config record names a contract digest that is none"};
  }
  if (config.contract_digest != columns_digest_) {
    const std::string path = options_.contracts_folder + "/" + config.contract_digest + ".desc";
    ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, path));
    ASSIGN_OR_RETURN(const auto contract, contract::Contract::FromDescriptorSet(bytes));
    std::vector<std::string> skipped;
    // The builder points into the columns it was made for.
    telemetry_builder_.reset();
    columns_ = TelemetryColumns(*contract, &skipped);
    for (const std::string& name : skipped) {
      spdlog::warn("field {} has a shape without a column number; it stays in the stream", name);
    }
    auto builder = TableBuilder::Make(columns_, counters_);
    if (!builder.ok()) return FromArrow(builder.status(), "preparing table telemetry");
    telemetry_builder_ = std::move(builder).ValueUnsafe();
    telemetry_builder_->CountCoverage();
  }
  columns_digest_ = config.contract_digest;
  spdlog::info("contract {}: {} columns", config.contract_number, columns_.size());
  return Ok();
}

// A partition is read until its own config record: where the fleet went back to an older contract,
// others still bring records of the newer one.
const PartitionConfig& Lake::Widest() {
  const PartitionConfig* widest = &intake_.config(PartitionId{0});
  for (std::uint16_t p = 1; p < options_.partitions; ++p) {
    const PartitionConfig& config = intake_.config(PartitionId{p});
    if (config.contract_number > widest->contract_number) widest = &config;
  }
  return *widest;
}

Status Lake::SeeConfig(const log::RecordView& record) {
  ASSIGN_OR_RETURN(PartitionConfig config, ConfigOf(record.payload));
  if (options_.shadow) {
    config.contract_digest = options_.shadow->contract;
    config.release = options_.shadow->release;
  }
  PartitionConfig& current = intake_.config(record.partition);
  if (config.config_seq <= current.config_seq) return Ok();  // repeated, or older: ignored
  current = config;
  // What was read under the old contract is written under the old contract. The reader's position
  // is behind this record already, and so is the state.
  const PartitionConfig& widest = Widest();
  const bool has_changed = widest.contract_digest != columns_digest_;
  if (has_changed && !buffer_.rows().empty()) RETURN_IF_ERROR(Cut());
  if (config.config_seq > newest_.config_seq) newest_ = config;
  return has_changed ? LoadContract(widest) : Ok();
}

Status Lake::See(const log::RecordView& record) {
  intake_.SeeLogTime(record);
  switch (record.header.kind) {
    case log::RecordKind::kTick:
      return Ok();
    case log::RecordKind::kConfig:
      return SeeConfig(record);
    case log::RecordKind::kData: {
      const PartitionConfig& config = intake_.config(record.partition);
      if (options_.shadow && !options_.shadow->Has(record.header.vehicle)) return Ok();
      if (!options_.shadow && config.config_seq == 0) {
        return Error{Code::kCorrupt, "partition " + std::to_string(record.partition.value) +
                                         " has data before its first config record"};
      }
      ASSIGN_OR_RETURN(const TelemetryPayload payload, ParseTelemetryPayload(record));
      const auto accepted = intake_.See(record, payload);
      if (accepted) buffer_.Add(record, payload, *accepted, config);
      return Ok();
    }
    case log::RecordKind::kQuarantine:
      break;
  }
  return Error{Code::kUnsupported,
               "partition " + std::to_string(record.partition.value) + " offset " +
                   std::to_string(record.offset.value) +
                   " of stream telemetry has a record of a kind this program does not know"};
}

// A broken place stays broken, and what was removed does not come back. What lies before it, and
// the other shards, go into the table.
void Lake::StopShard(std::uint16_t shard, const Error& why) {
  spdlog::error("shard {} stopped, the others go on: {}", shard, why.ToString());
  stopped_[shard] = true;
  shards_stopped_.Add();
  if (log::IsExpired(why)) shards_expired_.Add();
}

const log::Position& Lake::PositionOf(std::uint16_t shard) const {
  return readers_[shard] == nullptr ? positions_[shard] : readers_[shard]->position();
}

Result<bool> Lake::ReadShard(std::uint16_t shard) {
  bool has_read = false;
  for (int i = 0; i < kSliceRecords; ++i) {
    const auto next = readers_[shard]->Next();
    if (!next.ok()) {
      if (next.error().code != Code::kCorrupt && next.error().code != Code::kUnsupported &&
          !log::IsExpired(next.error())) {
        return next.error();
      }
      StopShard(shard, next.error());
      return has_read;
    }
    if (*next == nullptr) return has_read;
    RETURN_IF_ERROR(See(**next));
    ++records_;
    has_read = true;
  }
  return has_read;
}

Status Lake::HeedErased() {
  ASSIGN_OR_RETURN(const bool is_longer, erased_.Refresh(disk_));
  if (!is_longer) return Ok();
  const auto is_erased = [this](VehicleRef vehicle) { return erased_.Has(vehicle); };
  counters_.Drops("lake", Reason::kErased).Add(buffer_.Erase(is_erased));
  const std::size_t vehicles = intake_.Erase(is_erased);
  spdlog::info("erased: {} lines in the list, state of {} vehicles dropped", erased_.lines(),
               vehicles);
  return Ok();
}

Result<bool> Lake::Step() {
  RETURN_IF_ERROR(HeedErased());
  if (erased_.lines() != erased_told_) RETURN_IF_ERROR(Cut());
  bool has_read = false;
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    if (stopped_[shard]) continue;
    ASSIGN_OR_RETURN(const bool read, ReadShard(shard));
    has_read = has_read || read;
    if (buffer_.rows().size() >= options_.rows_max || buffer_.bytes() >= options_.bytes_max ||
        intake_.pending_arrivals() >= options_.rows_max) {
      RETURN_IF_ERROR(Cut());
    }
  }
  if (clock_.NowMonotonic() - cut_at_ >= options_.cadence) RETURN_IF_ERROR(Cut());
  return has_read;
}

bool Lake::HasMoved() const {
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    if (PositionOf(shard).next != positions_[shard].next) return true;
  }
  return false;
}

Status Lake::WriteFile(std::uint64_t number, HandoffTable& table, TableBuilder& builder,
                       std::int32_t day, std::int32_t bucket) {
  auto batch = builder.Finish();
  if (!batch.ok()) return FromArrow(batch.status(), "building columns");
  DataFile file;
  file.day = day;
  file.bucket = bucket;
  const std::string data = "warehouse/" + table.name + "/data";
  const std::string folder = data + "/" + table.time_column_name + "_day=" + DayName(day);
  file.path = folder + "/" + NumberName(number) + "-" + std::to_string(bucket) + ".parquet";
  RETURN_IF_ERROR(disk_.MakeFolders(options_.lake_folder + "/" + folder, 0750));
  RETURN_IF_ERROR(WriteParquet(disk_, options_.lake_folder + "/" + file.path, *batch, file));
  table.files.push_back(std::move(file));
  files_total_.Add();
  return Ok();
}

Status Lake::WriteTelemetry(std::uint64_t number, HandoffTable& table) {
  std::vector<Row>& rows = buffer_.rows();
  VehicleRef bucket_of;
  std::int32_t bucket = -1;
  for (Row& row : rows) {
    if (bucket < 0 || row.vehicle != bucket_of) {
      bucket_of = row.vehicle;
      bucket = BucketOf(row.vehicle.ToHex(), kVehicleBuckets);
    }
    row.bucket = bucket;
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.day, a.bucket, a.vehicle, a.event_time, a.partition, a.offset) <
           std::tie(b.day, b.bucket, b.vehicle, b.event_time, b.partition, b.offset);
  });
  telemetry_builder_->CountCoverage().Begin(buffer_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const arrow::Status appended = telemetry_builder_->AppendRow(rows[i], buffer_);
    if (!appended.ok()) return FromArrow(appended, "building columns");
    const bool is_last = i + 1 == rows.size() || rows[i + 1].day != rows[i].day ||
                         rows[i + 1].bucket != rows[i].bucket;
    if (!is_last) continue;
    RETURN_IF_ERROR(WriteFile(number, table, *telemetry_builder_, rows[i].day, rows[i].bucket));
  }
  return Ok();
}

Status Lake::WriteArrivals(std::uint64_t number, const ArrivalDeltas& deltas, HandoffTable& table) {
  struct Entry {
    std::int32_t day;
    std::int32_t bucket;
    const ArrivalKey* key;
    const ArrivalDelta* delta;
  };
  std::vector<Entry> entries;
  for (const auto& [key, delta] : deltas) {
    entries.push_back(
        {DayOf(key.hour), BucketOf(key.vehicle.ToHex(), kVehicleBuckets), &key, &delta});
  }
  // Deltas come by vehicle, boot, hour; the table is sorted by vehicle and hour.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.day, a.bucket, a.key->vehicle, a.key->hour, a.key->boot) <
           std::tie(b.day, b.bucket, b.key->vehicle, b.key->hour, b.key->boot);
  });
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    const arrow::Status appended = arrivals_builder_->AppendArrival(
        *entry.key, *entry.delta, intake_.config(entry.delta->partition));
    if (!appended.ok()) return FromArrow(appended, "building columns");
    const bool is_last = i + 1 == entries.size() || entries[i + 1].day != entry.day ||
                         entries[i + 1].bucket != entry.bucket;
    if (is_last)
      RETURN_IF_ERROR(WriteFile(number, table, *arrivals_builder_, entry.day, entry.bucket));
  }
  return Ok();
}

// After WriteTelemetry(), which counts.
Status Lake::WriteCoverage(std::uint64_t number, const Coverage& coverage, HandoffTable& table) {
  const std::vector<Coverage::Slice>& slices = coverage.slices();
  std::vector<std::size_t> order(slices.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tie(slices[a].day, slices[a].firmware, a) <
           std::tie(slices[b].day, slices[b].firmware, b);
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Coverage::Slice& slice = slices[order[i]];
    const PartitionConfig& config = buffer_.configs()[slice.newest.config];
    for (std::size_t f = 0; f < coverage.fields().size(); ++f) {
      const arrow::Status appended = coverage_builder_->AppendCoverage(
          slice, coverage.fields()[f], coverage.counts(order[i], f), config);
      if (!appended.ok()) return FromArrow(appended, "building columns");
    }
    const bool is_last = i + 1 == order.size() || slices[order[i + 1]].day != slice.day;
    if (is_last) RETURN_IF_ERROR(WriteFile(number, table, *coverage_builder_, slice.day, 0));
  }
  coverage_shared_.Add(coverage.shared_reports());
  return Ok();
}

Status Lake::WriteHandoff(Handoff& handoff) {
  std::string body;
  intake_.Forget();
  intake_.Encode(body);
  const std::string state = StateFile(handoff.number, body);
  handoff.state_bytes = state.size();
  handoff.state_crc32c = Crc32c(AsBytes(state));
  // Folders first: the files in them are synced already.
  std::set<std::string> folders;
  for (const HandoffTable& table : handoff.tables) {
    for (const DataFile& file : table.files) {
      const std::string folder = ParentFolder(options_.lake_folder + "/" + file.path);
      folders.insert(folder);
      folders.insert(ParentFolder(folder));
    }
  }
  for (const std::string& folder : folders) RETURN_IF_ERROR(disk_.SyncFolder(folder));
  RETURN_IF_ERROR(
      WriteFileDurably(disk_, StatePath(handoff_folder(), handoff.number), state, 0640));
  return WriteFileDurably(disk_, HandoffPath(handoff_folder(), handoff.number),
                          HandoffJson(handoff), 0640);
}

Status Lake::Cut() {
  cut_at_ = clock_.NowMonotonic();
  const bool is_erasing = erased_.lines() != erased_told_;
  if (!HasConfig() || (!HasMoved() && !is_erasing)) return Ok();
  Handoff handoff;
  handoff.number = number_ + 1;
  handoff.written_at = clock_.NowUtc();
  handoff.config = newest_;
  handoff.erased_lines = erased_.lines();
  handoff.from = from_;
  handoff.to = from_;
  std::vector<log::Position> positions;
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    positions.push_back(PositionOf(shard));
    handoff.positions.push_back(positions.back().Encode());
    for (std::size_t p = shard; p < options_.partitions; p += options_.shards) {
      handoff.to[p] = positions.back().next[p];
    }
  }
  const std::size_t rows = buffer_.rows().size();
  const ArrivalDeltas deltas = intake_.TakeArrivals();
  constexpr std::int32_t kTimeId = contract::kFieldEventTimeUs;
  handoff.tables = {{"telemetry",
                     IcebergSchemaJson(columns_),
                     kTimeId,
                     "event_time",
                     {kVehicleRefId, kTimeId},
                     /*is_of_vehicles=*/true,
                     {}},
                    {"arrivals",
                     IcebergSchemaJson(arrivals_columns_),
                     kHourId,
                     "hour",
                     {kVehicleRefId, kHourId},
                     /*is_of_vehicles=*/true,
                     {}},
                    {"coverage",
                     IcebergSchemaJson(coverage_columns_),
                     kDayId,
                     "day",
                     {kFirmwareId, kFieldNumberId},
                     /*is_of_vehicles=*/false,
                     {}}};
  RETURN_IF_ERROR(WriteTelemetry(handoff.number, handoff.tables[0]));
  RETURN_IF_ERROR(WriteArrivals(handoff.number, deltas, handoff.tables[1]));
  RETURN_IF_ERROR(
      WriteCoverage(handoff.number, telemetry_builder_->CountCoverage(), handoff.tables[2]));
  handoff.counts = {{"records", records_}, {"rows", rows}, {"arrivals", deltas.size()}};
  RETURN_IF_ERROR(WriteHandoff(handoff));
  // From here on the hand-off is real, and the log may let go of what it holds.
  number_ = handoff.number;
  erased_told_ = handoff.erased_lines;
  from_ = handoff.to;
  positions_ = std::move(positions);
  buffer_.Clear();
  records_ = 0;
  rows_total_.Add(rows);
  handoffs_total_.Add();
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    RETURN_IF_ERROR(log::SavePosition(disk_, options_.positions_folder, kConsumer, kStream,
                                      ShardId{shard}, positions_[shard]));
  }
  if (rows > 0) spdlog::info("hand-off {}: {} rows", number_, rows);
  return Ok();
}

}  // namespace telltale::lake
