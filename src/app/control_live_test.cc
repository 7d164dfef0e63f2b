#include "app/control_live.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "app/control_live_tally.h"
#include "base/check.h"
#include "base/local_socket.h"
#include "control/config_record.h"
#include "internal/v1/internal.pb.h"
#include "internal/v1/local.pb.h"
#include "log/log.h"
#include "publish/publisher.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

using internal::v1::JournalEntry;
using nlohmann::json;

const std::string kLiveStable(64, 'a');
const std::string kLiveCandidate(64, 'b');
constexpr Micros kLiveBegan = Micros::Seconds(1'800'000'000);
constexpr std::uint16_t kPartitions = 2;

template <typename T>
T Must(Result<T> result) {
  CHECK(result.ok());
  return std::move(result).value();
}

// A vehicle within the first `lots` lots of an empty salt, or one that is not.
VehicleRef VehicleOf(bool is_within, std::uint32_t lots) {
  for (std::uint8_t i = 0;; ++i) {
    VehicleRef vehicle;
    vehicle.bytes[0] = i;
    if ((LotOf(Cohort{}, vehicle) < lots) == is_within) return vehicle;
  }
}

// A real folder with what the look reads: config records, journals, a store and counters.
class ControlLiveTest : public testing::Test {
 protected:
  ControlLiveTest() : folder_(MakeFolder()), paths_(folder_), control_(Must(seal::MakeEd25519())) {
    std::ofstream(paths_.config()) << "";
    for (const std::string& folder : {paths_.keys(), paths_.log() + "/config",
                                      paths_.run() + "/counters", paths_.run() + "/publish"}) {
      std::filesystem::create_directories(folder);
    }
    std::ofstream(paths_.keys() + "/control.pub") << HexEncode(control_.public_raw) << "\n";
  }
  ~ControlLiveTest() override { std::filesystem::remove_all(folder_); }

  static std::string MakeFolder() {
    std::string pattern = testing::TempDir() + "/live-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    return pattern;
  }
  void Count(const std::string& role, const json& counters) {
    std::ofstream(paths_.run() + "/counters/" + role + ".json") << counters.dump();
  }
  // The candidate computes vehicles of lower lots than `lots`; 0: no rollout. `speaker`: who does
  // so for it, "" = itself.
  void PutInForce(std::uint64_t seq, std::uint32_t lots, const std::string& rollout = "prod-1",
                  const std::string& speaker = "") {
    control::InForce config;
    config.config_seq = ConfigSeq{seq};
    config.environment = "prod";
    config.contract_number = 1;
    config.contract_digest = std::string(64, 'c');
    config.stable_release = kLiveStable;
    config.created_at = seq == 1 ? kLiveBegan : kLiveBegan + Micros::Seconds(500);
    if (lots > 0) {
      config.rollout = control::Rollout{.id = rollout,
                                        .candidate = kLiveCandidate,
                                        .speaker = speaker,
                                        .order = {},
                                        .shadow_lots = lots,
                                        .authority_lots = 0,
                                        .warm_up = {},
                                        .began = ConfigSeq{1}};
    }
    char name[21];
    std::snprintf(name, sizeof(name), "%020llu", static_cast<unsigned long long>(seq));
    std::ofstream(paths_.log() + "/config/" + name) << Must(control::SignConfig(config, control_));
  }
  log::Log& Journal(const std::string& release) {
    auto& journal = journals_[release];
    if (journal == nullptr) {
      journal = Must(log::Log::Open(disk_, {.dir = paths_.journal() + "/" + release,
                                            .streams = {"journal"},
                                            .partitions = kPartitions,
                                            .shards = 1,
                                            .segment_bytes = 64u << 10,
                                            .ticks = false}));
    }
    return *journal;
  }
  void Write(const std::string& release, const JournalEntry& entry) {
    log::BatchBuilder batch{PartitionId{0}};
    batch.Add({}, "", AsBytes(entry.SerializeAsString()));
    const log::ShardWriter::Staged staged{0, &batch};
    log::ShardWriter& shard = Journal(release).shard(ShardId{0});
    ASSERT_TRUE(shard.Append({&staged, 1}).ok());
    ASSERT_TRUE(shard.SyncNow().ok());
  }
  void Open(const std::string& release, const std::string& rule, const VehicleRef& vehicle,
            std::uint64_t input_offset, Micros received = kLiveBegan + Micros::Seconds(1)) {
    JournalEntry entry;
    JournalEntry::Output& output = *entry.mutable_output();
    output.set_input_offset(input_offset);
    output.set_receipt_time_us(received.value);
    output.set_event_time_us(received.value);
    internal::v1::Alert& alert = *output.mutable_alert();
    alert.set_output_id(std::string(15, 'i') + static_cast<char>(input_offset));
    alert.set_rule(rule);
    alert.set_vehicle_ref(vehicle.bytes.data(), vehicle.bytes.size());
    alert.set_revision(1);
    alert.set_state(internal::v1::EPISODE_STATE_OPEN);
    alert.set_severity(internal::v1::SEVERITY_HIGH);
    Write(release, entry);
  }
  void Publish(std::uint64_t below_offset) {
    JournalEntry mark;
    mark.mutable_progress()->set_below_offset(below_offset);
    Write(kLiveStable, mark);
    auto store = Must(publish::AlertStore::Open(paths_.publish() + "/alerts.db"));
    ASSERT_TRUE(store.InstallAuthority(kLiveStable, kPartitions).ok());
    publish::Publisher publisher({.journal_dir = paths_.journal(),
                                  .positions_dir = "",
                                  .partitions = kPartitions,
                                  .shards = 1},
                                 std::move(store), disk_, clock_, counters_, [] {});
    ASSERT_TRUE(Must(publisher.LoadAuthority()));
    while (Must(publisher.RunOnce())) {
    }
  }
  json Look() { return Must(live_.Look(folder_)); }
  static json RulesOf(const json& live, const std::string& role) {
    for (const json& one : live["releases"]) {
      if (one["role"] == role) return one["rules"];
    }
    return json::array({"no such role"});
  }

  const std::string folder_;
  const Paths paths_;
  const seal::KeyPair control_;
  PosixDisk disk_;
  ManualClock clock_{kLiveBegan + Micros::Seconds(1'000)};
  Counters counters_;
  std::map<std::string, std::unique_ptr<log::Log>> journals_;
  ControlLive live_{disk_, clock_};
};

TEST_F(ControlLiveTest, AFolderThatIsNoInstallationIsNotFound) {
  EXPECT_EQ(live_.Look(folder_ + "/elsewhere").error().code, Code::kNotFound);
}

TEST_F(ControlLiveTest, WhatCannotBeReadIsNamedAndTheRestIsThere) {
  Count("gateway", {{"reports_accepted", 7}});
  std::filesystem::remove(paths_.keys() + "/control.pub");
  const json live = Look();
  ASSERT_EQ(live["missing"].size(), 1u) << live["missing"];
  EXPECT_EQ(live["missing"][0]["part"], "releases");
  EXPECT_EQ(live["arrivals"]["reports_accepted"], 7);
  EXPECT_EQ(live["alerts"], json::array()) << "nothing was published yet, which is no fault";
  EXPECT_FALSE(live["serving"].get<bool>());
}

TEST_F(ControlLiveTest, DropsOfAllRolesStandByNumberAndNothingIsLeftOutButZero) {
  Count("gateway", {{"connections_total", 9},
                    {"connections_closed_total", 4},
                    {"drops_total.gateway.qos", 3},
                    {"drops_total.gateway.topic", 0}});
  Count("publisher", {{"drops_total.publish.erased", 12}, {"alerts_total", 5}});
  PutInForce(1, 0);
  const json live = Look();
  EXPECT_EQ(live["drops"],
            json::parse(R"([{"role":"publisher","where":"publish","reason":"erased","count":12},
                            {"role":"gateway","where":"gateway","reason":"qos","count":3}])"));
  EXPECT_EQ(live["arrivals"]["connections_open"], 5);
}

TEST_F(ControlLiveTest, BothReleasesAreCountedOverTheVehiclesThatBothCompute) {
  const std::uint32_t lots = LotsOfShare(5'000);
  const VehicleRef in = VehicleOf(true, lots);
  const VehicleRef out = VehicleOf(false, lots);
  PutInForce(1, lots);
  Open(kLiveStable, "braking", in, 1, kLiveBegan - Micros{1});  // before it began
  Open(kLiveStable, "braking", in, 2);
  Open(kLiveStable, "braking", out, 3);  // not the candidate's
  Open(kLiveStable, "crash", in, 4);
  Open(kLiveCandidate, "braking", in, 2);
  Open(kLiveCandidate, "braking", in, 5);
  Open(kLiveCandidate, "braking", in, 5);  // once more, after a restart
  Publish(5);
  const json live = Look();
  EXPECT_EQ(live["missing"].size(), 0u) << live["missing"];
  EXPECT_EQ(RulesOf(live, "stable"), json::parse(R"([{"rule":"braking","opened":1,"published":3},
                            {"rule":"crash","opened":1,"published":1}])"));
  EXPECT_EQ(RulesOf(live, "candidate"),
            json::parse(R"([{"rule":"braking","opened":2,"published":0}])"));
  EXPECT_EQ(live["alerts"].size(), 4u);
  EXPECT_EQ(live["since"], FormatUtc(kLiveBegan));
  EXPECT_TRUE(live["releases"][1]["counted_all"].get<bool>());
}

TEST_F(ControlLiveTest, OfACandidateThatStableSpeaksForTheOneWorkerIsShown) {
  PutInForce(1, kLots, "prod-1", kLiveStable);
  Open(kLiveStable, "braking", VehicleOf(true, kLots), 1);
  Publish(2);
  Count("worker-aaaaaaaa", {{"safety_records_total", 7}});
  const json live = Look();
  EXPECT_EQ(live["missing"].size(), 0u) << live["missing"];
  ASSERT_EQ(live["releases"].size(), 2u);
  for (const json& one : live["releases"]) {
    EXPECT_EQ(one["speaker"], kLiveStable) << one["role"];
    EXPECT_EQ(one["rules"], live["releases"][0]["rules"]);
    EXPECT_EQ(one["worker"], live["releases"][0]["worker"]);
  }
  EXPECT_EQ(live["releases"][1]["release"], kLiveCandidate);
  EXPECT_EQ(RulesOf(live, "candidate"),
            json::parse(R"([{"rule":"braking","opened":1,"published":1}])"));
}

TEST_F(ControlLiveTest, ALookGoesOnWhereTheLastStoppedAndAnotherRolloutBeginsAtNothing) {
  const VehicleRef car = VehicleOf(true, kLots);
  PutInForce(1, kLots);
  Open(kLiveStable, "braking", car, 1);
  Open(kLiveCandidate, "braking", car, 1);
  EXPECT_EQ(RulesOf(Look(), "candidate")[0]["opened"], 1);
  Open(kLiveCandidate, "braking", car, 2);
  EXPECT_EQ(RulesOf(Look(), "candidate")[0]["opened"], 2);
  EXPECT_EQ(RulesOf(Look(), "candidate")[0]["opened"], 2);
  PutInForce(2, 0);
  const json live = Look();
  EXPECT_EQ(live["releases"].size(), 1u);
  EXPECT_EQ(live["rollout"], json());
  EXPECT_EQ(live["since"], FormatUtc(kLiveBegan + Micros::Seconds(500)));
  EXPECT_EQ(RulesOf(live, "stable"), json::array()) << "it was before this config";
}

TEST_F(ControlLiveTest, AReleaseWhoseJournalIsNotThereYetIsNamedAndCountedLater) {
  PutInForce(1, kLots);
  Open(kLiveStable, "braking", VehicleOf(true, kLots), 1);
  const json before = Look();
  ASSERT_EQ(before["missing"].size(), 1u) << before["missing"];
  EXPECT_EQ(before["missing"][0]["part"], "journal of candidate");
  EXPECT_FALSE(before["releases"][1]["counted_all"].get<bool>());
  Open(kLiveCandidate, "braking", VehicleOf(true, kLots), 1);
  EXPECT_EQ(RulesOf(Look(), "candidate")[0]["opened"], 1);
}

TEST_F(ControlLiveTest, AWorkerIsToldByItsCountersAndWhatServeSaysOfIt) {
  PutInForce(1, kLots);
  std::ofstream(paths_.run() + "/releases.json") << json{
      {"releases",
       {{{"release", kLiveCandidate},
         {"state", "stopped"},
         {"reason", "journal_flood"},
         {"restarts", 3},
         {"last_end", "signal 9"},
         {"cpu_s", 1.25},
         {"pid", 0}},
        "no object"}}}.dump();
  Count("worker", {{"safety_records_total", 50}});
  const json live = Look();
  EXPECT_EQ(live["releases"][0]["worker"]["records_read"], 50);
  const json& candidate = live["releases"][1]["worker"];
  EXPECT_EQ(candidate["state"], "stopped");
  EXPECT_EQ(candidate["reason"], "journal_flood");
  EXPECT_EQ(candidate["restarts"], 3);
  EXPECT_EQ(candidate["cpu_s"], 1.25);
  EXPECT_EQ(candidate["cpu_since"], json());
  EXPECT_FALSE(candidate["alive"].get<bool>());
  EXPECT_FALSE(candidate.contains("pid"));
}

TEST_F(ControlLiveTest, WhatTheLakeFoundIsOfTheReleaseOnTrialAndABrokenReportCostsNothingElse) {
  PutInForce(1, 0);
  EXPECT_EQ(Look()["lake"], json()) << "nothing is on trial";
  PutInForce(2, kLots);
  const json nothing = {{"features", nullptr}, {"telemetry", nullptr}};
  EXPECT_EQ(Look()["lake"], nothing);
  for (const std::string& release : {kLiveStable, kLiveCandidate}) {
    std::filesystem::create_directories(paths_.lake() + "/shadow/" + release);
  }
  std::ofstream(paths_.lake() + "/shadow/" + kLiveStable + "/telemetry.json") << "not this one's";
  EXPECT_EQ(Look()["lake"], nothing);
  std::ofstream(paths_.lake() + "/shadow/" + kLiveCandidate + "/features.json") << "half of";
  const json live = Look();
  EXPECT_EQ(live["lake"]["features"]["verdict"], "unreadable");
  EXPECT_EQ(live["releases"].size(), 2u);
}

TEST_F(ControlLiveTest, ThePublishersAnswerGivesItsLagAndTheMarksOfEachJournal) {
  PutInForce(1, kLots);
  auto listener = Must(LocalListener::Listen(paths_.run() + "/publish/orders.sock", 0600));
  std::jthread publisher([&listener] {
    auto connection = Must(listener.Accept(std::chrono::seconds(10)));
    ASSERT_TRUE(connection && Must(connection->Receive(std::chrono::seconds(10))));
    internal::v1::PublisherReply reply;
    for (std::uint32_t number = 0; number < 2; ++number) {
      auto& partition = *reply.add_partitions();
      partition.set_partition(number);
      auto& lane = *partition.add_lanes();
      lane.set_lot_to(kLots);
      lane.set_release(kLiveStable);
      lane.set_next_offset(90);
      auto& mark = *partition.add_releases();
      mark.set_release(kLiveStable);
      mark.set_below_offset(100 + number);
      mark.set_log_time_us((kLiveBegan + Micros::Seconds(number)).value);
      mark.set_lots(kLots);
    }
    ASSERT_TRUE(connection->Send(reply.SerializeAsString()).ok());
  });
  const json live = Look();
  EXPECT_EQ(live["lag"], json::parse(R"([{"consumer":"publisher","stream":"journal",
                                          "records_behind":21}])"));
  EXPECT_EQ(live["releases"][0]["marks"],
            (json{{"partitions", 2},
                  {"oldest_at", FormatUtc(kLiveBegan)},
                  {"newest_at", FormatUtc(kLiveBegan + Micros::Seconds(1))},
                  {"lots_computed", kLots}}));
  EXPECT_EQ(live["releases"][1]["marks"], json());
}

}  // namespace
}  // namespace telltale::app
