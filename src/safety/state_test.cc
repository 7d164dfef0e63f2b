#include "safety/state.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "base/limits.h"
#include "base/random.h"
#include "internal/v1/internal.pb.h"
#include "safety/output.h"
#include "safety/snapshot.h"
#include "safety/test_contract.h"

namespace telltale::safety {
namespace {

using testing::MakeRecord;
using testing::TestRecord;
using testing::Vehicle;

const char* const kYaml =
    "version: 1\n"
    "rules:\n"
    "- name: hard_braking\n"
    "  kind: threshold\n"
    "  fields: [acceleration_longitudinal_mps2]\n"
    "  direction: below\n"
    "  level: {value: 4, unit: m/s2}\n"
    "  severity: [{from: {value: 4, unit: m/s2}, severity: MEDIUM},"
    " {from: {value: 6, unit: m/s2}, severity: HIGH}]\n"
    "- name: warning\n"
    "  kind: edge\n"
    "  field: is_fcw_warning\n"
    "  severity: HIGH\n";

constexpr Micros kStart = Micros::Seconds(1'700'000'000);

class StateTest : public ::testing::Test {
 protected:
  // Applies it; gives "<rule>+" for each opened and "<rule>-" for each closed episode.
  std::string Feed(TestRecord record) {
    const Status applied = Apply(engine_, record.Get(), state_, out_);
    EXPECT_TRUE(applied.ok());
    std::string said;
    for (const Output& output : out_) {
      said += engine_.set.rules[output.rule].name + (output.change.closed ? "-" : "+");
    }
    return said;
  }
  TestRecord Brake(std::uint64_t seq, std::int64_t ms, float value) {
    return MakeRecord(offset_++, Vehicle(1), {1, 1}, seq, kStart + Micros{ms * 1000},
                      [value](auto& report) { report.set_acceleration_longitudinal_mps2(value); });
  }

  Engine engine_{testing::MustLoad(kYaml)};
  PartitionState state_;
  std::vector<Output> out_;
  std::uint64_t offset_ = 0;
};

TEST_F(StateTest, ARepeatChangesNothingAndIsCounted) {
  EXPECT_EQ(Feed(Brake(0, 0, -5)), "hard_braking+");
  EXPECT_EQ(Feed(Brake(1, 100, -1)), "hard_braking-");
  EXPECT_EQ(Feed(Brake(0, 0, -5)), "") << "sent again";
  EXPECT_EQ(state_.count(Count::kDuplicate), 1u);
  TestRecord other = Brake(1, 200, -9);
  other.view.header.content_hash = 12345;
  EXPECT_EQ(Feed(other), "") << "another report under the same identity: the first wins";
  EXPECT_EQ(state_.count(Count::kSeqConflict), 1u);
  EXPECT_EQ(state_.count(Count::kNew), 2u);
}

TEST_F(StateTest, AReportOlderThanTheNewestChangesNoRuleButIsKnown) {
  Feed(Brake(5, 1000, -1));
  EXPECT_EQ(Feed(Brake(3, 900, -9)), "");
  EXPECT_EQ(state_.count(Count::kOutOfOrder), 1u);
  EXPECT_EQ(Feed(Brake(3, 900, -9)), "");
  EXPECT_EQ(state_.count(Count::kDuplicate), 1u) << "it was recorded in the sequence";
  EXPECT_EQ(Feed(Brake(6, 1000, -9)), "hard_braking+") << "an equal time is evaluated";
}

TEST_F(StateTest, VehiclesDoNotMeet) {
  Feed(Brake(0, 0, -5));
  EXPECT_EQ(Feed(MakeRecord(offset_++, Vehicle(2), {1, 1}, 0, kStart - Micros::Seconds(60),
                            [](auto& r) { r.set_acceleration_longitudinal_mps2(-5); })),
            "hard_braking+");
  EXPECT_EQ(state_.vehicles.size(), 2u);
}

TEST_F(StateTest, OneRecordGivesItsOutputsInRuleOrder) {
  TestRecord both = MakeRecord(0, Vehicle(1), {1, 1}, 0, kStart, [](auto& report) {
    report.set_is_fcw_warning(true);
    report.set_acceleration_longitudinal_mps2(-7);
  });
  EXPECT_EQ(Feed(both), "hard_braking+warning+");
  EXPECT_EQ(out_[0].index, 0u);
  EXPECT_EQ(out_[1].index, 1u);
}

TEST_F(StateTest, AQuietVehicleHoldsNoRuleState) {
  Feed(Brake(0, 0, -5));
  EXPECT_EQ(state_.vehicles[Vehicle(1)].active.size(), 1u);
  Feed(Brake(1, 100, 0));
  EXPECT_TRUE(state_.vehicles[Vehicle(1)].active.empty());
}

TEST_F(StateTest, AnUnknownControlKindStopsBeforeItChangesAnything) {
  Feed(Brake(0, 0, -5));
  TestRecord strange = Brake(1, 5000, 0);
  strange.view.header.kind = static_cast<log::RecordKind>(9);
  const PartitionState before = state_;
  const Status applied = Apply(engine_, strange.Get(), state_, out_);
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().code, Code::kUnsupported);
  EXPECT_EQ(state_.log_time, before.log_time);
  EXPECT_EQ(state_.counts, before.counts);
}

TestRecord Config(std::uint64_t seq, std::uint32_t contract) {
  internal::v1::ConfigRecord config;
  config.set_config_seq(seq);
  config.set_contract_number(contract);
  internal::v1::SignedConfig signed_config;
  signed_config.set_record(config.SerializeAsString());
  TestRecord record = MakeRecord(0, {}, {}, 0, kStart, nullptr);
  record.view.header.kind = log::RecordKind::kConfig;
  record.payload = signed_config.SerializeAsString();
  return record;
}

TEST_F(StateTest, ALowerConfigIsIgnored) {
  Feed(Config(3, 7));
  Feed(Config(2, 6));
  EXPECT_EQ(state_.config_seq, ConfigSeq{3});
  EXPECT_EQ(state_.contract_number, 7u);
}

TEST_F(StateTest, TicksMoveLogTimeAndEvictWhatIsPastTheHorizon) {
  Feed(Brake(0, 0, -5));
  TestRecord tick = MakeRecord(1, {}, {}, 0, Micros{0}, nullptr);
  tick.view.header.kind = log::RecordKind::kTick;
  tick.payload.clear();
  tick.view.log_time = kStart + Micros{kIdentityHorizonUs};
  Feed(tick);
  EXPECT_EQ(state_.vehicles.size(), 1u);
  tick.view.log_time = kStart + Micros{kIdentityHorizonUs} + Micros::Seconds(7200);
  Feed(tick);
  EXPECT_TRUE(state_.vehicles.empty());
  TestRecord late = Brake(1, 0, 0);
  late.view.log_time = state_.log_time;
  Feed(late);
  EXPECT_EQ(state_.count(Count::kPastHorizon), 1u);
}

TEST_F(StateTest, AMalformedPayloadIsCountedAndHarmless) {
  TestRecord bad = Brake(0, 0, -5);
  bad.payload = "\x5d\x01";
  EXPECT_EQ(Feed(bad), "");
  EXPECT_EQ(state_.count(Count::kMalformed), 1u);
}

// A few vehicles driving wildly, with repeats, conflicts, late reports and reboots.
std::vector<TestRecord> WildStream(std::uint64_t seed, std::size_t size) {
  SeededRandom random(seed);
  std::vector<TestRecord> records;
  std::array<std::uint64_t, 5> seq{};
  std::array<std::uint32_t, 5> boot{};
  for (std::size_t n = 0; n < size; ++n) {
    const auto car = static_cast<std::uint8_t>(random.Below(5));
    if (random.Below(40) == 0) {
      ++boot[car];
      seq[car] = 0;
    }
    Micros time = kStart + Micros{static_cast<std::int64_t>(n) * 50'000};
    if (random.Below(15) == 0) time = time - Micros::Seconds(20);
    if (random.Below(60) == 0) time = time + Micros::Seconds(60);
    records.push_back(
        MakeRecord(n, Vehicle(car), {boot[car], car}, seq[car]++, time, [&random](auto& report) {
          if (random.Below(4) != 0) {
            const auto tenths = static_cast<float>(random.Below(80));
            report.set_acceleration_longitudinal_mps2(-tenths / 10);
          }
          if (random.Below(3) == 0) report.set_is_fcw_warning(random.Below(2) == 0);
          if (random.Below(2) == 0) report.set_speed_kmh(static_cast<float>(random.Below(200)));
          if (random.Below(2) == 0) report.set_heading_octant(3);
        }));
    if (random.Below(10) == 0) {
      TestRecord repeat = records[random.Below(records.size())];
      repeat.view.offset = Offset{++n};
      if (random.Below(3) == 0) repeat.view.header.content_hash ^= 1;
      records.push_back(repeat);
    }
  }
  for (std::size_t n = 0; n < records.size(); ++n) records[n].view.offset = Offset{n};
  return records;
}

std::string JournalOf(const Engine& engine, std::vector<TestRecord>& records, std::size_t from,
                      PartitionState& state) {
  std::string bytes;
  std::vector<Output> out;
  for (std::size_t n = from; n < records.size(); ++n) {
    const log::RecordView& view = records[n].Get();
    EXPECT_TRUE(Apply(engine, view, state, out).ok());
    for (const Output& output : out) {
      PutBlob(bytes, EncodeOutput("test", engine.set.rules[output.rule], view, output));
    }
  }
  return bytes;
}

SnapshotHead Head() {
  return {.release = std::string(64, 'a'), .shard = 0, .shards = 1, .partitions = 1, .rules = 2};
}

std::string File(const std::map<PartitionId, PartitionState>& partitions) {
  return EncodeSnapshot(Head(), log::Position{.next = {Offset{17}}}, partitions);
}

TEST_F(StateTest, AReplayGivesTheSameBytesAlsoOverASnapshotAnywhere) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    std::vector<TestRecord> records = WildStream(seed, 1500);
    PartitionState whole;
    const std::string journal = JournalOf(engine_, records, 0, whole);
    EXPECT_GT(whole.count(Count::kOpened), 30u);
    EXPECT_GT(whole.count(Count::kDuplicate), 20u);
    EXPECT_GT(whole.count(Count::kOutOfOrder), 20u);

    SeededRandom random(seed);
    const std::size_t cut = random.Below(records.size());
    std::vector<TestRecord> first(records.begin(), records.begin() + static_cast<long>(cut));
    PartitionState part;
    const std::string before = JournalOf(engine_, first, 0, part);
    const std::string file = File({{PartitionId{0}, part}});
    auto restored = DecodeSnapshot(AsBytes(file), Head());
    ASSERT_TRUE(restored.ok()) << restored.error().ToString();
    EXPECT_EQ(File(restored->partitions), file) << "one state, one file";
    EXPECT_EQ(restored->position.next[0], Offset{17});
    PartitionState& resumed = restored->partitions[PartitionId{0}];
    EXPECT_EQ(before + JournalOf(engine_, records, cut, resumed), journal) << "seed " << seed;
    EXPECT_EQ(resumed.counts, whole.counts);
  }
}

TEST_F(StateTest, EverythingClosedWasOpenedOnceUnderTheSameId) {
  std::vector<TestRecord> records = WildStream(77, 3000);
  PartitionState state;
  std::map<std::string, std::uint32_t> revisions;
  const std::string journal = JournalOf(engine_, records, 0, state);
  ByteReader reader(journal);
  while (reader.remaining() > 0) {
    internal::v1::JournalEntry entry;
    ASSERT_TRUE(entry.ParseFromString(std::string(AsText(reader.TakeBlob()))));
    const auto& alert = entry.output().alert();
    EXPECT_EQ(alert.revision(), ++revisions[alert.output_id()]);
    EXPECT_LE(alert.revision(), 2u);
    EXPECT_EQ(alert.state() == internal::v1::EPISODE_STATE_CLOSED, alert.revision() == 2);
    EXPECT_EQ(alert.has_peak_value(), alert.rule() == "hard_braking");
    if (alert.has_peak_value()) {
      EXPECT_LE(alert.peak_value(), -4);
    }
  }
}

TEST(SnapshotTest, RefusesEveryCutAndEveryFlippedByte) {
  Engine engine(testing::MustLoad(kYaml));
  std::vector<TestRecord> records = WildStream(5, 60);
  PartitionState state;
  JournalOf(engine, records, 0, state);
  const std::string file = File({{PartitionId{0}, state}});
  for (std::size_t size = 0; size < file.size(); size += 1 + size / 40) {
    const auto cut = DecodeSnapshot(AsBytes(file).first(size), Head());
    ASSERT_FALSE(cut.ok()) << size;
    EXPECT_EQ(cut.error().code, Code::kCorrupt);
  }
  for (std::size_t at = 0; at < file.size(); at += 1 + at / 40) {
    std::string flipped = file;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    EXPECT_FALSE(DecodeSnapshot(AsBytes(flipped), Head()).ok()) << at;
  }
}

std::string WithCrc(std::string file) {
  file.resize(file.size() - 4);
  PutLe(file, Crc32c(AsBytes(file)));
  return file;
}

TEST(SnapshotTest, RefusesTheFutureAndOtherOwners) {
  std::string newer = File({});
  newer[8] = 4;   // version
  newer[10] = 3;  // minimum reader
  const auto refused = DecodeSnapshot(AsBytes(WithCrc(newer)), Head());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().ToString(),
            "unsupported: snapshot: made by format version 4, needs a reader of version 3; this "
            "telltale reads up to 2: use a newer telltale");
  std::string compatible = File({});
  compatible[8] = 3;  // version
  EXPECT_TRUE(DecodeSnapshot(AsBytes(WithCrc(compatible)), Head()).ok());
  SnapshotHead other = Head();
  other.release[0] = 'b';
  const auto foreign = DecodeSnapshot(AsBytes(File({})), other);
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().code, Code::kInvalid);
}

TEST(OutputIdTest, IsWhatTheFormatPageSays) {
  // Computed apart, with Python's hashlib, from docs/formats/journal.md.
  const OutputId id = MakeOutputId("test", "hard_braking", Vehicle(1), {2, 3}, 4);
  EXPECT_EQ(HexEncode(id), "b959191b8b4a358780c1a070efdcab6b");
  EXPECT_NE(id, MakeOutputId("test", "hard_braking", Vehicle(1), {2, 3}, 5));
  EXPECT_NE(id, MakeOutputId("testh", "ard_braking", Vehicle(1), {2, 3}, 4));
}

}  // namespace
}  // namespace telltale::safety
