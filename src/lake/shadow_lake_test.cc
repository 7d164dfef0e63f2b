// The lake of a candidate release: other columns and another stamp for some vehicles, from the
// oldest record kept on, and nothing of the installation's lake moves.
#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/sim_disk.h"
#include "lake/lake.h"
#include "lake/test_log.h"

namespace telltale::lake {
namespace {

constexpr std::uint16_t kPartitions = 4;
constexpr std::uint16_t kShards = 2;
constexpr std::int64_t kBase = 1'764'000'000'000'000;
constexpr char kCandidate[] = "00000000000000000000000000000000000000000000000000000000000000bb";
constexpr char kWider[] = "00000000000000000000000000000000000000000000000000000000000000cd";

class ShadowLakeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string descriptor = ReadContractDescriptor(TELLTALE_CONTRACT_DESC);
    InstallContract(disk_, "/contracts", kTestDigest, descriptor);
    TestField doubled{"double_speed_kmh", 5000, google::protobuf::FieldDescriptorProto::TYPE_FLOAT,
                      v1::FieldSpec{}, ""};
    doubled.spec.set_privacy(v1::FieldSpec::OPEN);
    doubled.spec.set_unit("km/h");
    InstallContract(disk_, "/contracts", kWider, WithFields(descriptor, {doubled}));
    log_ = std::make_unique<TestLog>(disk_, "/log", kPartitions, kShards);
    log_->AddConfig(1, 1, kTestDigest, Micros{kBase});
    run_.release = kCandidate;
    run_.contract = kWider;
    run_.order.salt = "s";
    run_.lots = 5001;
  }

  void AddReports(std::uint64_t vehicles, std::uint64_t from_seq, std::uint64_t to_seq) {
    for (std::uint64_t seq = from_seq; seq < to_seq; ++seq) {
      for (std::uint64_t vehicle = 0; vehicle < vehicles; ++vehicle) {
        TestReport report;
        report.vehicle = TestVehicle(static_cast<std::uint16_t>(vehicle % kPartitions), vehicle);
        report.seq = seq;
        report.event_time = Micros{kBase + static_cast<std::int64_t>(seq) * 1'000'000};
        report.receipt_time = report.event_time;
        report.open.set_speed_kmh(50);
        log_->Add(report);
        written_.insert(Name(report.vehicle, seq));
      }
      if (seq % 1000 == 999) log_->Sync();
    }
    log_->Sync();
  }
  static std::string Name(const VehicleRef& vehicle, std::uint64_t seq) {
    return vehicle.ToHex() + "/" + std::to_string(seq);
  }

  Result<std::unique_ptr<Lake>> Open() {
    LakeOptions options;
    options.lake_folder = folder_;
    options.contracts_folder = "/contracts";
    options.positions_folder = folder_ + "/positions";
    options.erased_list = "/erased/list";
    options.partitions = kPartitions;
    options.shards = kShards;
    options.shadow = run_;
    return Lake::Open(disk_, clock_, counters_, options,
                      [this](ShardId shard, const log::Position& from) {
                        return log::Reader::Open(disk_, "/log", "telemetry", shard, from);
                      });
  }
  // Runs to the end; "vehicle/seq" of what it wrote.
  std::multiset<std::string> Run() {
    auto lake = Open();
    CHECK(lake.ok());
    while (true) {
      const auto more = (*lake)->Step();
      CHECK(more.ok());
      if (!*more) break;
    }
    CHECK((*lake)->Cut().ok());
    std::multiset<std::string> rows;
    for (std::uint64_t number = 1; number <= (*lake)->newest_handoff(); ++number) {
      const auto text = ReadWholeFile(disk_, HandoffPath(folder_ + "/handoff", number));
      CHECK(text.ok());
      handoff_ = nlohmann::json::parse(*text);
      for (const auto& file : handoff_["tables"][0]["files"]) ReadRows(file["path"], rows);
    }
    return rows;
  }
  void ReadRows(const std::string& path, std::multiset<std::string>& rows) {
    auto bytes = ReadWholeFile(disk_, folder_ + "/" + path);
    CHECK(bytes.ok());
    auto input = std::make_shared<arrow::io::BufferReader>(
        arrow::Buffer::FromString(std::move(bytes).value()));
    auto reader = parquet::arrow::OpenFile(input, arrow::default_memory_pool());
    CHECK(reader.ok());
    const auto table = (*reader)->ReadTable().ValueOrDie()->CombineChunks().ValueOrDie();
    EXPECT_NE(table->GetColumnByName("double_speed_kmh"), nullptr);
    for (std::int64_t row = 0; row < table->num_rows(); ++row) {
      const auto cell = [&](const char* column) {
        return table->GetColumnByName(column)->GetScalar(row).ValueOrDie()->ToString();
      };
      rows.insert(cell("vehicle_ref") + "/" + cell("seq"));
      EXPECT_EQ(cell("release"), kCandidate);
    }
  }
  std::multiset<std::string> CohortOf(const std::set<std::string>& names) const {
    std::multiset<std::string> rows;
    for (const std::string& name : names) {
      if (run_.Has(*VehicleRef::FromHex(name.substr(0, 32)))) rows.insert(name);
    }
    return rows;
  }

