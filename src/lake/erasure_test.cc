// What the lake does about the list of erased vehicles: state, rows at hand, records to come.
#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/sim_disk.h"
#include "lake/lake.h"
#include "lake/test_log.h"

namespace telltale::lake {
namespace {

constexpr std::int64_t kBase = 1'764'000'000'000'000;

Micros At(std::int64_t seconds) { return Micros{kBase + seconds * 1'000'000}; }

VehicleRef Distinct(std::uint8_t first) {
  VehicleRef ref;
  for (std::uint8_t& byte : ref.bytes) byte = first++;
  return ref;
}

class LakeErasureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    InstallContract(disk_, "/contracts", kTestDigest,
                    ReadContractDescriptor(TELLTALE_CONTRACT_DESC));
    log_ = std::make_unique<TestLog>(disk_, "/log", 2, 1);
    log_->AddConfig(1, 1, kTestDigest, At(0));
  }
  void Send(VehicleRef vehicle, std::uint64_t seq) {
    TestReport report;
    report.vehicle = vehicle;
    report.seq = seq;
    report.event_time = report.receipt_time = At(10 + static_cast<std::int64_t>(seq));
    report.open.set_speed_kmh(50);
    log_->Add(report);
    log_->Sync();
  }
  void Erase(VehicleRef vehicle) {
    list_ += Erased::TagOf(vehicle) + "\n";
    ASSERT_TRUE(disk_.MakeFolders("/erased").ok());
    ASSERT_TRUE(WriteFileDurably(disk_, "/erased/list", list_).ok());
  }
  std::unique_ptr<Lake> Open() {
    LakeOptions options;
    options.lake_folder = "/lake";
    options.contracts_folder = "/contracts";
    options.positions_folder = "/positions";
    options.erased_list = "/erased/list";
    options.partitions = 2;
    options.shards = 1;
    auto lake = Lake::Open(disk_, clock_, counters_, options,
                           [this](ShardId shard, const log::Position& from) {
                             return log::Reader::Open(disk_, "/log", "telemetry", shard, from);
                           });
    EXPECT_TRUE(lake.ok());
    return std::move(lake).value();
  }
  static void Drain(Lake& lake) {
    while (true) {
      const auto more = lake.Step();
      ASSERT_TRUE(more.ok());
      if (!*more) return;
    }
  }
  nlohmann::json Handoff(std::uint64_t number) {
    return nlohmann::json::parse(*ReadWholeFile(disk_, HandoffPath("/lake/handoff", number)));
  }
  // Rows of telemetry in the hand-off, by vehicle.
  std::map<std::string, int> RowsOf(std::uint64_t number) {
    std::map<std::string, int> rows;
    const auto handoff = Handoff(number);
    for (const auto& file : handoff["tables"][0]["files"]) {
      auto bytes = *ReadWholeFile(disk_, "/lake/" + file["path"].get<std::string>());
      auto input =
          std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::move(bytes)));
      const auto reader = parquet::arrow::OpenFile(input, arrow::default_memory_pool());
      const auto table = (*reader)->ReadTable().ValueOrDie()->CombineChunks().ValueOrDie();
      const auto refs = table->GetColumnByName("vehicle_ref")->chunk(0);
      for (std::int64_t row = 0; row < table->num_rows(); ++row) {
        ++rows[refs->GetScalar(row).ValueOrDie()->ToString()];
      }
    }
    return rows;
  }
  // Neither form of the reference in what the hand-off leaves.
  void ExpectNothingOf(VehicleRef vehicle, std::uint64_t number) {
    const std::string raw(reinterpret_cast<const char*>(vehicle.bytes.data()), 16);
    for (const std::string& path :
         {HandoffPath("/lake/handoff", number), StatePath("/lake/handoff", number)}) {
      const std::string bytes = *ReadWholeFile(disk_, path);
      EXPECT_EQ(bytes.find(raw), std::string::npos) << path;
      EXPECT_EQ(bytes.find(vehicle.ToHex()), std::string::npos) << path;
      EXPECT_EQ(bytes.find(HexEncode(vehicle.ToHex())), std::string::npos) << path;
    }
  }
  std::uint64_t Dropped() { return counters_.Drops("lake", Reason::kErased).value(); }

  SimDisk disk_;
  ManualClock clock_{At(1000)};
  Counters counters_;
  std::unique_ptr<TestLog> log_;
  std::string list_;
  VehicleRef gone_ = Distinct(0xa0);  // found nowhere by chance
  VehicleRef stays_ = Distinct(0x50);
};

TEST_F(LakeErasureTest, RowsAtHandAndRecordsToComeOfAnErasedVehicleAreDroppedAndCounted) {
  Send(gone_, 0);
  Send(stays_, 0);
  const auto lake = Open();
  Drain(*lake);
  Erase(gone_);
  Send(gone_, 1);
  Send(stays_, 1);
  Drain(*lake);  // cuts at once: whoever erases waits for that
  ASSERT_TRUE(lake->Cut().ok());
  ASSERT_EQ(lake->newest_handoff(), 2u);
  EXPECT_EQ(Handoff(1)["erased_lines"], 1);
  EXPECT_EQ(RowsOf(1), (std::map<std::string, int>{{stays_.ToHex(), 1}}));
  EXPECT_EQ(RowsOf(2), (std::map<std::string, int>{{stays_.ToHex(), 1}}));
  EXPECT_EQ(Dropped(), 2u);
  ExpectNothingOf(gone_, 1);
  ExpectNothingOf(gone_, 2);
}

TEST_F(LakeErasureTest, TheStateForgetsAtTheNextStartEvenWhenNothingNewIsRead) {
  Send(gone_, 0);
  Send(stays_, 0);
  {
    const auto lake = Open();
    Drain(*lake);
    ASSERT_TRUE(lake->Cut().ok());
  }
  Erase(gone_);
  const auto lake = Open();
  ASSERT_TRUE(lake->Cut().ok());
  ASSERT_EQ(lake->newest_handoff(), 2u);
  ExpectNothingOf(gone_, 2);
  ASSERT_TRUE(lake->Cut().ok());
  EXPECT_EQ(lake->newest_handoff(), 2u);  // told once
  Send(gone_, 1);
  Send(stays_, 0);  // a repeat is one still
  Drain(*lake);
  EXPECT_EQ(counters_.Drops("lake", Reason::kDuplicate).value(), 1u);
  EXPECT_EQ(Dropped(), 1u);
}

TEST_F(LakeErasureTest, AListThatIsNoneStopsTheLake) {
  Send(gone_, 0);
  const auto lake = Open();
  Drain(*lake);
  ASSERT_TRUE(disk_.MakeFolders("/erased").ok());
  ASSERT_TRUE(WriteFileDurably(disk_, "/erased/list", "x\n").ok());
  const auto stepped = lake->Step();
  ASSERT_FALSE(stepped.ok());
  EXPECT_EQ(stepped.error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace telltale::lake
