// Door to durable to safety in one process: batches of 50 reports are split, their places derived
// and sealed, staged, made durable, read back and decided on. One shard; a thread of the log
// writes. usage: hot_path_bench CONTRACT.desc RULES.yaml DIR [SECONDS] [durable|memory]
//   memory  nothing is written: for profiles of the door's half alone
// Prints one line of JSON. CPU is that of all threads of the process; making the batches is not
// counted.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <ctime>

#include "bench/reports.h"
#include "gateway/batch_processor.h"
#include "log/log.h"
#include "safety/state.h"
#include "seal/seal.h"

namespace telltale::bench {
namespace {

constexpr std::size_t kVehicles = 1000;
constexpr std::uint64_t kReportsPerBatch = 50;
constexpr std::size_t kBatchesPerChunk = 400;
constexpr std::size_t kBatchesPerFlush = 8;

double Seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Spent {
  double wall_s = 0;
  double cpu_s = 0;     // of all threads
  double door_s = 0;    // CPU of this thread, split to staged
  double wait_s = 0;    // wall, for the disk
  double safety_s = 0;  // CPU of this thread, reading and deciding
};

// Takes everything and forgets it.
class NoWriter final : public log::ShardWriter {
 public:
  Result<CommitNumber> Append(std::span<const Staged>) override { return CommitNumber{1}; }
  bool HasRoom() const override { return true; }
  void Flush() override {}
  void SetOnCommit(OnCommit) override {}
  CommitNumber durable_commit() const override { return CommitNumber{1}; }
  Status SyncNow() override { return Ok(); }
  Offset next_offset(log::StreamIndex, PartitionId) const override { return {}; }
  Status Tick(Micros) override { return Ok(); }
};

class HotPath {
 public:
  HotPath(std::shared_ptr<const contract::Contract> contract, safety::RuleSet rules,
          const std::string& dir, bool is_durable)
      : dir_(dir), engine_(std::move(rules)) {
    log::LogOptions options;
    options.dir = dir;
    options.streams = gateway::StreamNames();
    options.shards = 1;
    if (is_durable) {
      auto opened = log::Log::Open(disk_, options);
      CHECK(opened.ok());
      log_ = std::move(opened).value();
      log_->shard(ShardId{0}).SetOnCommit([](const Result<CommitNumber>&) {});
    }
    writer_ = is_durable ? &log_->shard(ShardId{0}) : &none_;
    const auto vault = seal::MakeX25519();
    const auto gateway = seal::MakeEd25519();
    CHECK(vault.ok() && gateway.ok());
    auto sealer = seal::Sealer::Make(vault->public_raw, gateway->private_raw, clock_);
    CHECK(sealer.ok());
    sealer_ = std::move(sealer).value();
    processor_ = std::make_unique<gateway::BatchProcessor>(
        gateway::BatchProcessor::Options{},
        gateway::BatchProcessor::Parts{*writer_, *sealer_, clock_, counters_},
        gateway::ContentKey::FromSecret(gateway->private_raw));
    processor_->UseContracts({{1, std::move(contract)}, {}, {}});
    partitions_.resize(options.partitions);
    batches_.resize(kBatchesPerChunk);
    for (std::size_t v = 0; v < kVehicles; ++v) {
      gateway::Vehicle vehicle;
      for (std::size_t b = 0; b < 16; ++b) {
        vehicle.ref.bytes[b] = static_cast<std::uint8_t>((v * 2654435761u + b * 40503u) >> (b % 4));
      }
      vehicle.ref.bytes[0] = static_cast<std::uint8_t>(v);
      vehicle.ref.bytes[1] = static_cast<std::uint8_t>(v >> 8);
      vehicle.vehicle_class = 1;
      vehicles_.push_back(vehicle);
    }
    last_.resize(kVehicles, clock_.NowUtc());
    seqs_.resize(kVehicles, 0);
  }

