#include "app/release_workers.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "app/release_traces.h"
#include "base/kept_config.h"
#include "control/release.h"

namespace telltale::app {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const std::string kA(64, 'a');
const std::string kB(64, 'b');
const std::string kC(64, 'c');

control::InForce InForceOf(const std::string& stable, const std::string& previous = "",
                           const std::string& candidate = "") {
  control::InForce in_force;
  in_force.config_seq = ConfigSeq{1};
  in_force.stable_release = stable;
  in_force.previous_release = previous;
  if (candidate.empty()) return in_force;
  in_force.rollout.emplace();
  in_force.rollout->candidate = candidate;
  return in_force;
}

TEST(WorkersOfTest, EachNamedReleaseHasOneWorkerAndStableComesFirst) {
  const auto named = [](const control::InForce& in_force) {
    std::string text;
    for (const WantedWorker& one : WorkersOf(in_force)) {
      text += one.release.substr(0, 1) + std::string("=") + NameOf(one.place) + " ";
    }
    return text;
  };
  EXPECT_EQ(named(InForceOf(kA)), "a=stable ");
  EXPECT_EQ(named(InForceOf(kA, kB, kC)), "a=stable b=previous c=candidate ");
  EXPECT_EQ(named(InForceOf(kA, kA, kB)), "a=stable b=candidate ");
  EXPECT_EQ(named(InForceOf(kA, kB, kB)), "a=stable b=previous ");
}

TEST(WorkersOfTest, WhoHasASpeakerHasNoWorkerOfItsOwn) {
  control::InForce in_force = InForceOf(kA, "", kB);
  in_force.rollout->speaker = kA;
  ASSERT_EQ(WorkersOf(in_force).size(), 1u);
  EXPECT_EQ(WorkersOf(in_force)[0].release, kA);

  in_force = InForceOf(kB, kA);
  in_force.stable_speaker = kA;
  ASSERT_EQ(WorkersOf(in_force).size(), 1u);
  EXPECT_EQ(WorkersOf(in_force)[0].release, kA);
  EXPECT_EQ(WorkersOf(in_force)[0].place, Place::kStable);

  in_force = InForceOf(kC, kB);
  in_force.previous_speaker = kA;
  ASSERT_EQ(WorkersOf(in_force).size(), 2u);
  EXPECT_EQ(WorkersOf(in_force)[1].release, kA) << "the way back is whoever speaks for it";
}

// An installation whose engines are shell scripts.
class ReleaseWorkersTest : public testing::Test {
 protected:
  ReleaseWorkersTest() : paths_(Folder()), run_files_(paths_.run()) {
    for (const auto& folder : {paths_.run() + "/counters", paths_.contracts(), paths_.keys(),
                               KeptConfigFolder(paths_), paths_.data() + "/engines"}) {
      fs::create_directories(folder);
    }
    layout_.worker = paths_.root + "/no-worker";
    Put(layout_.worker, "none");
  }
  ~ReleaseWorkersTest() override {
    supervisor_.EndAll();
    fs::remove_all(paths_.root);
  }
  static std::string Folder() {
    std::string pattern = testing::TempDir() + "/releases-XXXXXX";
    return fs::canonical(mkdtemp(pattern.data())).string();
  }
  static Config SmallQuota() {
    Config config;
    config.releases_candidate_journal_mib = 16;
    return config;
  }
  static void Put(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
  }