  SimDisk disk_;
  ManualClock clock_{Micros{kBase}};
  Counters counters_;
  std::unique_ptr<TestLog> log_;
  ShadowRun run_;
  std::string folder_ = "/shadow";
  std::set<std::string> written_;
  nlohmann::json handoff_;
};

TEST_F(ShadowLakeTest, HasTheCohortsRowsUnderTheCandidatesContractAndStamp) {
  AddReports(20, 0, 3);
  // What comes into force for the fleet meanwhile is not the candidate's.
  log_->AddConfig(2, 1, kTestDigest, Micros{kBase + 5'000'000});
  AddReports(20, 3, 6);
  const auto wanted = CohortOf(written_);
  ASSERT_GT(wanted.size(), 0u);
  ASSERT_LT(wanted.size(), written_.size());
  EXPECT_EQ(Run(), wanted);
  EXPECT_FALSE(disk_.Exists("/lake"));
  EXPECT_FALSE(disk_.Exists("/positions"));
}

TEST_F(ShadowLakeTest, BeginsAtTheOldestRecordKeptAlsoWithoutAConfigBeforeIt) {
  AddReports(8, 0, 20'000);
  std::set<std::string> kept;
  for (const char* shard : {"shard-0", "shard-1"}) {
    const std::string folder = std::string("/log/telemetry/") + shard;
    auto segments = disk_.List(folder);
    ASSERT_TRUE(segments.ok());
    ASSERT_GT(segments->size(), 2u);
    std::sort(segments->begin(), segments->end());
    ASSERT_TRUE(disk_.Remove(folder + "/" + segments->front()).ok());
  }
  const auto rows = Run();
  ASSERT_GT(rows.size(), 0u);
  EXPECT_LT(rows.size(), CohortOf(written_).size());
  std::uint64_t records = 0;
  for (const auto& range : handoff_["partitions"]) {
    EXPECT_EQ(range["to"], 2 * 20'000 + 1);  // two vehicles, and the config record
    records += 1;
  }
  EXPECT_EQ(records, kPartitions);
  // The newest of each vehicle is there, and no row twice.
  EXPECT_EQ(std::set<std::string>(rows.begin(), rows.end()).size(), rows.size());
  EXPECT_EQ(counters_.Get("lake.shards_stopped").value(), 0u);
}

TEST_F(ShadowLakeTest, RefusesAContractThatIsNotThereAndAFolderThatIsNotEmpty) {
  AddReports(4, 0, 2);
  Run();
  EXPECT_EQ(Open().error().code, Code::kInvalid);
  run_.contract = std::string(64, '1');
  folder_ = "/other";
  EXPECT_EQ(Open().error().code, Code::kNotFound);
}

}  // namespace
}  // namespace telltale::lake
