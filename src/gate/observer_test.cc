// The observer whole: journals and telemetry on a disk that fails and loses what was not synced.
#include "gate/observer.h"

#include <nlohmann/json.hpp>
#include <random>

#include "base/test_rounds.h"
#include "contract/wire.h"
#include "gate/gate_testing.h"
#include "gate/kept_evidence.h"
#include "gate/observer_testing.h"
#include "gate/tally.h"

namespace telltale::gate {
namespace {

using testing::CarOf;
using testing::kPartitions;
using testing::kShards;
using testing::MarkAt;
using testing::Must;

class QuietSurroundings final : public Surroundings {
 public:
  void Begin() override {}
  Result<std::map<std::string, Micros>> HoldsOf(const std::string&) override {
    return std::map<std::string, Micros>{{"hard_braking", Micros{500'000}}};
  }
  Result<std::map<std::string, std::string>> ComponentsOf(const std::string&) override {
    return std::map<std::string, std::string>{{"rules", std::string(64, 'c')}};
  }
  Sights Look(const std::string&, const std::string&) override { return sights; }
  std::string ModelOf(const VehicleRef&) override { return "one"; }
  Sights sights;
};

// Two journals and a stream of reports: input n of a partition is 700 ms of log time.
class World {
 public:
  World() : stable(disk, testing::kStableId), candidate(disk, testing::kCandidateId) {
    log_ = Must(log::Log::Open(disk, {.dir = "/log",
                                      .streams = {"safety", "telemetry", "sealed"},
                                      .partitions = kPartitions,
                                      .shards = kShards,
                                      .segment_bytes = 1u << 20}));
    std::vector<log::Log::LedgerEntry> entries;
    for (std::uint16_t p = 0; p < kPartitions; ++p) {
      entries.push_back({.stream = 1,
                         .partition = PartitionId{p},
                         .offset = Offset{0},
                         .config_seq = ConfigSeq{1},
                         .digest = std::string(64, '0')});
    }
    Must(log_->AppendLedger(entries));
    streams = log::StreamsOnFiles(disk, "/log");
  }

  static std::int64_t MsOf(std::uint64_t input) {
    return static_cast<std::int64_t>(1'000 + input * 700);
  }
  static std::uint8_t CarAt(std::uint64_t input) { return static_cast<std::uint8_t>(input % 5); }

  void Report(std::uint16_t partition, std::uint64_t input) {
    std::string payload;
    contract::AppendTag(payload, 10, contract::WireType::kFixed32);
    PutLe(payload, 36.0f);
    log::RecordHeader header;
    header.vehicle = CarOf(partition, CarAt(input));
    header.boot = {1, 7};
    header.seq = input;
    header.event_time = Micros{MsOf(input) * 1000};
    header.receipt_time = header.event_time;
    log::BatchBuilder batch(PartitionId{partition});
    batch.Add(header, input % 2 == 0 ? "1.0" : "1.1", AsBytes(payload));
    log::ShardWriter& shard = log_->shard(log::ShardOf(PartitionId{partition}, kShards));
    const log::ShardWriter::Staged staged{1, &batch};
    Must(shard.Append({&staged, 1}));
    Must(shard.SyncNow());
  }
  // Stable speaks of every third input, the candidate of every fourth, and a mark comes now and
  // then.
  void Work(Side side, std::uint16_t partition, std::uint64_t input, bool marks) {
    testing::Journal& journal = side == Side::kStable ? stable : candidate;
    if (input % (side == Side::kStable ? 3 : 4) == 0) {
      journal.Say({.partition = partition,
                   .input = input,
                   .vehicle = CarOf(partition, CarAt(input)),
                   .event_ms = MsOf(input)});
    }
    if (marks) journal.Mark(partition, MarkAt(input + 1, MsOf(input)));
  }

  std::unique_ptr<Observer> Observe(const std::string& folder, Disk& on) {
    auto observer = std::make_unique<Observer>(Observer::Parts{.disk = on,
                                                               .streams = *streams,
                                                               .clock = clock,
                                                               .counters = counters,
                                                               .surroundings = surroundings},
                                               ObserverOptions{.environment = "prod",
                                                               .stable = testing::kStableId,
                                                               .stable_speaker = testing::kStableId,
                                                               .rollout = testing::RolloutOfAll(),
                                                               .journals = "/journal",
                                                               .folder = folder,
                                                               .erasure_list = "/erased/list",
                                                               .shards = kShards,
                                                               .partitions = kPartitions,
                                                               .lateness = Micros::Seconds(5)});
    if (!observer->Start().ok()) return nullptr;
    return observer;
  }

  SimDisk disk;
  testing::Journal stable;
  testing::Journal candidate;
  std::unique_ptr<log::Streams> streams;
  ManualClock clock{Micros::Seconds(1'000'000)};
  Counters counters;
  QuietSurroundings surroundings;

 private:
  std::unique_ptr<log::Log> log_;
};

void RunToTheEnd(Observer& observer) {
  for (int quiet = 0; quiet < 3;) {
    const auto more = observer.RunOnce();
    ASSERT_TRUE(more.ok()) << more.error().ToString();
    quiet = *more ? 0 : quiet + 1;
  }
}

// Without what tells of the moment at which it was written.
std::string CountsOf(const Observer& observer) {
  auto json = ToJson(observer.Evidence());
  json["basis"].erase("as_of_us");
  json.erase("invariants");
  return json.dump(1);
}

// By value: callers hand in evidence that ends with the line.
PairedEvidence MetricOf(const Evidence& evidence, const std::string& name) {
  for (const PairedEvidence& one : evidence.paired) {
    if (one.metric == name) return one;
  }
  ADD_FAILURE() << "no metric " << name;
  return evidence.paired.front();
}

TEST(ObserverTest, KilledAtAnyWriteItComesToTheSameEvidence) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(8); ++seed) {
    std::mt19937_64 random(seed);
    World world;
    std::array<std::array<std::uint64_t, kPartitions>, 2> at{};
    std::array<std::uint64_t, kPartitions> reported{};
    auto observer = world.Observe("/gate/prod-1", world.disk);
    constexpr std::uint64_t kInputs = 60;
    for (int step = 0; step < 150; ++step) {
      const auto p = static_cast<std::uint16_t>(random() % kPartitions);
      const auto side = random() % 2 == 0 ? Side::kStable : Side::kCandidate;
      auto& input = at[static_cast<std::size_t>(side)][p];
      for (auto n = random() % 12; n > 0 && input < kInputs; --n, ++input) {
        world.Work(side, p, input, random() % 2 == 0);
      }
      for (auto n = random() % 8; n > 0 && reported[p] < kInputs; --n) {
        world.Report(p, reported[p]++);
      }
      world.clock.Advance(Micros::Seconds(static_cast<std::int64_t>(random() % 40)));
      if (random() % 2 == 0) world.disk.FailAfter(random() % 12);
      const bool failed = !observer || !observer->RunOnce().ok() ||
                          (random() % 3 == 0 && !observer->SaveState().ok());
      world.disk.FailNever();
      if (!failed && random() % 4 != 0) continue;
      observer.reset();
      observer = world.Observe("/gate/prod-1", world.disk);
      ASSERT_NE(observer, nullptr);
    }
    for (std::uint16_t p = 0; p < kPartitions; ++p) {
      for (const Side side : {Side::kStable, Side::kCandidate}) {
        auto& input = at[static_cast<std::size_t>(side)][p];
        for (; input < kInputs; ++input) world.Work(side, p, input, true);
        (side == Side::kStable ? world.stable : world.candidate)
            .Mark(p, MarkAt(kInputs + 1, World::MsOf(kInputs) + 60'000));
      }
      while (reported[p] < kInputs) world.Report(p, reported[p]++);
    }
    RunToTheEnd(*observer);
    const auto undisturbed = world.Observe("/gate/other", world.disk);
    RunToTheEnd(*undisturbed);
    EXPECT_EQ(CountsOf(*observer), CountsOf(*undisturbed)) << "seed " << seed;
    const PairedCounts& counts = MetricOf(undisturbed->Evidence(), "rule/hard_braking").counts;
    EXPECT_GT(counts.missing, 0);
    EXPECT_GT(counts.extra, 0);
    EXPECT_EQ(counts.exposed, 5 * kPartitions);
  }
}

class ObserverOfOneTest : public ::testing::Test {
 protected:
  void Work(std::uint64_t from, std::uint64_t to, bool candidate_speaks = true) {
    for (std::uint64_t input = from; input < to; ++input) {
      for (std::uint16_t p = 0; p < kPartitions; ++p) {
        world.Work(Side::kStable, p, input, true);
        if (candidate_speaks) {
          if (input % 3 == 0) {
            world.candidate.Say({.partition = p,
                                 .input = input,
                                 .vehicle = CarOf(p, World::CarAt(input)),
                                 .event_ms = World::MsOf(input)});
          }
        }
        world.candidate.Mark(p, MarkAt(input + 1, World::MsOf(input)));
        world.Report(p, input);
      }
    }
  }
  Evidence Now() {
    world.clock.Advance(kLookPace);
    RunToTheEnd(*observer);
    return observer->Evidence();
  }
  World world;
  std::unique_ptr<Observer> observer = world.Observe("/gate/prod-1", world.disk);
};

TEST_F(ObserverOfOneTest, AnIdenticalCandidateShowsNoDifferenceAndEvidenceIsWhatTheGateReads) {
  Work(0, 60);
  const Evidence evidence = Now();
  const PairedCounts& counts = MetricOf(evidence, "rule/hard_braking").counts;
  EXPECT_GT(counts.stable_fired, 10);
  EXPECT_EQ(counts.missing, 0);
  EXPECT_EQ(counts.extra, 0);
  EXPECT_EQ(evidence.exposure.vehicles, 5 * kPartitions);
  EXPECT_GT(evidence.exposure.driving_s, 100);
  Must(observer->WriteEvidence());
  const auto text = Must(ReadWholeFile(world.disk, "/gate/prod-1/evidence.json"));
  const auto read = EvidenceFromJson(nlohmann::json::parse(text));
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->exposure.vehicles, evidence.exposure.vehicles);
  Must(CheckEvidence(*read));
}

TEST_F(ObserverOfOneTest, ACandidateThatSaysNothingIsMissingEverywhereAndSilent) {
  Work(0, 60, false);
  const Evidence evidence = Now();
  const PairedCounts& counts = MetricOf(evidence, "rule/hard_braking").counts;
  EXPECT_GT(counts.missing, 10);
  EXPECT_EQ(counts.missing, counts.stable_fired);
  const auto& silence = evidence.invariants[static_cast<std::size_t>(Invariant::kSilence)];
  EXPECT_EQ(silence.candidate.breaches, 1);
  EXPECT_EQ(silence.stable.breaches, 0);
}

TEST_F(ObserverOfOneTest, ACandidateThatStandsStillLetsNoVehicleDriveWithoutADifference) {
  Work(0, 30);
  const Evidence before = Now();
  for (std::uint64_t input = 30; input < 300; ++input) {
    world.Work(Side::kStable, 0, input, true);
    world.Report(0, input);
  }
  EXPECT_EQ(Now().exposure.silent_candidate, 0) << "it looks for seconds only";
  world.clock.Advance(kSilentAfter);
  const Evidence after = Now();
  EXPECT_EQ(after.exposure.driving_s, before.exposure.driving_s);
  EXPECT_EQ(MetricOf(after, "rule/hard_braking").counts.stable_fired,
            MetricOf(before, "rule/hard_braking").counts.stable_fired);
  EXPECT_EQ(after.exposure.silent_candidate, 5) << "of the partition that it stands in";
}

TEST_F(ObserverOfOneTest, AnotherGateTakesNothingOfWhatWasCounted) {
  Work(0, 60, false);
  EXPECT_GT(MetricOf(Now(), "rule/hard_braking").counts.missing, 0);
  GateSettings settings = testing::GoodSettings();
  settings.name = "stricter";
  Must(WriteFileDurably(world.disk, "/gate/prod-1/settings.json", ToJson(settings).dump()));
  const Evidence evidence = Now();
  EXPECT_EQ(evidence.basis.gate_digest, GateDigest(settings));
  EXPECT_EQ(MetricOf(evidence, "rule/hard_braking").counts.missing, 0);
  EXPECT_EQ(evidence.exposure.vehicles, 0);
  Work(60, 120, false);
  EXPECT_GT(MetricOf(Now(), "rule/hard_braking").counts.missing, 0);
}

TEST_F(ObserverOfOneTest, WhoIsErasedLeavesCountsExamplesAndTheFilesOfRolloutsThatAreOver) {
  Work(0, 60, false);
  const std::int64_t before = MetricOf(Now(), "rule/hard_braking").counts.missing;
  Must(observer->WriteEvidence());
  Must(observer->SaveState());
  Must(world.disk.MakeFolders("/erased"));
  const VehicleRef gone = CarOf(0, 1);
  EXPECT_TRUE(Must(AppendErasure(world.disk, "/erased/list", gone)));
  const auto has = [&](const std::string& name) {
    const auto text = Must(ReadWholeFile(world.disk, "/gate/prod-1/" + name));
    return text.find(name == "state" ? std::string(AsText(gone.bytes)) : gone.ToHex()) !=
           std::string::npos;
  };
  EXPECT_TRUE(has("evidence.json"));
  ErasureList erased(world.disk, "/erased/list");
  EXPECT_TRUE(Must(erased.Refresh()));
  Must(TidyKeptEvidence(world.disk, "/gate", "prod-1", erased));
  EXPECT_TRUE(has("evidence.json")) << "its observer's";
  EXPECT_EQ(MetricOf(Now(), "rule/hard_braking").counts.missing, before - 1);
  EXPECT_FALSE(has("evidence.json"));
  EXPECT_FALSE(has("state"));
  Must(TidyKeptEvidence(world.disk, "/gate", "", erased));
  EXPECT_FALSE(world.disk.Exists("/gate/prod-1/state"));
  EXPECT_TRUE(world.disk.Exists("/gate/prod-1/evidence.json"));
}

TEST_F(ObserverOfOneTest, WhoIsErasedDoesNotComeBackByWhatTheAlertStoreTells) {
  Work(0, 10);
  Must(world.disk.MakeFolders("/erased"));
  EXPECT_TRUE(Must(AppendErasure(world.disk, "/erased/list", CarOf(0, 1))));
  world.surroundings.sights.authority = {.is_told = true,
                                         .outputs_without = 2,
                                         .vehicles = {CarOf(0, 1), CarOf(0, 2)},
                                         .not_single = 0,
                                         .what = "alert change 1"};
  const Evidence evidence = Now();
  const auto& seen =
      evidence.invariants[static_cast<std::size_t>(Invariant::kOutputWithoutAuthority)];
  EXPECT_EQ(seen.candidate.breaches, 2);
  EXPECT_EQ(seen.vehicles, std::vector{CarOf(0, 2).ToHex()});
}

TEST_F(ObserverOfOneTest, AWorkerThatCrashesAgainAndAgainIsABreachAndOneThatIsKilledIsNone) {
  Work(0, 10);
  auto& worker = world.surroundings.sights.workers[1];
  world.surroundings.sights.workers[0].is_told = true;
  worker = {.is_told = true, .state = "running", .last_end = "was killed by signal 9 (Killed)"};
  const auto breaches = [&] {
    return Now().invariants[static_cast<std::size_t>(Invariant::kCrashLoop)].candidate.breaches;
  };
  worker.restarts = 5;
  EXPECT_EQ(breaches(), 0);
  worker.last_end = "was killed by signal 6 (Aborted)";
  worker.restarts = 7;
  EXPECT_EQ(breaches(), 0);
  worker.restarts = 8;
  EXPECT_EQ(breaches(), 1);
  EXPECT_EQ(breaches(), 1);
}

TEST_F(ObserverOfOneTest, CrashesOfBeforeAreNoneAndThoseSinceOutliveTheObserver) {
  Work(0, 10);
  auto& worker = world.surroundings.sights.workers[1];
  world.surroundings.sights.workers[0].is_told = true;
  worker = {.is_told = true,
            .state = "running",
            .restarts = 7,
            .last_end = "was killed by signal 6 (Aborted)"};
  const auto breaches = [&] {
    return Now().invariants[static_cast<std::size_t>(Invariant::kCrashLoop)].candidate.breaches;
  };
  EXPECT_EQ(breaches(), 0) << "of another rollout";
  worker.restarts = 9;
  EXPECT_EQ(breaches(), 0);
  Must(observer->SaveState());
  observer = world.Observe("/gate/prod-1", world.disk);
  EXPECT_EQ(breaches(), 0);
  worker.restarts = 10;
  EXPECT_EQ(breaches(), 1);
  Must(observer->SaveState());
  observer = world.Observe("/gate/prod-1", world.disk);
  EXPECT_EQ(breaches(), 1);
}

TEST_F(ObserverOfOneTest, AReasonIsNewWhenStableDoesNotShowItSecondsLaterEither) {
  Work(0, 10);
  auto& [stable, candidate] = world.surroundings.sights.workers;
  stable.is_told = candidate.is_told = true;
  const auto seen = [&](Micros pass) {
    world.clock.Advance(pass);
    return Now().invariants[static_cast<std::size_t>(Invariant::kNewDeadLetterReason)];
  };
  candidate.drops["drops_total.safety.out_of_range"] = 3;
  EXPECT_EQ(seen({}).candidate.breaches, 0) << "its file was read first";
  EXPECT_EQ(seen(Micros::Seconds(2)).candidate.breaches, 0);
  stable.drops = candidate.drops;
  EXPECT_EQ(seen(Micros::Seconds(10)).candidate.breaches, 0);
  stable.drops.clear();  // its worker began anew
  EXPECT_EQ(seen(Micros::Seconds(10)).candidate.breaches, 0);
  EXPECT_EQ(seen(Micros::Seconds(10)).candidate.breaches, 0);
  Must(observer->SaveState());
  observer = world.Observe("/gate/prod-1", world.disk);
  EXPECT_EQ(seen(Micros::Seconds(10)).candidate.breaches, 0);
  EXPECT_EQ(seen(Micros::Seconds(10)).candidate.breaches, 0);
  candidate.drops["drops_total.safety.other"] = 5;
  EXPECT_EQ(seen({}).candidate.breaches, 0);
  EXPECT_EQ(seen(Micros::Seconds(5)).candidate.breaches, 5);
  EXPECT_EQ(seen({}).stable.breaches, 0);
  stable.drops["drops_total.safety.other"] = 1;
  EXPECT_EQ(seen({}).stable.breaches, 1) << "it was only later: no release can be judged by it";
}

TEST_F(ObserverOfOneTest, ABreachThatIsToldOutlivesAKillRightBehind) {
  Work(0, 10);
  Now();
  auto& [stable, candidate] = world.surroundings.sights.workers;
  stable = candidate = {.is_told = true, .state = "running"};
  candidate.state = "stopped";
  const auto crash = static_cast<std::size_t>(Invariant::kCrashLoop);
  EXPECT_EQ(Now().invariants[crash].candidate.breaches, 1);
  candidate.state = "running";
  observer = world.Observe("/gate/prod-1", world.disk);
  EXPECT_EQ(Now().invariants[crash].candidate.breaches, 1);
}

TEST_F(ObserverOfOneTest, BytesThatAreNoTextAndTextsTooLongAreToldAllTheSame) {
  Work(0, 10);
  auto& [stable, candidate] = world.surroundings.sights.workers;
  stable = candidate = {.is_told = true, .state = "running"};
  candidate.state = "stopped";
  candidate.reason = "\xff\xfe" + std::string(5'000, 'x');
  Now();
  Must(observer->WriteEvidence());
  const auto text = Must(ReadWholeFile(world.disk, "/gate/prod-1/evidence.json"));
  const auto read = EvidenceFromJson(nlohmann::json::parse(text));
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->invariants[static_cast<std::size_t>(Invariant::kCrashLoop)].candidate.breaches,
            1);
}

TEST(TidyTest, AFileThatCannotBeReadKeepsNoErasedVehicleInTheOthers) {
  SimDisk disk;
  Must(disk.MakeFolders("/gate/a/evidence.json"));
  Must(disk.MakeFolders("/gate/b"));
  Must(WriteFileDurably(disk, "/gate/b/state", "x"));
  ErasureList erased(disk, "/erased/list");
  EXPECT_FALSE(TidyKeptEvidence(disk, "/gate", "", erased).ok());
  EXPECT_FALSE(disk.Exists("/gate/b/state"));
}

TEST_F(ObserverOfOneTest, InputThatNoMarkPassesIsStuckProgressAndOnlyOnceInAWhile) {
  Work(0, 10);
  world.surroundings.sights.safety_ends.assign(kPartitions, Offset{11});
  for (int n = 0; n < 200; ++n) Now();
  const auto stuck = [this](Side side) {
    const auto seen = Now().invariants[static_cast<std::size_t>(Invariant::kStuckProgress)];
    return (side == Side::kStable ? seen.stable : seen.candidate).breaches;
  };
  EXPECT_EQ(stuck(Side::kCandidate), kPartitions);
  EXPECT_EQ(stuck(Side::kStable), kPartitions) << "the comparator shows the same";
}

class StalledObserverTest : public ObserverOfOneTest {
 protected:
  // Both workers stand still, of the same trouble.
  StalledObserverTest() {
    Work(0, 10);
    for (auto& worker : world.surroundings.sights.workers) {
      worker = {.is_told = true, .state = "stopped", .reason = "its disk is full"};
    }
  }
  InvariantEvidence CrashesAfter(Micros pass) {
    world.clock.Advance(pass);
    return Now().invariants[static_cast<std::size_t>(Invariant::kCrashLoop)];
  }
};

TEST_F(StalledObserverTest, AStallThatStableGotOverMasksNothingAfterTenMinutes) {
  auto& [stable, candidate] = world.surroundings.sights.workers;
  const auto seen = [this](Micros pass) { return CrashesAfter(pass); };
  EXPECT_EQ(seen({}).stable.breaches, 1);
  EXPECT_EQ(seen(kMaskFor + kMaskFor).stable.breaches, 1) << "it still stands";
  stable.state = candidate.state = "running";
  EXPECT_EQ(seen(kMaskFor - Micros::Seconds(1)).stable.breaches, 1);
  Must(observer->SaveState());
  observer = world.Observe("/gate/prod-1", world.disk);
  EXPECT_EQ(seen(Micros::Seconds(2)).stable.breaches, 0);
  EXPECT_EQ(seen({}).candidate.breaches, 0) << "it was the same trouble";
  candidate.state = "stopped";
  EXPECT_EQ(seen({}).candidate.breaches, 1);
  EXPECT_EQ(seen({}).stable.breaches, 0);
}

TEST_F(StalledObserverTest, WhatTheCandidateDidNotGetOverIsItsOwn) {
  auto& [stable, candidate] = world.surroundings.sights.workers;
  const auto seen = [this](Micros pass) { return CrashesAfter(pass); };
  seen({});
  stable.state = "running";
  seen(kSameTrouble + Micros::Seconds(10));
  candidate.state = "running";
  EXPECT_EQ(seen(kMaskFor).candidate.breaches, 1);
  EXPECT_EQ(seen({}).stable.breaches, 0);
}

TEST_F(ObserverOfOneTest, ARuleThatIsDeclaredAsGoneIsNoSilenceAndNeitherIsOneVehicleOfManyRules) {
  GateSettings settings = testing::GoodSettings();
  settings.metrics.resize(1);
  settings.metrics[0].missing_margin = 0.97;
  settings.metrics.resize(4, settings.metrics[0]);
  for (std::size_t n = 0; n < 4; ++n) {
    settings.metrics[n].name = std::array{"rule/hard_braking", "rule/b", "rule/c", "rule/d"}[n];
  }
  const auto seen = [&](bool is_declared) {
    for (auto& metric : settings.metrics) metric.missing_max = is_declared ? 0.9 : 0.01;
    Must(world.disk.MakeFolders("/gate/prod-1"));
    Must(WriteFileDurably(world.disk, "/gate/prod-1/settings.json", ToJson(settings).dump()));
    const Evidence evidence = Now();
    EXPECT_EQ(evidence.basis.gate_digest, GateDigest(settings));
    return evidence.invariants[static_cast<std::size_t>(Invariant::kSilence)].candidate;
  };
  seen(true);
  Work(0, 60, false);
  EXPECT_EQ(seen(true).breaches, 0);
  seen(false);
  for (std::uint64_t input = 60; input < 90; ++input) {
    for (const char* rule : {"hard_braking", "b", "c", "d"}) {
      world.stable.Say({.partition = 0,
                        .input = input,
                        .vehicle = CarOf(0, 1),
                        .rule = rule,
                        .event_ms = World::MsOf(input)});
    }
    for (std::uint16_t p = 0; p < kPartitions; ++p) {
      world.stable.Mark(p, MarkAt(input + 1, World::MsOf(input)));
      world.candidate.Mark(p, MarkAt(input + 1, World::MsOf(input)));
    }
  }
  EXPECT_EQ(seen(false).breaches, 0) << "of one vehicle";
  Work(90, 150, false);
  EXPECT_EQ(seen(false).breaches, 1);
  EXPECT_EQ(seen(false).vehicles, 5 * kPartitions);
}

TEST_F(ObserverOfOneTest, WhatIsBehindWhenItBeginsToLookHasNotGrownYet) {
  world.clock.Advance(Micros::Seconds(10'000));
  world.surroundings.sights.safety_ends.assign(kPartitions, Offset{5'000});
  Work(0, 10);
  const Evidence evidence = Now();
  const auto& seen = evidence.invariants[static_cast<std::size_t>(Invariant::kLagBeyondWindow)];
  EXPECT_EQ(seen.stable.breaches, 0);
  EXPECT_EQ(seen.candidate.breaches, 0);
}

TEST_F(ObserverOfOneTest, AnEntryThatCannotBeIsAContractFailureOfWhoWroteIt) {
  Work(0, 10);
  world.candidate.Say({.partition = 2, .input = 10, .vehicle = {}, .rule = "x", .event_ms = 1});
  world.candidate.Mark(2, MarkAt(11, World::MsOf(11)));
  Now();
  testing::Journal& candidate = world.candidate;
  candidate.SayBroken(2);
  const Evidence evidence = Now();
  const auto& seen = evidence.invariants[static_cast<std::size_t>(Invariant::kContractFailure)];
  EXPECT_EQ(seen.candidate.breaches, 1);
  EXPECT_EQ(seen.stable.breaches, 0);
  for (const SourceEvidence& one : evidence.sources) EXPECT_NE(one.name, "candidate_journal");
}

}  // namespace
}  // namespace telltale::gate