  void Run(double seconds, Spent& spent) {
    while (spent.wall_s < seconds) {
      Make();
      const double wall = Seconds(CLOCK_MONOTONIC);
      const double cpu = Seconds(CLOCK_PROCESS_CPUTIME_ID);
      Chunk(spent);
      spent.wall_s += Seconds(CLOCK_MONOTONIC) - wall;
      spent.cpu_s += Seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
      reports_ += kBatchesPerChunk * kReportsPerBatch;
    }
  }
  std::uint64_t reports() const { return reports_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t decided() const { return decided_; }
  std::uint64_t opened() const { return opened_; }
  void Reset() { reports_ = bytes_ = decided_ = opened_ = 0; }

 private:
  void Make() {
    for (std::size_t i = 0; i < kBatchesPerChunk; ++i) {
      const std::size_t v = (next_ + i) % kVehicles;
      const Micros now = clock_.NowUtc();
      batches_[i].clear();
      report_writer_.AppendBatch(batches_[i], {v + 1, seqs_[v], last_[v], now, seqs_[v] % 500 == 0},
                                 kReportsPerBatch);
      bytes_ += batches_[i].size();
      seqs_[v] += kReportsPerBatch;
      last_[v] = now;
    }
  }

  void Chunk(Spent& spent) {
    const double door = Seconds(CLOCK_THREAD_CPUTIME_ID);
    for (std::size_t i = 0; i < kBatchesPerChunk; ++i) {
      const gateway::Vehicle& vehicle = vehicles_[(next_ + i) % kVehicles];
      auto staged = processor_->Process(vehicle, AsBytes(batches_[i]), 1);
      if (!staged.ok() && staged.error().code == Code::kOverloaded) {
        CHECK(writer_->SyncNow().ok());
        staged = processor_->Process(vehicle, AsBytes(batches_[i]), 1);
      }
      CHECK(staged.ok());
      if (i % kBatchesPerFlush == 0) writer_->Flush();
    }
    next_ = (next_ + kBatchesPerChunk) % kVehicles;
    spent.door_s += Seconds(CLOCK_THREAD_CPUTIME_ID) - door;
    if (log_ == nullptr) return;
    const double wait = Seconds(CLOCK_MONOTONIC);
    CHECK(writer_->SyncNow().ok());
    spent.wait_s += Seconds(CLOCK_MONOTONIC) - wait;
    const double safety = Seconds(CLOCK_THREAD_CPUTIME_ID);
    DecideAll();
    spent.safety_s += Seconds(CLOCK_THREAD_CPUTIME_ID) - safety;
  }

  void DecideAll() {
    if (reader_ == nullptr) {
      auto opened = log::Reader::Open(disk_, dir_, "safety", ShardId{0}, {});
      CHECK(opened.ok());
      reader_ = std::move(opened).value();
    }
    while (true) {
      const auto record = reader_->Next();
      CHECK(record.ok());
      if (*record == nullptr) return;
      CHECK(
          safety::Apply(engine_, **record, partitions_[(*record)->partition.value], outputs_).ok());
      ++decided_;
      opened_ += outputs_.size();
    }
  }

  const std::string dir_;
  PosixDisk disk_;
  SystemClock clock_;
  Counters counters_;
  NoWriter none_;
  std::unique_ptr<log::Log> log_;
  log::ShardWriter* writer_ = nullptr;
  std::unique_ptr<seal::Sealer> sealer_;
  std::unique_ptr<gateway::BatchProcessor> processor_;
  safety::Engine engine_;
  std::unique_ptr<log::Reader> reader_;
  std::vector<safety::PartitionState> partitions_;
  std::vector<safety::Output> outputs_;

  ReportWriter report_writer_;
  std::vector<std::string> batches_;
  std::vector<gateway::Vehicle> vehicles_;
  std::vector<std::uint64_t> seqs_;
  std::vector<Micros> last_;
  std::size_t next_ = 0;
  std::uint64_t reports_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t decided_ = 0;
  std::uint64_t opened_ = 0;
};

int Run(const std::string& descriptor, const std::string& rules_path, const std::string& dir,
        double seconds, bool is_durable) {
  PosixDisk disk;
  const auto contract = contract::Contract::FromDescriptorSet(*ReadWholeFile(disk, descriptor));
  CHECK(contract.ok());
  auto rules = safety::LoadRules(*ReadWholeFile(disk, rules_path), **contract);
  CHECK(rules.ok());
  HotPath path(*contract, std::move(rules).value(), dir, is_durable);
  Spent warm_up;
  path.Run(seconds / 5, warm_up);
  path.Reset();
  Spent spent;
  path.Run(seconds, spent);
  const auto reports = static_cast<double>(path.reports());
  CHECK(!is_durable || path.decided() == path.reports());
  fmt::print(
      R"({{"reports":{},"report_bytes":{:.1f},"reports_per_s":{:.0f},"reports_per_cpu_s":{:.0f},)"
      R"("door_ns":{:.0f},"safety_ns":{:.0f},"wait_ns":{:.0f},"cpu_ns":{:.0f},"alerts":{}}})"
      "\n",
      path.reports(), static_cast<double>(path.bytes()) / reports, reports / spent.wall_s,
      reports / spent.cpu_s, spent.door_s / reports * 1e9, spent.safety_s / reports * 1e9,
      spent.wait_s / reports * 1e9, spent.cpu_s / reports * 1e9, path.opened());
  return 0;
}

}  // namespace
}  // namespace telltale::bench

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr,
               "usage: hot_path_bench CONTRACT.desc RULES.yaml DIR [SECONDS] [durable|memory]\n");
    return 2;
  }
  const std::string mode = argc > 5 ? argv[5] : "durable";
  return telltale::bench::Run(argv[1], argv[2], argv[3], argc > 4 ? std::stod(argv[4]) : 3,
                              mode == "durable");
}
