#include "app/cmd_rehearse_run.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "app/contract_files.h"
#include "app/layout.h"
#include "app/process.h"
#include "app/streams.h"
#include "app/users.h"
#include "base/erasure_list.h"
#include "base/file_lock.h"
#include "base/stop.h"
#include "control/config_record.h"
#include "control/release_store.h"
#include "internal/v1/internal.pb.h"
#include "log/streams.h"
#include "publish/alert_json.h"
#include "publish/alert_store.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr const char* kStream = "safety";
constexpr std::size_t kBatchBytesMax = 256u << 10;
constexpr std::uint32_t kBatchRecordsMax = 1000;
constexpr std::uint64_t kSegmentBytes = 16u << 20;
constexpr std::uint64_t kProgressEvery = 200'000;
constexpr milliseconds kPoll{50};
constexpr int kStillTurnsMax = 1200;  // of kPoll: a minute without a new mark
constexpr int kTurnsPerProgress = 100;
constexpr std::size_t kChangesBytes = 4u << 20;

using Offsets = std::map<PartitionId, Offset>;

json Identity(const json& line) {
  json identity;
  for (const char* key : {"output_id", "revision", "receipt_time_us"}) {
    if (line.contains(key)) identity[key] = line[key];
  }
  return identity;
}

// Up to where outputs are published: what lies behind cannot be compared.
Result<Offsets> ReadPublished(const Paths& paths, Micros from, RehearsedAlerts& alerts) {
  auto store = publish::AlertStore::OpenReadOnly(paths.publish() + "/alerts.db");
  if (!store.ok() && store.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, "nothing was published here yet: `telltale serve` it first"};
  }
  if (!store.ok()) return Annotate(store.error(), "what was published");
  // First the places, then the alerts: there is no alert missing below a place.
  ASSIGN_OR_RETURN(Offsets places, store->ReadPositions());
  for (std::uint64_t after = 0;;) {
    ASSIGN_OR_RETURN(const auto changes, store->ChangesAfter(after, kChangesBytes));
    if (changes.empty()) return places;
    for (const publish::AlertChange& change : changes) {
      after = change.number;
      const json line = json::parse(change.data, nullptr, /*allow_exceptions=*/false);
      if (!line.is_object()) continue;
      const auto partition = line.value("input_partition", std::uint64_t{0});
      const auto offset = line.value("input_offset", std::uint64_t{0});
      const auto place = places.find(PartitionId{static_cast<std::uint16_t>(partition)});
      if (place == places.end() || offset >= place->second.value) continue;
      // Of what was opened before, only that it was: the store may hold a month.
      const bool is_compared = line.value("receipt_time_us", std::int64_t{0}) >= from.value;
      TakeChange(is_compared ? line : Identity(line), alerts);
    }
  }
}

