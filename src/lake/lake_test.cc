#include "lake/lake.h"

#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include <bit>
#include <nlohmann/json.hpp>
#include <set>

#include "base/cell.h"
#include "base/sim_disk.h"
#include "lake/iceberg.h"
#include "lake/test_log.h"

namespace telltale::lake {
namespace {

constexpr std::uint16_t kPartitions = 4;
constexpr std::uint16_t kShards = 2;
constexpr std::int64_t kBase = 1'764'000'000'000'000;
constexpr char kOlderDigest[] = "00000000000000000000000000000000000000000000000000000000000000c0";

Micros At(std::int64_t seconds) { return Micros{kBase + seconds * 1'000'000}; }

// Everything the hand-offs of a lake say, read back from its files.
struct Contents {
  std::vector<std::string> rows;  // "vehicle/boot/seq" of telemetry, sorted, repeats kept
  std::map<std::string, std::int64_t> sums;
  std::uint64_t handoffs = 0;
  std::vector<std::uint64_t> to;
};

class LakeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    descriptor_ = ReadContractDescriptor(TELLTALE_CONTRACT_DESC);
    InstallContract(disk_, "/contracts", kTestDigest, descriptor_);
    log_ = std::make_unique<TestLog>(disk_, "/log", kPartitions, kShards);
    log_->AddConfig(1, 1, kTestDigest, At(0));
  }

  Result<std::unique_ptr<Lake>> OpenLake(std::size_t rows_max = 500'000) {
    LakeOptions options;
    options.lake_folder = "/lake";
    options.contracts_folder = "/contracts";
    options.positions_folder = "/positions";
    options.erased_list = "/erased/list";
    options.partitions = kPartitions;
    options.shards = kShards;
    options.cadence = Micros::Seconds(60);
    options.rows_max = rows_max;
    return Lake::Open(disk_, clock_, counters_, options,
                      [this](ShardId shard, const log::Position& from) {
                        return log::Reader::Open(disk_, "/log", "telemetry", shard, from);
                      });
  }
  std::unique_ptr<Lake> MustOpen() {
    auto lake = OpenLake();
    EXPECT_TRUE(lake.ok()) << (lake.ok() ? "" : lake.error().ToString());
    return lake.ok() ? std::move(lake).value() : nullptr;
  }
  static Status Drain(Lake& lake) {
    while (true) {
      ASSIGN_OR_RETURN(const bool more, lake.Step());
      if (!more) return Ok();
    }
  }
  TestReport Report(std::uint16_t partition, std::uint64_t vehicle, std::uint64_t seq,
                    std::int64_t second) {
    TestReport report;
    report.vehicle = TestVehicle(partition, vehicle);
    report.seq = seq;
    report.event_time = At(second);
    report.receipt_time = At(second + 1);
    report.open.set_speed_kmh(50);
    report.open.set_is_ignition_on(true);
    return report;
  }
  std::shared_ptr<arrow::Table> ReadFile(const std::string& path) {
    auto bytes = ReadWholeFile(disk_, "/lake/" + path);
    EXPECT_TRUE(bytes.ok()) << path;
    auto input = std::make_shared<arrow::io::BufferReader>(
        arrow::Buffer::FromString(std::move(bytes).value()));
    auto reader = parquet::arrow::OpenFile(input, arrow::default_memory_pool());
    EXPECT_TRUE(reader.ok()) << reader.status().ToString();
    auto table = (*reader)->ReadTable();
    EXPECT_TRUE(table.ok());
    return (*table)->CombineChunks().ValueOrDie();
  }
  static std::string Cell(const arrow::Table& table, const std::string& column, std::int64_t row) {
    const auto chunk = table.GetColumnByName(column)->chunk(0);
    return chunk->GetScalar(row).ValueOrDie()->ToString();
  }
  nlohmann::json Handoff(std::uint64_t number) {
    auto text = ReadWholeFile(disk_, HandoffPath("/lake/handoff", number));
    EXPECT_TRUE(text.ok());
    return nlohmann::json::parse(*text);
  }
  Contents ReadAll(std::uint64_t newest) {
    Contents contents;
    std::vector<std::uint64_t> at(kPartitions, 0);
    for (std::uint64_t number = 1; number <= newest; ++number) {
      const auto handoff = Handoff(number);
      for (std::size_t p = 0; p < kPartitions; ++p) {
        EXPECT_EQ(handoff["partitions"][p]["from"], at[p]) << number;
        at[p] = handoff["partitions"][p]["to"];
      }
      for (const auto& table : handoff["tables"]) {
        for (const auto& file : table["files"]) Count(table["name"], file["path"], contents);
      }
      ++contents.handoffs;
    }
    contents.to = at;
    std::sort(contents.rows.begin(), contents.rows.end());
    return contents;
  }
  void Count(const std::string& name, const std::string& path, Contents& contents) {
    const auto table = ReadFile(path);
    for (std::int64_t row = 0; row < table->num_rows(); ++row) {
      if (name == "telemetry") {
        contents.rows.push_back(Cell(*table, "vehicle_ref", row) + "/" +
                                Cell(*table, "boot_counter", row) + "/" + Cell(*table, "seq", row));
        continue;
      }
      for (const std::string count : {"received", "missing", "late", "duplicate", "present"}) {
        if (table->GetColumnByName(count) == nullptr) continue;
        // Of table coverage, by field.
        const std::string of = name == "coverage" ? Cell(*table, "field_name", row) + "." : "";
        contents.sums[of + count] += std::stoll(Cell(*table, count, row));
      }
    }
  }

