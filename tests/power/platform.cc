#include "platform.h"

#include <fmt/format.h>

#include "gateway/streams.h"
#include "internal/v1/internal.pb.h"
#include "safety/output.h"
#include "seal/seal.h"

namespace telltale::power {
namespace {

constexpr const char* kRules =
    "version: 1\n"
    "rules:\n"
    "- name: warning\n"
    "  kind: edge\n"
    "  field: is_fcw_warning\n"
    "  severity: HIGH\n";
constexpr std::uint64_t kSegmentBytes = 64u << 10;
constexpr vault::Windows kWindows = vault::Windows::Days(30);

log::LogOptions GatewayLog() {
  log::LogOptions options;
  options.dir = "/data/log";
  options.streams = gateway::StreamNames();
  options.partitions = kPartitions;
  options.shards = kShards;
  options.segment_bytes = kSegmentBytes;
  options.unsynced_bytes_max = kSegmentBytes;
  return options;
}

log::LogOptions JournalLog() {
  log::LogOptions options = GatewayLog();
  options.dir = "/data/journal/" + kRelease;
  options.streams = {"journal"};
  options.ticks = false;
  return options;
}

std::string ReadContract() {
  PosixDisk disk;
  auto bytes = ReadWholeFile(disk, TELLTALE_BUILD_DIR "/share/telltale/contract.desc");
  CHECK(bytes.ok());
  return std::move(bytes).value();
}

std::shared_ptr<const contract::Contract> LoadContract() {
  auto contract = contract::Contract::FromDescriptorSet(ReadContract());
  CHECK(contract.ok());
  return std::move(contract).value();
}

safety::Engine MakeEngine(const contract::Contract& contract) {
  auto rules = safety::LoadRules(kRules, contract);
  CHECK(rules.ok());
  return safety::Engine(std::move(rules).value());
}

seal::KeyPair Must(Result<seal::KeyPair> made) {
  CHECK(made.ok());
  return std::move(made).value();
}

}  // namespace

struct Platform::GatewayProcess {
  std::unique_ptr<log::Log> log;
  std::vector<std::unique_ptr<seal::Sealer>> sealers;
  std::vector<std::unique_ptr<gateway::BatchProcessor>> processors;
};

struct Platform::WorkerProcess {
  std::unique_ptr<log::Log> journal;
  std::vector<std::unique_ptr<safety::ShardWorker>> shards;
};

struct Platform::VaultProcess {
  std::unique_ptr<vault::GatewayKeys> gateways;
  std::unique_ptr<vault::Opener> opener;
  std::unique_ptr<vault::VaultFolder> folder;
  vault::Store& store() const { return folder->store(); }
  std::unique_ptr<vault::RecordIntake> records;
  std::unique_ptr<vault::Intake> intake;
};

Platform::Platform(SimDisk& disk, ManualClock& clock, std::uint64_t seed)
    : disk_(disk),
      clock_(clock),
      random_(seed),
      gateway_key_(Must(seal::MakeEd25519())),
      vault_key_(Must(seal::MakeX25519())),
      control_key_(Must(seal::MakeEd25519())),
      contract_(LoadContract()),
      engine_(MakeEngine(*contract_)),
      streams_(log::StreamsOnFiles(disk, GatewayLog().dir)),
      vfs_(disk),
      references_(random_) {}

Platform::~Platform() = default;

void Platform::Install() {
  const std::string contract = ReadContract();
  digest_ = HexEncode(seal::Sha256(contract));
  internal::v1::ConfigRecord record;
  record.set_config_seq(1);
  record.set_contract_number(1);
  record.set_contract_digest(digest_);
  record.set_stable_release(kRelease);
  record.set_environment("power");
  internal::v1::SignedConfig envelope;
  envelope.set_record(record.SerializeAsString());
  envelope.set_signature(*seal::SignEd25519(control_key_.private_raw, envelope.record()));
  envelope.set_key_id(seal::KeyId(control_key_.public_raw));
  signed_config_ = envelope.SerializeAsString();
  for (const char* folder :
       {"/data/contracts", "/data/worker", "/vault/gateways", "/data/publish", "/data/registry"}) {
    CHECK(disk_.MakeFolders(folder).ok() && disk_.SyncFolder(ParentFolder(folder)).ok());
  }
  CHECK(disk_.SyncFolder("/").ok());
  CHECK(WriteFileDurably(disk_, "/data/contracts/" + digest_ + ".desc", contract).ok());
  const std::string id = HexEncode(seal::KeyId(gateway_key_.public_raw));
  CHECK(
      seal::StoreKey(disk_, "/vault/gateways/" + id + ".pub", gateway_key_.public_raw, false).ok());
}

Status Platform::StartGateway() {
  if (gateway_) return Ok();
  auto process = std::make_unique<GatewayProcess>();
  ASSIGN_OR_RETURN(process->log, log::Log::Open(disk_, GatewayLog()));
  for (std::uint16_t i = 0; i < kShards; ++i) {
    ASSIGN_OR_RETURN(auto sealer,
                     seal::Sealer::Make(vault_key_.public_raw, gateway_key_.private_raw, clock_));
    process->sealers.push_back(std::move(sealer));
    process->processors.push_back(std::make_unique<gateway::BatchProcessor>(
        gateway::BatchProcessor::Options{kPartitions, kFinestCellLevel},
        gateway::BatchProcessor::Parts{process->log->shard(ShardId{i}), *process->sealers.back(),
                                       clock_, counters_},
        gateway::ContentKey::FromSecret(gateway_key_.private_raw)));
    process->processors.back()->UseContracts({{1, contract_}, {}, {}});
  }
  gateway_ = std::move(process);
  Status in_force = PutConfigInForce();
  if (!in_force.ok()) gateway_.reset();
  return in_force;
}

// As gateway/config_desk.cc: append where the ledger does not say so yet, sync, then the ledger.
Status Platform::PutConfigInForce() {
  std::set<std::pair<std::size_t, std::uint16_t>> done;
  for (const auto& entry : gateway_->log->ledger()) {
    done.emplace(entry.stream, entry.partition.value);
  }
  std::vector<log::Log::LedgerEntry> entries;
  for (std::uint16_t p = 0; p < kPartitions; ++p) {
    const PartitionId partition{p};
    log::ShardWriter& shard = gateway_->log->shard(log::ShardOf(partition, kShards));
    for (log::StreamIndex stream = 0; stream < gateway::kStreamCount; ++stream) {
      if (done.contains({stream, p})) continue;
      log::RecordHeader header;
      header.kind = log::RecordKind::kConfig;
      header.receipt_time = header.event_time = clock_.NowUtc();
      log::BatchBuilder batch(partition);
      batch.Add(header, "", AsBytes(signed_config_));
      entries.push_back({stream, partition, shard.next_offset(stream, partition), ConfigSeq{1},
                         HexEncode(seal::Sha256(signed_config_))});
      const log::ShardWriter::Staged staged{stream, &batch};
      ASSIGN_OR_RETURN(const CommitNumber commit, shard.Append({&staged, 1}));
      (void)commit;
    }
    RETURN_IF_ERROR(shard.SyncNow());
  }
  return entries.empty() ? Ok() : gateway_->log->AppendLedger(entries);
}

Status Platform::StartWorker() {
  if (worker_) return Ok();
  auto process = std::make_unique<WorkerProcess>();
  ASSIGN_OR_RETURN(process->journal, log::Log::Open(disk_, JournalLog()));
  for (std::uint16_t i = 0; i < kShards; ++i) {
    safety::ShardOptions options;
    options.snapshot_path = fmt::format("/data/worker/shard-{}.snapshot", i);
    options.positions_dir = "/data/positions";
    options.consumer = "worker";
    options.environment = "power";
    options.head = {kRelease, i, kShards, kPartitions, 1};
    process->shards.push_back(std::make_unique<safety::ShardWorker>(
        options, engine_, *streams_, process->journal->shard(ShardId{i}), disk_, clock_,
        counters_));
    RETURN_IF_ERROR(process->shards.back()->Open());
  }
  worker_ = std::move(process);
  return Ok();
}

Status Platform::StartLake() {
  if (lake_) return Ok();
  lake::LakeOptions options;
  options.lake_folder = "/data/lake";
  options.contracts_folder = "/data/contracts";
  options.positions_folder = "/data/positions";
  options.partitions = kPartitions;
  options.shards = kShards;
  const auto open = [this](ShardId shard, const log::Position& from) {
    return log::Reader::Open(disk_, GatewayLog().dir, "telemetry", shard, from);
  };
  ASSIGN_OR_RETURN(lake_, lake::Lake::Open(disk_, clock_, counters_, options, open));
  return Ok();
}

Status Platform::StartVault() {
  if (vault_) return Ok();
  auto process = std::make_unique<VaultProcess>();
  process->gateways = std::make_unique<vault::GatewayKeys>(disk_, "/vault/gateways");
  RETURN_IF_ERROR(process->gateways->Reload());
  ASSIGN_OR_RETURN(process->opener,
                   vault::Opener::Make(vault_key_.private_raw, *process->gateways, clock_));
  ASSIGN_OR_RETURN(process->folder,
                   vault::VaultFolder::Open(disk_, clock_, random_, counters_, nullptr,
                                            {.dir = "/vault",
                                             .windows = kWindows,
                                             .partitions = kPartitions,
                                             .replicas = {},
                                             .vfs = &vfs_}));
  process->records = std::make_unique<vault::RecordIntake>(*process->opener, process->store(),
                                                           counters_, control_key_.public_raw);
  process->intake = std::make_unique<vault::Intake>(
      disk_, clock_, counters_, *process->records, process->store(),
      vault::IntakeOptions{GatewayLog().dir, "/data/positions", kShards});
  vault_ = std::move(process);
  return Ok();
}

void Platform::KillAll() {
  StopRegistry();
  StopPublisher();
  vault_.reset();
  lake_.reset();
  worker_.reset();
  gateway_.reset();
}

Result<std::optional<CommitNumber>> Platform::Take(const gateway::Vehicle& vehicle,
                                                   const Batch& batch) {
  const ShardId shard = log::ShardOf(vehicle.ref.PartitionOf(kPartitions), kShards);
  const auto taken = gateway_->processors[shard.value]->Process(vehicle, AsBytes(batch.payload), 1);
  if (taken.ok()) return std::optional<CommitNumber>(*taken);
  if (taken.error().code == Code::kOverloaded) return std::optional<CommitNumber>();
  return taken.error();
}

void Platform::Flush() {
  for (std::uint16_t i = 0; i < kShards; ++i) gateway_->log->shard(ShardId{i}).Flush();
}

Status Platform::Sync() {
  for (std::uint16_t i = 0; i < kShards; ++i) {
    RETURN_IF_ERROR(gateway_->log->shard(ShardId{i}).SyncNow());
  }
  return Ok();
}

Status Platform::Tick() {
  for (std::uint16_t i = 0; i < kShards; ++i) {
    RETURN_IF_ERROR(gateway_->log->shard(ShardId{i}).Tick(clock_.NowUtc()));
  }
  return Ok();
}

CommitNumber Platform::Durable(const gateway::Vehicle& vehicle) const {
  const ShardId shard = log::ShardOf(vehicle.ref.PartitionOf(kPartitions), kShards);
  return gateway_->log->shard(shard).durable_commit();
}

Result<bool> Platform::StepWorker() {
  bool more = false;
  for (const auto& shard : worker_->shards) {
    ASSIGN_OR_RETURN(const auto turn, shard->RunOnce());
    more |= turn.read;
  }
  return more;
}

Status Platform::SaveSnapshots() {
  for (const auto& shard : worker_->shards) RETURN_IF_ERROR(shard->SaveSnapshot());
  return Ok();
}

Result<bool> Platform::StepLake() { return lake_->Step(); }
Status Platform::CutLake() { return lake_->Cut(); }

Result<bool> Platform::StepVault() { return vault_->intake->Step(); }
void Platform::CommitVault() { vault_->intake->CommitNow(); }

Result<std::uint64_t> Platform::Audit() {
  return vault_->store().audit().Append("query", {{"purpose", vault::AuditText("power cut")}});
}

Result<std::uint64_t> Platform::AuditEntries() {
  ASSIGN_OR_RETURN(const vault::AuditCheck check,
                   vault_->store().audit().List(1, UINT64_MAX, [](std::string_view) {}));
  if (!check.problem.empty()) return Error{Code::kCorrupt, check.problem};
  return check.head.entries;
}

namespace {

Status ForEachRecord(Disk& disk, const log::LogOptions& log, const std::string& stream,
                     const std::function<Status(const log::RecordView&)>& take) {
  for (std::uint16_t shard = 0; shard < kShards; ++shard) {
    ASSIGN_OR_RETURN(const auto reader,
                     log::Reader::Open(disk, log.dir, stream, ShardId{shard}, {}));
    while (true) {
      ASSIGN_OR_RETURN(const log::RecordView* record, reader->Next());
      if (record == nullptr) break;
      RETURN_IF_ERROR(take(*record));
    }
  }
  return Ok();
}

Identity IdentityOf(const VehicleRef& vehicle, std::uint64_t seq) {
  return {vehicle.bytes[7], seq};
}

std::string NameOf(std::uint32_t partition, std::uint64_t offset, std::uint32_t index) {
  return fmt::format("{}/{}/{}", partition, offset, index);
}

}  // namespace

Status Platform::FindInStreams(Found& found) {
  for (auto [stream, set] : {std::pair{"safety", &found.safety}, {"telemetry", &found.telemetry}}) {
    RETURN_IF_ERROR(ForEachRecord(disk_, GatewayLog(), stream, [&](const log::RecordView& record) {
      if (record.header.kind == log::RecordKind::kData) {
        set->insert(IdentityOf(record.header.vehicle, record.header.seq));
      }
      return Ok();
    }));
  }
  return FindSealed(found);
}

Status Platform::FindSealed(Found& found) {
  vault::GatewayKeys gateways(disk_, "/vault/gateways");
  RETURN_IF_ERROR(gateways.Reload());
  ASSIGN_OR_RETURN(const auto opener,
                   vault::Opener::Make(vault_key_.private_raw, gateways, clock_));
  return ForEachRecord(disk_, GatewayLog(), "sealed", [&](const log::RecordView& record) -> Status {
    const log::RecordHeader& header = record.header;
    if (header.kind != log::RecordKind::kData) return Ok();
    const seal::Binding::Kind kind = seal::KindOfData(header.flags);
    ASSIGN_OR_RETURN(const std::string plain, opener->Open({header.vehicle, header.boot, header.seq,
                                                            header.contract_number, kind},
                                                           record.payload));
    ASSIGN_OR_RETURN(const auto entries, seal::ParseEntries(AsBytes(plain)));
    for (const auto& entry : entries) {
      found.sealed.insert(IdentityOf(header.vehicle, entry.seq));
    }
    return Ok();
  });
}

Status Platform::FindInResults(Found& found) {
  const vault::Store& store = vault_->store();
  vault::Store::FrameReader reader(store);
  for (std::uint8_t car = 0; car < kPartitions; ++car) {
    VehicleRef ref;
    ref.bytes[0] = 1;
    ref.bytes[7] = ref.bytes[15] = car;
    ASSIGN_OR_RETURN(const auto refs,
                     store.Find(ref, vault::FrameClass::kData, Micros{0}, Micros{INT64_MAX / 2}));
    for (const vault::FrameRef& frame_ref : refs) {
      ASSIGN_OR_RETURN(const vault::Frame frame, reader.Read(frame_ref));
      for (const auto& entry : frame.entries) found.vault.insert(IdentityOf(ref, entry.seq));
    }
  }
  RETURN_IF_ERROR(FindRows(found));
  RETURN_IF_ERROR(FindAlerts(found));
  RETURN_IF_ERROR(ComparePublished(found));
  return ExpectAlerts(found);
}

Status Platform::FindAlerts(Found& found) {
  std::map<std::uint32_t, std::uint64_t> marks;
  std::map<std::tuple<std::uint32_t, std::uint64_t, std::uint32_t>, std::string> outputs;
  RETURN_IF_ERROR(
      ForEachRecord(disk_, JournalLog(), "journal", [&](const log::RecordView& record) -> Status {
        internal::v1::JournalEntry entry;
        if (!entry.ParseFromString(std::string(AsText(record.payload)))) {
          return Error{Code::kCorrupt, "a journal entry that cannot be read"};
        }
        if (entry.has_progress()) {
          std::uint64_t& mark = marks[entry.progress().partition()];
          mark = std::max(mark, entry.progress().below_offset());
          return Ok();
        }
        const auto& output = entry.output();
        const auto [at, added] =
            outputs.emplace(std::tuple(output.partition(), output.input_offset(), output.index()),
                            std::string(AsText(record.payload)));
        if (added || at->second == AsText(record.payload)) return Ok();
        return Error{Code::kCorrupt, "one output name with two contents"};
      }));
  for (const auto& [name, bytes] : outputs) {
    const auto [partition, offset, index] = name;
    if (offset < marks[partition]) found.alerts.emplace(NameOf(partition, offset, index), bytes);
  }
  return Ok();
}

Status Platform::ExpectAlerts(Found& found) {
  std::map<PartitionId, safety::PartitionState> states;
  std::vector<safety::Output> outputs;
  return ForEachRecord(disk_, GatewayLog(), "safety", [&](const log::RecordView& record) -> Status {
    RETURN_IF_ERROR(safety::Apply(engine_, record, states[record.partition], outputs));
    for (const safety::Output& output : outputs) {
      found.expected_alerts.emplace(
          NameOf(record.partition.value, record.offset.value, output.index),
          safety::EncodeOutput("power", engine_.set.rules[output.rule], record, output));
    }
    return Ok();
  });
}

}  // namespace telltale::power