// A folder like an installation's, for one worker.
class Stage {
 public:
  Stage(Disk& disk, const RehearsalOptions& options, const control::ReleaseContent& content)
      : disk_(disk),
        options_(options),
        content_(content),
        real_(options.dir),
        paths_(real_.data() + "/rehearsal") {}
  ~Stage() { Clear(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Status Prepare() {
    const std::string records = real_.data() + "/control/rehearsals";
    RETURN_IF_ERROR(disk_.MakeFolders(records, 0755));
    auto lock = LockFile(disk_, records + "/.lock");
    if (!lock.ok()) return Annotate(lock.error(), "another rehearsal of this installation runs");
    lock_ = std::move(lock).value();
    Clear();
    ASSIGN_OR_RETURN(streams_, StreamsOf(disk_, options_.dir));
    ASSIGN_OR_RETURN(shape_, streams_->Describe());
    RETURN_IF_ERROR(disk_.MakeFolders(paths_.log() + "/config", 0755));
    RETURN_IF_ERROR(disk_.MakeFolders(paths_.run(), 0755));
    RETURN_IF_ERROR(control::InstallContent(disk_, paths_, content_));
    RETURN_IF_ERROR(WriteConfig());
    return WriteOrder();
  }

  // The records that matter, and how far it came.
  Status CopyRecords(const Offsets& ends, RehearsalRun& run);
  Result<std::vector<std::string>> Command() const;
  Status GiveToPlatform(std::optional<User>& user) const;
  const Paths& paths() const { return paths_; }
  const log::LogShape& shape() const { return shape_; }
  const Offsets& copied() const { return copied_; }

 private:
  void Clear() {
    if (lock_ == nullptr) return;
    std::error_code ignored;
    std::filesystem::remove_all(paths_.root, ignored);
  }
  Status WriteConfig() {
    ASSIGN_OR_RETURN(Config config, Config::Load(disk_, real_.config()));
    config.log_backend = "files";
    config.log_partitions = shape_.partitions;
    config.log_shards = shape_.shards;
    config.logging_level = "error";
    return WriteFileDurably(disk_, paths_.config(), config.ToYaml(), 0644);
  }
  Status WriteOrder();
  Status AppendOrder(log::Log& log);
  Status CopyShard(ShardId shard, const Offsets& ends, log::ShardWriter& writer, RehearsalRun& run);
  Status Append(log::ShardWriter& writer, log::BatchBuilder& batch);

  Disk& disk_;
  const RehearsalOptions& options_;
  const control::ReleaseContent& content_;
  const Paths real_;
  const Paths paths_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<log::Streams> streams_;
  log::LogShape shape_;
  std::string order_;  // the signed config
  Offsets copied_;     // next offset of the copy
  std::unordered_set<VehicleRef, VehicleRefHash> vehicles_;
  Micros started_at_;  // log time from which no vehicle lacks what came before
};

// In here the release is the stable one, whatever is in force outside: it computes every vehicle.
Status Stage::WriteOrder() {
  ASSIGN_OR_RETURN(const control::Contracts contracts, ReadContracts(disk_, real_));
  control::InForce order = contracts.in_force;
  order.config_seq = ConfigSeq{1};
  order.contract_digest = content_.components.at("contract");
  order.stable_release = content_.id();
  order.stable_speaker.clear();
  order.previous_speaker.clear();
  order.next_contract.reset();
  order.rollout.reset();
  order.previous_release.clear();
  order.leader_epoch = 0;
  ASSIGN_OR_RETURN(const seal::KeyPair key, seal::MakeEd25519());
  ASSIGN_OR_RETURN(order_, control::SignConfig(order, key));
  RETURN_IF_ERROR(disk_.MakeFolders(paths_.keys(), 0755));
  RETURN_IF_ERROR(
      seal::StoreKey(disk_, paths_.keys() + "/control.pub", key.public_raw, seal::KeyFile{}));
  const std::string first = control::FirstConfigPath(paths_);
  RETURN_IF_ERROR(disk_.MakeFolders(ParentFolder(first), 0755));
  RETURN_IF_ERROR(WriteFileDurably(disk_, first, order_, 0644));
  return WriteFileDurably(disk_, fmt::format("{}/config/{:020}", paths_.log(), 1), order_, 0644);
}

Status Stage::AppendOrder(log::Log& log) {
  std::vector<log::Log::LedgerEntry> entries;
  for (std::uint16_t p = 0; p < shape_.partitions; ++p) {
    const PartitionId partition{p};
    log::BatchBuilder batch(partition);
    log::RecordHeader header;
    header.kind = log::RecordKind::kConfig;
    batch.Add(header, "", AsBytes(order_));
    RETURN_IF_ERROR(Append(log.shard(log::ShardOf(partition, shape_.shards)), batch));
    entries.push_back({0, partition, Offset{0}, ConfigSeq{1}, HexEncode(seal::Sha256(order_))});
  }
  return log.AppendLedger(entries);
}

Status Stage::Append(log::ShardWriter& writer, log::BatchBuilder& batch) {
  if (batch.count() == 0) return Ok();
  const std::array staged = {log::ShardWriter::Staged{0, &batch}};
  auto appended = writer.Append(staged);
  if (!appended.ok() && appended.error().code == Code::kOverloaded) {
    RETURN_IF_ERROR(writer.SyncNow());
    appended = writer.Append(staged);
  }
  if (!appended.ok()) return Annotate(appended.error(), "copying records for the rehearsal");
  copied_[batch.partition()] = writer.next_offset(0, batch.partition());
  batch.Clear(batch.partition());
  return Ok();
}

Status Stage::CopyShard(ShardId shard, const Offsets& ends, log::ShardWriter& writer,
                        RehearsalRun& run) {
  ErasureList erased(disk_, real_.erasure_list());
  RETURN_IF_ERROR(erased.Refresh());
  const Micros begin = options_.from - options_.warm_up;
  ASSIGN_OR_RETURN(const auto reader, streams_->OpenReader(kStream, shard, {}));
  std::map<PartitionId, log::BatchBuilder> batches;
  std::unordered_set<std::uint16_t> begun;
  while (true) {
    ASSIGN_OR_RETURN(const log::RecordView* record, reader->Next());
    if (record == nullptr) break;
    if (begun.insert(record->partition.value).second && record->offset.value > 0) {
      // Retention took what came before: here too the warm-up is waited for.
      started_at_ = std::max(started_at_, record->log_time + options_.warm_up);
    }
    const auto end = ends.find(record->partition);
    if (end == ends.end() || record->offset >= end->second || record->log_time < begin) continue;
    run.to = std::max(run.to, record->log_time);
    if (record->header.kind != log::RecordKind::kData) continue;
    if (erased.Contains(record->header.vehicle)) continue;
    log::BatchBuilder& batch =
        batches.try_emplace(record->partition, record->partition).first->second;
    batch.Add(record->header, record->firmware, record->payload);
    vehicles_.insert(record->header.vehicle);
    if (++run.records % kProgressEvery == 0) {
      options_.progress(fmt::format("{} records copied", run.records));
      if (StopRequested()) return Error{Code::kUnavailable, "asked to stop"};
    }
    if (batch.count() < kBatchRecordsMax && batch.bytes() < kBatchBytesMax) continue;
    RETURN_IF_ERROR(Append(writer, batch));
  }
  for (auto& [partition, batch] : batches) RETURN_IF_ERROR(Append(writer, batch));
  return writer.SyncNow();
}

Status Stage::CopyRecords(const Offsets& ends, RehearsalRun& run) {
  ASSIGN_OR_RETURN(const auto log, log::Log::Open(disk_, {.dir = paths_.log(),
                                                          .streams = {kStream},
                                                          .partitions = shape_.partitions,
                                                          .shards = shape_.shards,
                                                          .segment_bytes = kSegmentBytes}));
  RETURN_IF_ERROR(AppendOrder(*log));
  for (std::uint16_t shard = 0; shard < shape_.shards; ++shard) {
    RETURN_IF_ERROR(CopyShard(ShardId{shard}, ends, log->shard(ShardId{shard}), run));
  }
  run.vehicles = vehicles_.size();
  run.from = std::max(options_.from, started_at_);
  options_.progress(fmt::format("{} records of {} vehicles copied", run.records, run.vehicles));
  return Ok();
}

Result<std::vector<std::string>> Stage::Command() const {
  const std::string& digest = content_.components.at("engine");
  std::string engine = paths_.data() + "/engines/" + digest;
  if (content_.Find("engine") == nullptr) {
    // Of `telltale init`: the installation's own.
    ASSIGN_OR_RETURN(const Layout layout, Layout::OfThisProgram());
    engine = layout.worker;
    ASSIGN_OR_RETURN(const std::string here, control::DigestOfFile(disk_, engine));
    if (here != digest) {
      return Error{Code::kNotFound,
                   fmt::format("the engine of this release is not here, {} is another one; build "
                               "the release anew",
                               engine)};
    }
  }
  return std::vector<std::string>{engine, "--dir", paths_.root, "--release", content_.id()};
}

// What runs foreign code runs as the platform's user, where there is one.
Status Stage::GiveToPlatform(std::optional<User>& user) const {
  ASSIGN_OR_RETURN(const std::optional<Users> users, UsersOf(real_));
  if (!users) return Ok();
  user = users->platform;
  RETURN_IF_ERROR(SetOwner(paths_.root, *user, user->gid));
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(paths_.root, error)) {
    RETURN_IF_ERROR(SetOwner(entry.path().string(), *user, user->gid));
  }
  if (error) return Error{Code::kUnavailable, paths_.root + ": " + error.message()};
  return Ok();
}

// What the worker's journal says, so far.
class JournalTail {
 public:
  JournalTail(Disk& disk, std::string dir, ShardId shard)
      : disk_(disk), dir_(std::move(dir)), shard_(shard) {}