  std::vector<std::string> ColumnOf(const nlohmann::json& files, const std::string& column);

  SimDisk disk_;
  ManualClock clock_{At(1000)};
  Counters counters_;
  std::string descriptor_;
  std::unique_ptr<TestLog> log_;
};

TEST_F(LakeTest, WritesEachReportOnceWithItsValuesInColumnsOfTheContract) {
  TestReport report = Report(1, 5, 0, 10);
  report.open.set_motion_source(v1::MOTION_SOURCE_IMU);
  report.open.set_engine_speed_rpm(99999);  // out of range: null
  report.open.set_monitor_status(4'000'000'000u);
  report.open.set_odometer_km(123.5);
  report.open.add_misfire_counts(1);
  report.open.add_misfire_counts(70000);  // out of range: a null element
  auto* dtc = report.open.add_dtcs();
  dtc->set_code("P0301");
  dtc->set_kind(v1::DTC_KIND_CONFIRMED);
  dtc->mutable_freeze_frame()->set_speed_kmh(88);
  report.open.add_dtcs()->set_code("nonsense");
  log_->Add(report);
  log_->Add(report);
  log_->Sync();
  auto lake = MustOpen();
  ASSERT_TRUE(Drain(*lake).ok());
  ASSERT_TRUE(lake->Cut().ok());
  const auto handoff = Handoff(1);
  const auto& files = handoff["tables"][0]["files"];
  ASSERT_EQ(files.size(), 1u);
  const auto table = ReadFile(files[0]["path"]);
  ASSERT_EQ(table->num_rows(), 1);
  EXPECT_EQ(Cell(*table, "vehicle_ref", 0), report.vehicle.ToHex());
  EXPECT_EQ(Cell(*table, "boot_random", 0), "0000000000000007");
  EXPECT_EQ(Cell(*table, "speed_kmh", 0), "50");
  EXPECT_EQ(Cell(*table, "motion_source", 0), "MOTION_SOURCE_IMU");
  EXPECT_EQ(Cell(*table, "engine_speed_rpm", 0), "null");
  EXPECT_EQ(Cell(*table, "monitor_status", 0), "4000000000");
  EXPECT_EQ(Cell(*table, "odometer_km", 0), "123.5");
  EXPECT_EQ(Cell(*table, "firmware", 0), "1.0.0");
  EXPECT_EQ(Cell(*table, "release", 0), kTestRelease);
  EXPECT_EQ(Cell(*table, "tires", 0), "null");
  EXPECT_EQ(table->GetColumnByName("latitude_deg"), nullptr);
  const std::string dtcs = Cell(*table, "dtcs", 0);
  EXPECT_NE(dtcs.find("P0301"), std::string::npos) << dtcs;
  EXPECT_NE(dtcs.find("DTC_KIND_CONFIRMED"), std::string::npos) << dtcs;
  EXPECT_NE(dtcs.find("88"), std::string::npos) << dtcs;
  EXPECT_EQ(dtcs.find("nonsense"), std::string::npos) << dtcs;
  EXPECT_EQ(counters_.Drops("lake", Reason::kOutOfRange).value(), 3u);
  EXPECT_EQ(ReadAll(1).sums.at("duplicate"), 1);
}

TEST_F(LakeTest, RowsNameTheReleaseInForceWhoeverSpeaksForIt) {
  log_->AddConfig(2, 1, kTestDigest, At(5), std::string(64, 'a'));
  log_->Add(Report(1, 5, 0, 10));
  log_->Sync();
  auto lake = MustOpen();
  ASSERT_TRUE(Drain(*lake).ok());
  ASSERT_TRUE(lake->Cut().ok());
  const auto table = ReadFile(Handoff(1)["tables"][0]["files"][0]["path"]);
  EXPECT_EQ(Cell(*table, "release", 0), kTestRelease);
}

TEST_F(LakeTest, FilesAreOneDayAndBucketEachSortedWithTrueDescriptors) {
  for (std::uint64_t vehicle = 0; vehicle < 20; ++vehicle) {
    for (std::uint64_t seq = 0; seq < 5; ++seq) {
      const std::int64_t second = 50'000 - static_cast<std::int64_t>(seq) * 20'000;
      TestReport report = Report(static_cast<std::uint16_t>(vehicle % 4), vehicle, seq, second);
      report.open.set_speed_kmh(static_cast<float>(seq + vehicle));
      log_->Add(report);
    }
  }
  log_->Sync();
  auto lake = MustOpen();
  ASSERT_TRUE(Drain(*lake).ok());
  ASSERT_TRUE(lake->Cut().ok());
  std::set<std::pair<int, int>> seen;
  std::int64_t rows = 0;
  const auto handoff = Handoff(1);
  for (const auto& file : handoff["tables"][0]["files"]) {
    const int day = file["partition"][0];
    const int bucket = file["partition"][1];
    EXPECT_TRUE(seen.insert({day, bucket}).second);
    const auto table = ReadFile(file["path"]);
    EXPECT_EQ(file["record_count"], table->num_rows());
    EXPECT_EQ(file["file_size_in_bytes"],
              ReadWholeFile(disk_, "/lake/" + file["path"].get<std::string>())->size());
    rows += table->num_rows();
    const auto times = std::static_pointer_cast<arrow::TimestampArray>(
        table->GetColumnByName("event_time")->chunk(0));
    std::string before;
    std::int64_t least = times->Value(0);
    for (std::int64_t row = 0; row < table->num_rows(); ++row) {
      const std::string vehicle = Cell(*table, "vehicle_ref", row);
      EXPECT_EQ(BucketOf(vehicle, kVehicleBuckets), bucket);
      EXPECT_EQ(DayOf(Micros{times->Value(row)}), day);
      const std::string key = vehicle + NumberName(static_cast<std::uint64_t>(times->Value(row)));
      EXPECT_LE(before, key);
      before = key;
      least = std::min(least, times->Value(row));
    }
    std::string expected;
    PutLe(expected, least);
    EXPECT_EQ(file["lower_bounds"]["2"], HexEncode(expected));
    EXPECT_EQ(file["null_value_counts"]["10"], 0);
    EXPECT_EQ(file["null_value_counts"]["50"], table->num_rows());
    EXPECT_FALSE(file["lower_bounds"].contains("50"));
  }
  EXPECT_EQ(rows, 100);
  EXPECT_GT(seen.size(), 2u);
}

TEST_F(LakeTest, AHandoffIsCutAtTheCadenceAlsoWhenOnlyTicksCame) {
  log_->Add(Report(0, 1, 0, 1));
  log_->Sync();
  auto lake = MustOpen();
  ASSERT_TRUE(Drain(*lake).ok());
  EXPECT_EQ(lake->newest_handoff(), 0u);
  clock_.Advance(Micros::Seconds(60));
  ASSERT_TRUE(lake->Step().ok());
  EXPECT_EQ(lake->newest_handoff(), 1u);
  clock_.Advance(Micros::Seconds(60));
  ASSERT_TRUE(lake->Step().ok());
  EXPECT_EQ(lake->newest_handoff(), 1u);  // nothing moved
  log_->AddTick(0, At(3));
  log_->Sync();
  ASSERT_TRUE(lake->Step().ok());
  clock_.Advance(Micros::Seconds(60));
  ASSERT_TRUE(lake->Step().ok());
  EXPECT_EQ(lake->newest_handoff(), 2u);
  EXPECT_TRUE(Handoff(2)["tables"][0]["files"].empty());
  const auto position = log::LoadPosition(disk_, "/positions", "lake", "telemetry", ShardId{0});
  ASSERT_TRUE(position.ok());
  EXPECT_EQ(position->next[0].value, 3u);
}

TEST_F(LakeTest, TwoLakesNeverWriteOneFolder) {
  log_->Sync();
  const auto first = MustOpen();
  EXPECT_EQ(OpenLake().error().code, Code::kUnavailable);
}

TEST_F(LakeTest, AFullBufferIsCutEarly) {
  auto lake = OpenLake(/*rows_max=*/10);
  ASSERT_TRUE(lake.ok());
  for (std::uint64_t seq = 0; seq < 25; ++seq) {
    log_->Add(Report(0, 1, seq, static_cast<std::int64_t>(seq)));
    log_->Sync();
    ASSERT_TRUE(Drain(**lake).ok());
  }
  EXPECT_EQ((*lake)->newest_handoff(), 2u);
}

TEST_F(LakeTest, ANewContractStartsWithANewHandoff) {
  InstallContract(disk_, "/contracts", kOlderDigest, descriptor_);
  log_->Add(Report(0, 1, 0, 1));
  log_->Sync();
  auto lake = MustOpen();
  ASSERT_TRUE(Drain(*lake).ok());
  log_->AddConfig(2, 2, kOlderDigest, At(2));
  log_->Add(Report(0, 1, 1, 3));
  log_->Sync();
  ASSERT_TRUE(Drain(*lake).ok());
  EXPECT_EQ(lake->newest_handoff(), 1u);
  EXPECT_EQ(Handoff(1)["config"]["contract_number"], 1);
  lake.reset();  // and after a restart the new one is in force
  lake = MustOpen();
  ASSERT_TRUE(Drain(*lake).ok());
  ASSERT_TRUE(lake->Cut().ok());
  EXPECT_EQ(Handoff(2)["config"]["contract_number"], 2);
  EXPECT_EQ(ReadAll(2).rows.size(), 2u);
}

// A column of one file, row by row.
std::vector<std::string> LakeTest::ColumnOf(const nlohmann::json& files,
                                            const std::string& column) {
  std::vector<std::string> values;
  for (const auto& file : files) {
    const auto table = ReadFile(file["path"]);
    for (std::int64_t row = 0; row < table->num_rows(); ++row) {
      values.push_back(Cell(*table, column, row));
    }
  }
  return values;
}

TEST_F(LakeTest, ANewFieldFeedsAnOldColumnAndAnOlderContractGoesOnAfterIt) {
  using Proto = google::protobuf::FieldDescriptorProto;
  v1::FieldSpec kilometres;
  kilometres.set_privacy(v1::FieldSpec::OPEN);
  kilometres.set_unit("km");
  v1::FieldSpec metres = kilometres;
  metres.set_unit("m");
  metres.set_column("range_km");
  metres.set_scale(0.001);
  const TestField old_field{"range_km", 500, Proto::TYPE_DOUBLE, kilometres, ""};
  const TestField new_field{"range_m", 501, Proto::TYPE_UINT32, metres, ""};
  InstallContract(disk_, "/contracts", std::string(64, 'a'), WithFields(descriptor_, {old_field}));
  InstallContract(disk_, "/contracts", std::string(64, 'b'),
                  WithFields(descriptor_, {old_field, new_field}));
  std::uint64_t seq = 0;
  const auto send = [&](bool is_new) {
    TestReport report = Report(0, 1, seq, static_cast<std::int64_t>(seq));
    ++seq;
    report.firmware = is_new ? "2.0.0" : "1.0.0";
    auto* more = report.open.GetReflection()->MutableUnknownFields(&report.open);
    if (is_new) {
      more->AddVarint(501, 12'345);
    } else {
      more->AddFixed64(500, std::bit_cast<std::uint64_t>(4.5));
    }
    log_->Add(report);
  };
  log_->AddConfig(2, 2, std::string(64, 'a'), At(0));
  send(false);
  log_->AddConfig(3, 3, std::string(64, 'b'), At(1));
  send(true);
  send(false);
  log_->AddConfig(4, 4, std::string(64, 'a'), At(2));
  send(false);
  log_->Sync();
  auto lake = MustOpen();
  ASSERT_TRUE(Drain(*lake).ok());
  ASSERT_TRUE(lake->Cut().ok());
  using Values = std::vector<std::string>;
  EXPECT_EQ(ColumnOf(Handoff(1)["tables"][0]["files"], "range_km"), (Values{"4.5"}));
  const Values both = ColumnOf(Handoff(2)["tables"][0]["files"], "range_km");
  ASSERT_EQ(both.size(), 2u);
  EXPECT_DOUBLE_EQ(std::stod(both[0]), 12.345);
  EXPECT_EQ(both[1], "4.5");
  EXPECT_EQ(ColumnOf(Handoff(3)["tables"][0]["files"], "range_km"), (Values{"4.5"}));
  for (const std::uint64_t number : {1u, 2u, 3u}) {
    std::set<int> ids;
    const auto handoff = Handoff(number);
    for (const auto& field : handoff["tables"][0]["schema"]["fields"]) {
      ids.insert(field["id"].get<int>());
    }
    EXPECT_TRUE(ids.contains(500) && !ids.contains(501)) << number;
  }
  const Contents contents = ReadAll(3);
  EXPECT_EQ(contents.sums.at("range_km.present"), 3);
  EXPECT_EQ(contents.sums.at("range_m.present"), 1);
}

TEST_F(LakeTest, CoverageTellsWhatEachFirmwareSentOfEachFieldOnEachDay) {
  for (std::uint64_t seq = 0; seq < 6; ++seq) {
    TestReport report = Report(0, 1, seq, static_cast<std::int64_t>(seq) * 20'000);
    report.firmware = seq < 2 ? "1.0.0" : seq == 5 ? std::string("\xff") : "1.1.0";
    report.open.set_speed_kmh(static_cast<float>(seq == 3 ? 9999 : 10 * seq));
    log_->Add(report);
    log_->Add(report);  // a repeat counts nowhere
  }
  log_->Sync();
  auto lake = MustOpen();
  ASSERT_TRUE(Drain(*lake).ok());
  ASSERT_TRUE(lake->Cut().ok());
  const auto coverage = Handoff(1)["tables"][2];
  EXPECT_EQ(coverage["name"], "coverage");
  EXPECT_EQ(coverage["partition_spec"].size(), 1u);
  std::vector<std::string> rows;
  std::set<std::string> fields;
  for (const auto& file : coverage["files"]) {
    ASSERT_EQ(file["partition"].size(), 1u);
    const auto table = ReadFile(file["path"]);
    for (std::int64_t row = 0; row < table->num_rows(); ++row) {
      fields.insert(Cell(*table, "field_name", row));
      if (Cell(*table, "field_name", row) != "speed_kmh") continue;
      std::string text;
      for (const char* name : {"day", "firmware", "reports", "present", "null_out_of_range",
                               "first_seen", "value_min", "value_sum", "offset"}) {
        text += Cell(*table, name, row) + " ";
      }
      rows.push_back(text);
      EXPECT_EQ(DayOf(At(0)) + (rows.size() > 1 ? 1 : 0), file["partition"][0]);
    }
  }
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(rows,
            (std::vector<std::string>{
                "2025-11-24 00:00:00.000000Z 1.0.0 2 2 0 2025-11-24 16:00:00.000000Z 0 10 3 ",
                "2025-11-25 00:00:00.000000Z 1.1.0 3 2 1 2025-11-25 03:06:40.000000Z 20 60 9 ",
                "2025-11-25 00:00:00.000000Z null 1 1 0 2025-11-25 19:46:40.000000Z 50 50 11 ",
            }));
  EXPECT_TRUE(fields.contains("tires") && fields.contains("is_ignition_on"));
  EXPECT_FALSE(fields.contains("latitude_deg"));
}

TEST_F(LakeTest, AShardWhoseNextRecordsWereRemovedStopsAloneAndIsCounted) {
  log_->Add(Report(0, 1, 0, 1));
  log_->Sync();
  auto lake = MustOpen();
  ASSERT_TRUE(Drain(*lake).ok());
  ASSERT_TRUE(lake->Cut().ok());
  lake.reset();
  log_->Add(Report(0, 1, 1, 2));
  log_->Add(Report(1, 2, 0, 2));
  log_->Sync();
  LakeOptions options;
  options.lake_folder = "/lake";
  options.contracts_folder = "/contracts";
  options.positions_folder = "/positions";
  options.partitions = kPartitions;
  options.shards = kShards;
  using Opened = Result<std::unique_ptr<log::Reader>>;
  auto opened = Lake::Open(disk_, clock_, counters_, options,
                           [this](ShardId shard, const log::Position& from) -> Opened {
                             if (shard.value == 0) return Error{Code::kInvalid, "expired: removed"};
                             return log::Reader::Open(disk_, "/log", "telemetry", shard, from);
                           });
  ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  EXPECT_EQ(counters_.Get("lake.shards_expired").value(), 1u);
  EXPECT_EQ(counters_.Get("lake.shards_stopped").value(), 1u);
  ASSERT_TRUE(Drain(**opened).ok());
  ASSERT_TRUE((*opened)->Cut().ok());
  const auto handoff = Handoff(2);
  EXPECT_EQ(handoff["partitions"][0]["from"], handoff["partitions"][0]["to"]) << "it stays put";
  EXPECT_EQ(ReadAll(2).rows.size(), 2u) << "the other shard goes on";
}

TEST_F(LakeTest, AMissingContractFileIsAnErrorThatNamesIt) {
  log_->AddConfig(2, 2, std::string(64, 'd'), At(1));
  log_->Sync();
  auto lake = MustOpen();
  const auto step = lake->Step();
  ASSERT_FALSE(step.ok());
  EXPECT_EQ(step.error().code, Code::kNotFound);
  EXPECT_NE(step.error().message.find(std::string(64, 'd')), std::string::npos);
}

// The promise of the whole module: power cut at any write, again and again, and the hand-offs that
// exist hold every report once and the right sums.
class PowerCutTest : public LakeTest {
 protected:
  // Ten reports, two of them sent twice, one number left out.
  void SendMore(std::uint64_t round) {
    for (std::uint64_t k = 0; k < 10; ++k) {
      const std::uint64_t seq = round * 11 + (k < 5 ? k : k + 1);
      const TestReport report = Report(static_cast<std::uint16_t>(round % kPartitions), round % 3,
                                       seq, static_cast<std::int64_t>(seq));
      log_->Add(report);
      if (k % 5 == 0) log_->Add(report);
      sent_.insert(report.vehicle.ToHex() + "/1/" + std::to_string(report.seq));
    }
    log_->Sync();
  }
  // Runs a lake whose disk fails after `writes` changes; then the power is cut. True when all was
  // handed off before.
  bool RunUntilCut(std::uint64_t writes) {
    disk_.FailAfter(writes);
    bool is_done = false;
    {
      auto lake = OpenLake();
      is_done = lake.ok() && Drain(**lake).ok() && (*lake)->Cut().ok();
    }
    disk_.FailNever();
    log_.reset();
    disk_.Crash(writes);
    log_ = std::make_unique<TestLog>(disk_, "/log", kPartitions, kShards);
    return is_done;
  }
  void ExpectAllOnce() {
    auto newest = NewestHandoff(disk_, "/lake/handoff");
    ASSERT_TRUE(newest.ok());
    const Contents contents = ReadAll(*newest);
    EXPECT_EQ(std::set<std::string>(contents.rows.begin(), contents.rows.end()), sent_);
    EXPECT_EQ(contents.rows.size(), sent_.size());
    EXPECT_EQ(contents.sums.at("received"), static_cast<std::int64_t>(sent_.size()));
    EXPECT_EQ(contents.sums.at("duplicate"), static_cast<std::int64_t>(sent_.size() / 5));
    EXPECT_EQ(contents.sums.at("speed_kmh.present"), static_cast<std::int64_t>(sent_.size()));
  }
  std::set<std::string> sent_;
};

TEST_F(PowerCutTest, AtAnyWriteNothingIsLostOrDoubled) {
  // How many changes a whole hand-off takes, by steps; every failure on the way is a crash, too.
  SendMore(0);
  std::uint64_t enough = 0;
  while (!RunUntilCut(enough)) enough += 50;
  ExpectAllOnce();
  // Then each single change around the moment when the hand-off becomes real.
  std::uint64_t round = 1;
  for (std::uint64_t writes = enough - 60; writes < enough + 5; ++writes) {
    SCOPED_TRACE("power cut after " + std::to_string(writes) + " changes");
    SendMore(round++);
    (void)RunUntilCut(writes);
  }
  while (!RunUntilCut(1'000'000)) {
  }
  ExpectAllOnce();
}

}  // namespace
}  // namespace telltale::lake