  // A release whose worker is this script; gives its id.
  std::string Install(const std::string& script) {
    const std::string engine = "#!/bin/sh\n" + script + "\n";
    const std::string contract = "contract";
    const std::string rules = "rules of " + script;
    const auto digest = [](const std::string& bytes) { return HexEncode(seal::Sha256(bytes)); };
    const std::string path = paths_.data() + "/engines/" + digest(engine);
    Put(path, engine);
    fs::permissions(path, fs::perms(0755));
    Put(paths_.contracts() + "/" + digest(contract) + ".desc", contract);
    const std::string manifest = control::CanonicalManifest(
        {{"contract", digest(contract)}, {"rules", digest(rules)}, {"engine", digest(engine)}});
    const std::string id = control::ReleaseId(manifest);
    Put(paths_.releases() + "/" + id + "/rules.yaml", rules);
    Put(paths_.releases() + "/" + id + "/manifest.json", manifest);
    return id;
  }
  void PutInForce(control::InForce in_force) {
    in_force.config_seq = ConfigSeq{++config_seq_};
    const auto bytes = control::SignConfig(in_force, key_);
    ASSERT_TRUE(bytes.ok()) << bytes.error().ToString();
    char name[32];
    std::snprintf(name, sizeof name, "%020llu", static_cast<unsigned long long>(config_seq_));
    ASSERT_TRUE(WriteFileDurably(disk_, KeptConfigFolder(paths_) + "/" + name, *bytes).ok());
  }
  Status Begin(const std::string& stable) {
    workers_.Begin(InForceOf(stable), key_.public_raw);
    return workers_.StartStable();
  }
  void Look() {
    supervisor_.Look();
    workers_.Look();
  }
  bool LookUntil(const std::function<bool()>& done) {
    for (int n = 0; n < 1'000; ++n) {
      Look();
      if (done()) return true;
      clock_.Advance(Micros{50'000});
      // For the children: what is waited for is theirs.
      poll(nullptr, 0, 5);
    }
    return false;
  }
  // Of run/releases.json.
  std::string Told(const std::string& release, const std::string& key) {
    const auto all = nlohmann::json::parse(run_files_.Read("releases.json").value_or("{}"));
    for (const auto& one : all.value("releases", nlohmann::json::array())) {
      if (one["release"] != release) continue;
      return one[key].is_string() ? one[key].get<std::string>() : one[key].dump();
    }
    return "absent";
  }
  bool IsTold(const std::string& release, const std::string& state) {
    return Told(release, "state") == state;
  }

  const Paths paths_;
  PosixDisk disk_;
  ManualClock clock_{Micros::Seconds(1'700'000'000)};
  RunFiles run_files_;
  Layout layout_;
  Config config_ = SmallQuota();
  const seal::KeyPair key_ = *seal::MakeEd25519();
  std::uint64_t config_seq_ = 1;  // of the newest
  Supervisor supervisor_{clock_, run_files_};
  ReleaseWorkers workers_{{.paths = paths_,
                           .layout = layout_,
                           .config = config_,
                           .program =
                               [](const std::string& release) {
                                 Program program;
                                 program.arguments = {"", "--release", release};
                                 return program;
                               }},
                          disk_,
                          clock_,
                          supervisor_,
                          run_files_};
};

constexpr const char* kSleeps = "exec sleep 1000";

TEST_F(ReleaseWorkersTest, ACandidateIsStartedWithLimitsAndLeavesNoPlaceBehind) {
  const std::string stable = Install(std::string("true;") + kSleeps);
  const std::string candidate = Install(kSleeps);
  ASSERT_TRUE(Begin(stable).ok());
  ASSERT_TRUE(LookUntil([&] { return IsTold(stable, "running"); }));
  EXPECT_EQ(Told(stable, "place"), "stable");

  PutInForce(InForceOf(stable, "", candidate));
  ASSERT_TRUE(LookUntil([&] { return IsTold(candidate, "running"); }));
  const pid_t pid = std::stoi(Told(candidate, "pid"));
  rlimit memory{};
  ASSERT_EQ(prlimit(pid, RLIMIT_AS, nullptr, &memory), 0);
  EXPECT_EQ(memory.rlim_cur, rlim_t{2048} << 20);

  const std::string place = paths_.positions() + "/" + WorkerName(candidate) + "/safety-0";
  const std::string snapshot = paths_.worker() + "/" + candidate + "/shard-0.snapshot";
  const std::string other = paths_.positions() + "/lake/telemetry-0";
  for (const std::string& path : {place, snapshot, other}) Put(path, "x");
  PutInForce(InForceOf(stable));
  ASSERT_TRUE(LookUntil([&] { return IsTold(candidate, "absent"); }));
  EXPECT_NE(kill(pid, 0), 0);
  EXPECT_FALSE(fs::exists(place) || fs::exists(snapshot));
  EXPECT_TRUE(fs::exists(other));
  EXPECT_TRUE(IsTold(stable, "running"));
}

TEST_F(ReleaseWorkersTest, ACandidateThatBecomesStableRunsOnWithoutItsLimits) {
  const std::string stable = Install(std::string("true;") + kSleeps);
  const std::string candidate = Install(kSleeps);
  ASSERT_TRUE(Begin(stable).ok());
  PutInForce(InForceOf(stable, "", candidate));
  ASSERT_TRUE(LookUntil([&] { return IsTold(candidate, "running"); }));
  const std::string pid = Told(candidate, "pid");
  const std::string old_pid = Told(stable, "pid");
  PutInForce(InForceOf(candidate, stable));
  ASSERT_TRUE(LookUntil([&] { return Told(candidate, "place") == "stable"; }));
  EXPECT_EQ(Told(candidate, "pid"), pid);
  EXPECT_EQ(Told(stable, "place"), "previous");
  EXPECT_EQ(Told(stable, "pid"), old_pid) << "the way back is not restarted";
  rlimit memory{};
  ASSERT_EQ(prlimit(std::stoi(pid), RLIMIT_AS, nullptr, &memory), 0);
  EXPECT_EQ(memory.rlim_cur, memory.rlim_max);
  ASSERT_EQ(prlimit(std::stoi(old_pid), RLIMIT_AS, nullptr, &memory), 0);
  EXPECT_EQ(memory.rlim_cur, memory.rlim_max) << "what it needed as stable it may keep";
}

TEST_F(ReleaseWorkersTest, OneWorkerRunsThroughoutForReleasesOfOneSafetyPath) {
  const std::string speaker = Install(kSleeps);
  const std::string features = Install(std::string("true;") + kSleeps);
  ASSERT_TRUE(Begin(speaker).ok());
  ASSERT_TRUE(LookUntil([&] { return IsTold(speaker, "running"); }));
  const std::string pid = Told(speaker, "pid");
  control::InForce in_force = InForceOf(speaker, "", features);
  in_force.rollout->speaker = speaker;
  PutInForce(in_force);
  in_force = InForceOf(features, speaker);
  in_force.stable_speaker = speaker;
  PutInForce(in_force);
  ASSERT_TRUE(LookUntil([&] { return Told(speaker, "speaks_for") == "[\"" + features + "\"]"; }));
  in_force.previous_release.clear();
  PutInForce(in_force);
  for (int n = 0; n < 20; ++n, clock_.Advance(Micros{100'000})) Look();
  EXPECT_EQ(Told(speaker, "pid"), pid);
  EXPECT_EQ(Told(speaker, "place"), "stable");
  EXPECT_TRUE(IsTold(features, "absent"));
  EXPECT_EQ(workers_.stable_name(), WorkerName(speaker));
}

TEST_F(ReleaseWorkersTest, ACandidateThatDiesIsTriedAgainAndNothingWaitsForIt) {
  const std::string stable = Install(kSleeps);
  const std::string candidate = Install("exit 3");
  ASSERT_TRUE(Begin(stable).ok());
  PutInForce(InForceOf(stable, "", candidate));
  ASSERT_TRUE(LookUntil([&] { return Told(candidate, "restarts") == "3"; }));
  EXPECT_EQ(Told(candidate, "last_end"), "exited with code 3");
  EXPECT_TRUE(supervisor_.AllRunFor(1ms));
  EXPECT_EQ(supervisor_.early_ends(workers_.stable_name()), 0u);
}

TEST_F(ReleaseWorkersTest, CpuTimeIsAddedUpOverDeathsAndBeginsAnewInAnotherPlace) {
  const std::string works = "n=0; while [ $n -lt 100000 ]; do n=$((n+1)); done; ";
  const std::string stable = Install(std::string("true;") + kSleeps);
  const std::string candidate = Install(works + kSleeps);
  ASSERT_TRUE(Begin(stable).ok());
  PutInForce(InForceOf(stable, "", candidate));
  const auto cpu_s = [&] {
    const auto number = nlohmann::json::parse(Told(candidate, "cpu_s"), nullptr, false);
    return number.is_number() ? number.get<double>() : 0;
  };
  ASSERT_TRUE(LookUntil([&] { return IsTold(candidate, "running") && cpu_s() > 0.01; }));
  EXPECT_GT(std::stoull(Told(candidate, "rss_bytes")), 100'000u) << "a shell has more";
  const std::string since = Told(candidate, "cpu_since");
  const double before = cpu_s();
  kill(std::stoi(Told(candidate, "pid")), SIGKILL);
  ASSERT_TRUE(LookUntil([&] { return Told(candidate, "restarts") == "1" && cpu_s() > before; }));
  EXPECT_EQ(Told(candidate, "cpu_since"), since);
  ASSERT_TRUE(LookUntil([&] { return IsTold(candidate, "running"); }));
  PutInForce(InForceOf(candidate, stable));
  ASSERT_TRUE(LookUntil([&] { return Told(candidate, "place") == "stable"; }));
  EXPECT_GT(Told(candidate, "cpu_since"), since);
  EXPECT_LT(cpu_s(), before);
}

TEST_F(ReleaseWorkersTest, OneThatFloodsItsJournalIsStoppedUntilTheConfigChanges) {
  const std::string stable = Install(std::string("true;") + kSleeps);
  const std::string candidate = Install(kSleeps);
  ASSERT_TRUE(Begin(stable).ok());
  Put(paths_.journal() + "/" + candidate + "/journal/shard-0/1.seg", std::string(30u << 20, 'x'));
  PutInForce(InForceOf(stable, "", candidate));
  ASSERT_TRUE(LookUntil([&] { return IsTold(candidate, "running"); }));
  Put(paths_.journal() + "/" + candidate + "/journal/shard-0/2.seg", std::string(17u << 20, 'x'));
  Put(paths_.journal() + "/" + stable + "/journal/shard-0/1.seg", std::string(30u << 20, 'x'));
  ASSERT_TRUE(LookUntil([&] { return IsTold(candidate, "stopped"); }));
  EXPECT_EQ(Told(candidate, "reason"), "journal_flood");
  for (int n = 0; n < 100; ++n, clock_.Advance(Micros{100'000})) Look();
  EXPECT_TRUE(IsTold(candidate, "stopped"));
  EXPECT_TRUE(IsTold(stable, "running")) << "stable has no such limit";
  PutInForce(InForceOf(stable, "", candidate));
  EXPECT_TRUE(LookUntil([&] { return IsTold(candidate, "running"); }));
}

TEST_F(ReleaseWorkersTest, OneThatWritesBesideItsJournalIsStoppedWithinAMoment) {
  const std::string stable = Install(std::string("true;") + kSleeps);
  const std::string candidate = Install(kSleeps);
  ASSERT_TRUE(Begin(stable).ok());
  PutInForce(InForceOf(stable, "", candidate));
  ASSERT_TRUE(LookUntil([&] { return IsTold(candidate, "running"); }));
  Put(paths_.journal() + "/" + candidate + "/beside/1", std::string(17u << 20, 'x'));
  clock_.Advance(Micros{200'000});
  Look();
  EXPECT_EQ(Told(candidate, "reason"), "journal_flood");
}

TEST_F(ReleaseWorkersTest, AReleaseThatIsNotThereYetIsStartedWhenItComes) {
  const std::string stable = Install(std::string("true;") + kSleeps);
  const std::string candidate = Install(kSleeps);
  const std::string folder = paths_.releases() + "/" + candidate;
  fs::rename(folder, paths_.root + "/aside");
  ASSERT_TRUE(Begin(stable).ok());
  PutInForce(InForceOf(stable, "", candidate));
  ASSERT_TRUE(LookUntil([&] { return Told(candidate, "reason").size() > 10; }));
  EXPECT_TRUE(IsTold(candidate, "waiting"));
  fs::rename(paths_.root + "/aside", folder);
  EXPECT_TRUE(LookUntil([&] { return IsTold(candidate, "running"); }));
  EXPECT_EQ(Told(candidate, "reason"), "");
}

TEST_F(ReleaseWorkersTest, AConfigThatControlDidNotSignChangesNothing) {
  const std::string stable = Install(std::string("true;") + kSleeps);
  const std::string candidate = Install(kSleeps);
  ASSERT_TRUE(Begin(stable).ok());
  Put(KeptConfigFolder(paths_) + "/00000000000000000009",
      *control::SignConfig(InForceOf(candidate), *seal::MakeEd25519()));
  for (int n = 0; n < 20; ++n, clock_.Advance(Micros{100'000})) Look();
  EXPECT_TRUE(IsTold(stable, "running"));
  EXPECT_TRUE(IsTold(candidate, "absent"));
}

TEST_F(ReleaseWorkersTest, PlacesOfReleasesThatNobodyNamesGoAtTheStart) {
  const std::string stable = Install(kSleeps);
  const std::string stray = paths_.positions() + "/worker-deadbeef/safety-0";
  const std::string kept = paths_.positions() + "/" + WorkerName(stable) + "/safety-0";
  Put(stray, "x");
  Put(kept, "x");
  ASSERT_TRUE(Begin(stable).ok());
  EXPECT_FALSE(fs::exists(stray));
  EXPECT_TRUE(fs::exists(kept));
}

TEST_F(ReleaseWorkersTest, AnEngineIsTheReleasesOwnOrRefused) {
  const std::string release = Install(kSleeps);
  config_.environment_kind = "prod";
  const auto own = EngineOf(disk_, paths_, layout_, config_, release);
  ASSERT_TRUE(own.ok()) << own.error().ToString();
  EXPECT_NE(own->find("/data/engines/"), std::string::npos);
  std::ofstream(*own, std::ios::app) << "# changed\n";
  EXPECT_EQ(EngineOf(disk_, paths_, layout_, config_, release).error().code, Code::kCorrupt);
  fs::remove(*own);
  EXPECT_EQ(EngineOf(disk_, paths_, layout_, config_, release).error().code, Code::kRefused);
  config_.environment_kind = "dev";
  EXPECT_EQ(*EngineOf(disk_, paths_, layout_, config_, release), layout_.worker);
}

TEST_F(ReleaseWorkersTest, OnlyJournalsThatNobodyNamesAndThatAreOldAreOld) {
  for (const std::string& release : {kA, kB}) {
    Put(paths_.journal() + "/" + release + "/journal/shard-0/1.seg", "x");
  }
  const Micros now = SystemClock().NowUtc();
  const std::vector<WantedWorker> wanted = {{kA, Place::kStable}};
  EXPECT_TRUE(OldJournals(paths_, wanted, now - Micros::Seconds(3'600)).empty());
  EXPECT_EQ(OldJournals(paths_, wanted, now + Micros::Seconds(3'600)), std::vector{kB});
}

}  // namespace
}  // namespace telltale::app