  // True when it moved on.
  Result<bool> Read(RehearsedAlerts& alerts, Offsets& marks) {
    if (reader_ == nullptr) {
      auto opened = log::Reader::Open(disk_, dir_, "journal", shard_, {});
      if (!opened.ok() && opened.error().code == Code::kNotFound) return false;
      if (!opened.ok()) return opened.error();
      reader_ = std::move(opened).value();
    }
    for (bool moved = false;; moved = true) {
      ASSIGN_OR_RETURN(const log::RecordView* record, reader_->Next());
      if (record == nullptr) return moved;
      internal::v1::JournalEntry entry;
      if (!entry.ParseFromArray(record->payload.data(), static_cast<int>(record->payload.size()))) {
        return Error{Code::kCorrupt, "the engine wrote a journal that cannot be read"};
      }
      if (entry.has_progress()) {
        Offset& mark = marks[record->partition];
        mark = std::max(mark, Offset{entry.progress().below_offset()});
      } else if (entry.has_output()) {
        TakeChange(json::parse(publish::AlertJson(entry.output(), publish::Authority{}, Micros{0})),
                   alerts);
      }
    }
  }

 private:
  Disk& disk_;
  const std::string dir_;
  const ShardId shard_;
  std::unique_ptr<log::Reader> reader_;
};

// The engine as a process, ended with this object.
class Engine {
 public:
  static Result<Engine> Start(std::vector<std::string> command, std::optional<User> user) {
    Program program;
    program.name = "the release's engine";
    program.arguments = std::move(command);
    program.variables = {"TELLTALE_LOG_BACKEND=files", "TELLTALE_LOGGING_LEVEL=error"};
    program.user = user;
    ASSIGN_OR_RETURN(const pid_t pid, app::Start(program));
    return Engine(pid);
  }
  Engine(Engine&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Engine& operator=(Engine&&) = delete;
  ~Engine() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    [[maybe_unused]] const auto ended = WaitFor(pid_);
  }

