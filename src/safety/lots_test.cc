#include "safety/lots.h"

#include <gtest/gtest.h>

#include "internal/v1/internal.pb.h"
#include "safety/snapshot.h"
#include "safety/test_contract.h"

namespace telltale::safety {
namespace {

using testing::MakeRecord;
using testing::Vehicle;

const std::string kMe(64, 'a');
const std::string kOther(64, 'b');
constexpr Micros kNow = Micros::Seconds(1'700'000'000);

internal::v1::ConfigRecord Config(const std::string& stable, const std::string& candidate = "",
                                  std::uint32_t shadow_lots = 0, const std::string& salt = "s") {
  internal::v1::ConfigRecord config;
  config.set_stable_release(stable);
  if (candidate.empty()) return config;
  config.mutable_rollout()->set_candidate(candidate);
  config.mutable_rollout()->set_shadow_lots(shadow_lots);
  config.mutable_rollout()->mutable_order()->set_salt(salt);
  return config;
}

TEST(LotsTest, AReleaseComputesWhatTheConfigSays) {
  const auto count = [](const internal::v1::ConfigRecord& config) {
    return LotsAfter({}, config, kMe, kNow).count;
  };
  EXPECT_EQ(count(Config(kMe)), kLots);
  EXPECT_EQ(count(Config(kOther)), 0u);
  EXPECT_EQ(count(Config(kOther, kMe, 501)), 501u);
  EXPECT_EQ(count(Config(kOther, std::string(64, 'c'), 501)), 0u);
  EXPECT_EQ(count(Config(kOther, kMe, kLots + 9)), kLots);
  internal::v1::ConfigRecord previous = Config(kOther);
  previous.set_previous_release(kMe);
  EXPECT_EQ(count(previous), kLots);
}

TEST(LotsTest, ASpeakerComputesAllForAReleaseOfItsSafetyPathAndThatOneNothing) {
  const Lots all{.count = kLots, .since = kNow - Micros::Seconds(100), .order = {}};
  internal::v1::ConfigRecord under_way = Config(kMe, kOther, 501);
  under_way.mutable_silent_rollout()->Swap(under_way.mutable_rollout());
  under_way.clear_rollout();
  internal::v1::ConfigRecord arrived = Config(kMe);
  arrived.set_stable_in_force(kOther);
  for (const auto& config : {under_way, arrived}) {
    EXPECT_EQ(LotsAfter(all, config, kMe, kNow), all);
    EXPECT_EQ(LotsAfter({}, config, kOther, kNow).count, 0u);
  }
}

TEST(LotsTest, SinceStaysWhileNothingNewIsComputedAndBeginsAnewWithAGrowth) {
  const Micros began = kNow - Micros::Seconds(100);
  const auto since = [&](const Lots& before, const internal::v1::ConfigRecord& config) {
    return LotsAfter(before, config, kMe, kNow).since;
  };
  const Lots all{.count = kLots, .since = began, .order = {}};
  EXPECT_EQ(since({}, Config(kMe)), kNow) << "nothing was read before";
  EXPECT_EQ(since(all, Config(kMe)), began);
  EXPECT_EQ(since(all, Config(kOther, kMe, 501)), began) << "part of all";
  const Lots some = LotsAfter(Lots{.count = 0, .since = began, .order = {}},
                              Config(kOther, kMe, 501), kMe, began);
  EXPECT_EQ(since(some, Config(kOther, kMe, 501)), began);
  EXPECT_EQ(since(some, Config(kOther, kMe, 101)), began) << "part of the same order";
  EXPECT_EQ(since(some, Config(kOther, kMe, 502)), kNow);
  EXPECT_EQ(since(some, Config(kOther, kMe, 101, "another")), kNow) << "other vehicles";
  EXPECT_EQ(since(some, Config(kMe)), kNow);
}

TEST(LotsTest, AVehicleOutsideIsCountedAndOneThatLeavesIsForgotten) {
  const Engine engine(testing::MustLoad("version: 1\nrules:\n- name: warning\n  kind: edge\n"
                                        "  field: is_fcw_warning\n  severity: HIGH\n"),
                      kMe);
  PartitionState state;
  std::vector<Output> out;
  std::uint64_t offset = 0;
  std::uint64_t seq = 0;
  std::uint64_t config_seq = 0;
  const auto put = [&](std::uint32_t lots) {
    internal::v1::ConfigRecord config = Config(kOther, kMe, lots);
    config.set_config_seq(++config_seq);
    internal::v1::SignedConfig envelope;
    envelope.set_record(config.SerializeAsString());
    testing::TestRecord record = MakeRecord(offset++, {}, {}, 0, kNow, nullptr);
    record.view.header.kind = log::RecordKind::kConfig;
    record.payload = envelope.SerializeAsString();
    ASSERT_TRUE(Apply(engine, record.Get(), state, out).ok());
  };
  const auto drive = [&](std::uint8_t vehicle) {
    testing::TestRecord record =
        MakeRecord(offset++, Vehicle(vehicle), {1, 1}, seq++, kNow + Micros{1},
                   [](auto& report) { report.set_is_fcw_warning(true); });
    ASSERT_TRUE(Apply(engine, record.Get(), state, out).ok());
  };
  const Cohort order{.per_10000 = 0, .salt = "s", .always = {}, .never = {}};
  const auto members = [&](std::uint32_t lots) {
    std::size_t count = 0;
    for (std::uint8_t n = 0; n < 100; ++n) {
      count += LotOf(order, Vehicle(n)) < lots ? 1 : 0;
    }
    return count;
  };
  ASSERT_GT(members(5'001), members(2'001));
  put(5'001);
  std::size_t outputs = 0;
  for (std::uint8_t n = 0; n < 100; ++n) {
    drive(n);
    outputs += out.size();
  }
  EXPECT_EQ(outputs, members(5'001));
  EXPECT_EQ(state.vehicles.size(), members(5'001));
  EXPECT_EQ(state.count(Count::kOutsideLots), 100 - members(5'001));
  EXPECT_EQ(state.count(Count::kRecords), 100u);
  put(2'001);
  EXPECT_EQ(state.vehicles.size(), members(2'001));
  put(0);
  EXPECT_TRUE(state.vehicles.empty());
  drive(3);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(state.log_time, kNow + Micros{1001}) << "log time goes on";
}

TEST(SnapshotLotsTest, LotsComeBackAndVersionOneIsReadAsAllLotsSinceEver) {
  Snapshot snapshot{.head = {.release = kMe, .shard = 0, .shards = 1, .partitions = 1, .rules = 1},
                    .position = {.next = {Offset{3}}},
                    .partitions = {}};
  PartitionState& state = snapshot.partitions[PartitionId{0}];
  state.lots = {
      .count = 77,
      .since = kNow,
      .order = {
          .per_10000 = 0, .salt = "s", .always = {Vehicle(1), Vehicle(2)}, .never = {Vehicle(3)}}};
  const auto again = DecodeSnapshotBody(AsBytes(EncodeSnapshotBody(snapshot)));
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_EQ(again->partitions.at(PartitionId{0}).lots, state.lots);

  // As version 1 wrote it: docs/formats/snapshot.md of that time.
  std::string body;
  PutBlob(body, kMe);
  for (const int part : {0, 1, 1, 1}) PutLe(body, static_cast<std::uint16_t>(part));
  PutBlob(body, snapshot.position.Encode());
  PutBlob(body, "");
  PutLe(body, std::uint16_t{1});
  PutLe(body, std::uint16_t{0});
  PutLe(body, kNow.value);
  PutLe(body, std::int64_t{5});
  PutLe(body, std::uint64_t{9});  // config_seq
  PutLe(body, std::uint32_t{2});  // contract number
  PutLe(body, std::uint16_t{10});
  for (std::uint64_t n = 0; n < 10; ++n) PutLe(body, n + 100);
  PutLe(body, std::uint32_t{0});
  const auto old = DecodeSnapshotBody(AsBytes(body), 1);
  ASSERT_TRUE(old.ok()) << old.error().ToString();
  const PartitionState& read = old->partitions.at(PartitionId{0});
  EXPECT_EQ(read.lots, (Lots{.count = kLots, .since = Micros{0}, .order = {}}));
  EXPECT_EQ(read.config_seq, ConfigSeq{9});
  EXPECT_EQ(read.count(Count::kClosed), 109u);
  EXPECT_FALSE(DecodeSnapshotBody(AsBytes(body), 2).ok());
}

}  // namespace
}  // namespace telltale::safety
