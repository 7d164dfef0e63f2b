// What the observer is told of an installation: the alert store against its ledger, and the
// supervisor's word of the workers.
#include "app/gate_surroundings.h"

#include <filesystem>
#include <fstream>

#include "app/release_workers.h"
#include "publish/alert_store_schema.h"
#include "publish/publish_testing.h"
#include "store/sqlite.h"

namespace telltale::app {
namespace {

using publish::kReleaseA;
using publish::kReleaseB;
using publish::Must;

class GateSurroundingsTest : public ::testing::Test {
 protected:
  GateSurroundingsTest() {
    std::filesystem::create_directories(paths_.publish());
    std::filesystem::create_directories(paths_.run() + "/counters");
    store_ = std::make_unique<publish::AlertStore>(
        Must(publish::AlertStore::Open(paths_.publish() + "/alerts.db")));
    EXPECT_TRUE(store_->InstallAuthority(kReleaseA, 2).ok());
  }
  void Publish(std::uint64_t offset, char id) {
    publish::Commitment commitment;
    commitment.release = kReleaseA;
    commitment.expected[PartitionId{0}] = AuthorityEpoch{1};
    publish::Part part{.next = Offset{offset + 1}};
    part.outputs.push_back(publish::MakeOutput(0, offset, id));
    commitment.parts[PartitionId{0}] = std::move(part);
    EXPECT_EQ(Must(store_->Commit(commitment)).changes, 1u);
  }
  void Tamper(const std::string& sql) {
    auto database = Must(store::Database::Open(paths_.publish() + "/alerts.db",
                                               {.migrations = publish::kAlertMigrations}));
    const Status done = database.Execute("DROP TRIGGER IF EXISTS ledger_is_closed_once;" + sql);
    EXPECT_TRUE(done.ok()) << done.error().ToString();
  }
  gate::Sights Look() { return surroundings_.Look(kReleaseA, kReleaseB); }
  // The candidate is who speaks.
  gate::Sights LookAtA() { return surroundings_.Look(kReleaseB, kReleaseA); }

  publish::TempFolder folder_;
  Paths paths_{folder_.path};
  PosixDisk disk_;
  ManualClock clock_{Micros::Seconds(1'000)};
  std::unique_ptr<log::Streams> streams_ = log::StreamsOnFiles(disk_, paths_.log());
  GateSurroundings surroundings_{disk_, clock_, *streams_, paths_};
  std::unique_ptr<publish::AlertStore> store_;
};

TEST_F(GateSurroundingsTest, WhatTheLedgerStandsBehindIsNoBreach) {
  EXPECT_TRUE(Look().authority.is_told);
  Publish(5, 'x');
  const gate::AuthoritySight seen = Look().authority;
  EXPECT_EQ(seen.outputs_without, 0);
  EXPECT_EQ(seen.not_single, 0);
}

TEST_F(GateSurroundingsTest, AnOutputThatNoRowOfTheLedgerStandsBehindIsOneAndNamesItsVehicle) {
  LookAtA();
  Tamper("UPDATE ledger SET release = '" + kReleaseB + "' WHERE partition = 0");
  Publish(5, 'x');
  const gate::AuthoritySight seen = LookAtA().authority;
  EXPECT_EQ(seen.outputs_without, 1);
  ASSERT_EQ(seen.vehicles.size(), 1u);
  EXPECT_EQ(seen.vehicles[0].ToHex(), HexEncode(std::string(16, '\x7f')));
  EXPECT_EQ(LookAtA().authority.outputs_without, 1) << "each change once";
}

TEST_F(GateSurroundingsTest, WhatAnotherReleaseSaidWithoutAuthorityIsNoBreachOfTheCandidate) {
  Look();
  Tamper("UPDATE ledger SET release = '" + kReleaseB + "' WHERE partition = 0");
  Publish(5, 'x');
  EXPECT_EQ(Look().authority.outputs_without, 0);
}

TEST_F(GateSurroundingsTest, ABreachOfOneRolloutIsNoneOfTheNext) {
  LookAtA();
  Tamper("UPDATE ledger SET release = '" + kReleaseB + "' WHERE partition = 0");
  Publish(5, 'x');
  Tamper("UPDATE ledger SET to_offset = 9 WHERE partition = 1");
  EXPECT_EQ(LookAtA().authority.outputs_without, 1);
  Tamper("UPDATE ledger SET to_offset = NULL WHERE partition = 1");
  surroundings_.Begin();
  const gate::AuthoritySight seen = LookAtA().authority;
  EXPECT_TRUE(seen.is_told);
  EXPECT_EQ(seen.outputs_without, 0);
  EXPECT_EQ(seen.not_single, 0);
  EXPECT_TRUE(seen.vehicles.empty());
  EXPECT_EQ(seen.what, "");
}

TEST_F(GateSurroundingsTest, LotsThatNobodyOrTwoSpeakForAreSeen) {
  Tamper("UPDATE ledger SET to_offset = 9 WHERE partition = 1");
  EXPECT_EQ(Look().authority.not_single, 1);
  EXPECT_EQ(Look().authority.what, "partition 1");
}

TEST_F(GateSurroundingsTest, WorkersAreToldOfByReleaseAndBrokenFilesTellNothing) {
  const auto write = [this](const std::string& name, const std::string& text) {
    std::ofstream(paths_.run() + "/" + name) << text;
  };
  write("releases.json", "{\"releases\": [1, {\"release\": 7}");
  EXPECT_FALSE(Look().workers[1].is_told);
  write("releases.json", R"({"releases": [1, {"release": 7}, {"release": ")" + kReleaseB +
                             R"(", "state": "running", "restarts": 2, "last_end": "was killed",
                             "cpu_s": 1.5, "rss_bytes": 4096}]})");
  write("counters/" + WorkerName(kReleaseB) + ".json",
        R"({"partitions_stopped": 1, "drops_total.safety.out_of_range": 3, "x": "y"})");
  const gate::WorkerSight worker = Look().workers[1];
  EXPECT_TRUE(worker.is_told);
  EXPECT_EQ(worker.restarts, 2u);
  EXPECT_EQ(worker.rss_bytes, 4096u);
  EXPECT_EQ(worker.partitions_stopped, 1u);
  EXPECT_EQ(worker.drops.at("drops_total.safety.out_of_range"), 3u);
  EXPECT_FALSE(Look().workers[0].is_told);
}

}  // namespace
}  // namespace telltale::app