  Status StillRuns() {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return Ok();
    pid_ = 0;
    return Error{Code::kUnavailable, "the release's engine " + DescribeEnd(status) +
                                         " before it had read everything; see its words above"};
  }

 private:
  explicit Engine(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

bool AllReached(const Offsets& copied, const Offsets& marks) {
  return std::all_of(copied.begin(), copied.end(), [&](const auto& one) {
    const auto mark = marks.find(one.first);
    // A lone config record is no input.
    return one.second.value <= 1 || (mark != marks.end() && mark->second >= one.second);
  });
}

Status Follow(Disk& disk, const RehearsalOptions& options, const Stage& stage,
              const std::string& release, RehearsalRun& run) {
  std::optional<User> user;
  RETURN_IF_ERROR(stage.GiveToPlatform(user));
  ASSIGN_OR_RETURN(std::vector<std::string> command, stage.Command());
  ASSIGN_OR_RETURN(Engine engine, Engine::Start(std::move(command), user));
  std::vector<JournalTail> tails;
  for (std::uint16_t shard = 0; shard < stage.shape().shards; ++shard) {
    tails.emplace_back(disk, stage.paths().journal() + "/" + release, ShardId{shard});
  }
  Offsets marks;
  int still = 0;
  for (int turn = 1; !AllReached(stage.copied(), marks); ++turn) {
    bool moved = false;
    for (JournalTail& tail : tails) {
      ASSIGN_OR_RETURN(const bool one, tail.Read(run.rehearsed, marks));
      moved = moved || one;
    }
    still = moved ? 0 : still + 1;
    if (still > kStillTurnsMax) {
      return Error{Code::kUnavailable, "the release's engine came no further for a minute"};
    }
    if (turn % kTurnsPerProgress == 0) {
      std::uint64_t done = 0;
      for (const auto& [partition, mark] : marks) done += mark.value;
      options.progress(fmt::format("{} of {} records rehearsed", done, run.records));
    }
    if (moved) continue;
    RETURN_IF_ERROR(engine.StillRuns());
    if (WaitForStop(kPoll)) return Error{Code::kUnavailable, "asked to stop"};
  }
  return Ok();
}

}  // namespace

Result<RehearsalRun> Rehearse(Disk& disk, const RehearsalOptions& options,
                              const control::ReleaseContent& content) {
  RehearsalRun run;
  const Paths paths(options.dir);
  Stage stage(disk, options, content);
  RETURN_IF_ERROR(stage.Prepare());
  ASSIGN_OR_RETURN(const Offsets ends, ReadPublished(paths, options.from, run.published));
  RETURN_IF_ERROR(stage.CopyRecords(ends, run));
  if (run.records > 0) RETURN_IF_ERROR(Follow(disk, options, stage, content.id(), run));
  return run;
}

}  // namespace telltale::app
