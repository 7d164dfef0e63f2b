#include "gateway/choice_book.h"

#include <gtest/gtest.h>

#include <map>

#include "base/sim_disk.h"
#include "gateway/batch_processor.h"
#include "gateway/fake_shard_writer.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::gateway {
namespace {

constexpr Micros kNow{1'700'000'000'000'000};

Vehicle VehicleOf(std::uint8_t number, std::uint64_t choice_number, std::uint8_t off) {
  Vehicle vehicle;
  vehicle.ref.bytes[7] = number;
  vehicle.choice_number = choice_number;
  vehicle.choice_off = off;
  return vehicle;
}

class ChoiceBookTest : public testing::Test {
 protected:
  FakeShardWriter writer_;
  TakenChoices told_;
  ChoiceBook book_{writer_, 4, &told_};
};

TEST_F(ChoiceBookTest, AnOlderChoiceNeverComesBack) {
  EXPECT_EQ(book_.Apply(VehicleOf(1, 7, kPreciseOff)).choice_off, kPreciseOff);
  for (const std::uint64_t older : {0u, 3u, 6u}) {
    const Vehicle applied = book_.Apply(VehicleOf(1, older, kCellOff));
    EXPECT_EQ(applied.choice_number, 7u);
    EXPECT_EQ(applied.choice_off, kPreciseOff);
  }
  EXPECT_EQ(book_.Apply(VehicleOf(1, 8, 0)).choice_off, 0);
  EXPECT_EQ(book_.Apply(VehicleOf(2, 0, 0)).choice_off, 0) << "another vehicle";
}

TEST_F(ChoiceBookTest, ATakenChoiceIsToldUntilTheRegistryKnowsItWithTheOffsetsOfItsBeginning) {
  Vehicle vehicle = VehicleOf(1, 7, kPreciseOff);
  book_.Apply(vehicle);
  log::BatchBuilder batch;
  batch.Clear(vehicle.ref.PartitionOf(4));
  log::RecordHeader header;
  header.vehicle = vehicle.ref;
  batch.Add(header, "", {});
  const log::ShardWriter::Staged staged{kTelemetry, &batch};
  ASSERT_TRUE(writer_.Append({&staged, 1}).ok());
  book_.Apply(vehicle);
  const auto told = told_.Take(10);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1].number, 7u);
  EXPECT_EQ(told[1].telemetry, Offset{0}) << "not where it was told again";
  vehicle.is_choice_in_force = true;
  book_.Apply(vehicle);
  EXPECT_TRUE(told_.Take(10).empty());
}

class NoSealer final : public seal::Sealer {
 public:
  Status Seal(const seal::Binding&, ByteSpan plaintext, std::string& out) override {
    out.append(AsText(plaintext));
    return Ok();
  }
};

std::shared_ptr<const contract::Contract> ShippedContract() {
  PosixDisk disk;
  const auto bytes = ReadWholeFile(disk, TELLTALE_BUILD_DIR "/share/telltale/contract.desc");
  CHECK(bytes.ok());
  return *contract::Contract::FromDescriptorSet(*bytes);
}

// One gateway with one shard, a registry that changes its mind at any time, cars that come with
// whatever the map said a while ago, and a power cut now and then.
class World {
 public:
  static constexpr std::uint8_t kVehicles = 5;
  explicit World(std::uint64_t seed) : random_(seed) {
    for (std::uint8_t v = 0; v < kVehicles; ++v) registry_.push_back(VehicleOf(v, 0, 0));
    Boot();
  }
  ~World() {
    processor_.reset();
    book_.reset();
    log_.reset();
  }

  void Step() {
    const auto v = static_cast<std::size_t>(random_.Below(kVehicles));
    switch (random_.Below(16)) {
      case 0:
        registry_[v].choice_number = ++newest_number_;
        registry_[v].choice_off = static_cast<std::uint8_t>(random_.Below(8));
        registry_[v].is_choice_in_force = false;
        break;
      case 1:
      case 2:
        Push(v);
        break;
      case 3:
        Connect(v);
        break;
      case 4:
        CHECK(log_->shard(ShardId{0}).SyncNow().ok());
        break;
      case 5:
        if (random_.Below(4) == 0) PowerCut();
        break;
      default:
        if (!connections_.empty()) Publish(connections_[random_.Below(connections_.size())]);
    }
    for (const TakenChoice& taken : told_.Take(100)) {
      in_force_.try_emplace({taken.vehicle, taken.number}, taken);  // the first word stays
      if (registry_[taken.vehicle.bytes[7]].choice_number == taken.number) {
        registry_[taken.vehicle.bytes[7]].is_choice_in_force = true;
      }
    }
  }

  // Every record of every stream against the newest choice in force at its offset.
  void Judge(std::size_t& judged) {
    CHECK(log_->shard(ShardId{0}).SyncNow().ok());
    const std::vector<std::string> names = StreamNames();
    for (std::size_t stream = 0; stream < kStreamCount; ++stream) {
      const auto reader = log::Reader::Open(disk_, "/log", names[stream], ShardId{0}, {});
      ASSERT_TRUE(reader.ok());
      while (true) {
        const auto record = (*reader)->Next();
        ASSERT_TRUE(record.ok());
        if (*record == nullptr) break;
        if ((*record)->header.kind == log::RecordKind::kData) Judge(stream, **record, judged);
      }
    }
  }

 private:
  void Judge(std::size_t stream, const log::RecordView& record, std::size_t& judged) {
    std::uint64_t number = 0;
    for (const auto& [key, taken] : in_force_) {
      const Offset from = stream == kSealed   ? taken.sealed
                          : stream == kSafety ? taken.safety
                                              : taken.telemetry;
      if (key.first == record.header.vehicle && from <= record.offset) {
        number = std::max(number, key.second);
      }
    }
    if (number == 0) return;
    ++judged;
    v1::Report report;
    if (stream != kSealed) {
      ASSERT_TRUE(report.ParseFromString(std::string(AsText(record.payload))));
      EXPECT_EQ(report.has_cell(), report.has_heading_octant());
    }
    // Of the choice in force there, or of a later one: after a power cut the log goes on below the
    // offsets that were noted.
    const auto obeys = [&](std::uint8_t off) {
      if (stream == kSealed) return (off & kPreciseOff) == 0;
      return report.has_cell() == ((off & kCellOff) == 0) &&
             report.has_speed_kmh() == ((off & kBehaviourOff) == 0);
    };
    bool is_obeyed = false;
    for (const auto& [key, taken] : in_force_) {
      if (key.first != record.header.vehicle || key.second < number) continue;
      is_obeyed = is_obeyed || obeys(off_of_.at(key.second));
    }
    EXPECT_TRUE(is_obeyed) << StreamNames()[stream] << " offset " << record.offset.value
                           << " of vehicle " << record.header.vehicle.ToHex() << " under choice "
                           << number;
  }

  void Boot() {
    auto opened = log::Log::Open(disk_, {.dir = "/log",
                                         .streams = StreamNames(),
                                         .partitions = 4,
                                         .shards = 1,
                                         .segment_bytes = 4u << 20,
                                         .unsynced_bytes_max = 4u << 20,
                                         .ticks = false});
    CHECK(opened.ok());
    log_ = std::move(opened).value();
    log::ShardWriter& writer = log_->shard(ShardId{0});
    writer.SetOnCommit([](const Result<CommitNumber>&) {});
    book_ = std::make_unique<ChoiceBook>(writer, 4, &told_);
    processor_ = std::make_unique<BatchProcessor>(
        BatchProcessor::Options{.partitions = 4},
        BatchProcessor::Parts{writer, sealer_, clock_, counters_}, ContentKey::FromSecret("s"));
    processor_->UseContracts({{1, contract_}, {}, {}});
    connections_.clear();
    map_ = registry_;  // a gateway that starts asks the registry
    stale_ = {map_};
  }
  void PowerCut() {
    processor_.reset();
    book_.reset();
    disk_.Crash(random_.NextU64());
    log_.reset();
    Boot();
  }
  void Push(std::size_t v) {
    off_of_[registry_[v].choice_number] = registry_[v].choice_off;
    map_[v] = registry_[v];
    stale_.push_back(map_);
    const Vehicle applied = book_->Apply(map_[v]);
    for (Vehicle& connected : connections_) {
      if (connected.ref == applied.ref) connected = applied;
    }
  }
  void Connect(std::size_t v) {
    const std::size_t back = random_.Below(std::min<std::size_t>(stale_.size(), 4));
    Vehicle arrived = stale_[stale_.size() - 1 - back][v];
    off_of_[arrived.choice_number] = arrived.choice_off;
    if (connections_.size() >= 8) connections_.erase(connections_.begin());
    connections_.push_back(book_->Apply(arrived));
    for (Vehicle& connected : connections_) {  // as Shard::Admit() does
      if (connected.ref == arrived.ref) connected = connections_.back();
    }
  }
  void Publish(const Vehicle& vehicle) {
    v1::ReportBatch batch;
    batch.set_boot_counter(1);
    batch.set_boot_random(2);
    for (std::uint64_t i = 0; i <= random_.Below(3); ++i) {
      v1::Report& report = *batch.add_reports();
      report.set_seq(++seq_);
      report.set_event_time_us(kNow.value);
      report.set_speed_kmh(50);
      report.set_latitude_deg(52.5);
      report.set_longitude_deg(13.4);
      report.set_heading_deg(90);
    }
    const std::string bytes = batch.SerializeAsString();
    CHECK(processor_->Process(vehicle, AsBytes(bytes), 1).ok());
  }

  SeededRandom random_;
  SimDisk disk_;
  ManualClock clock_{kNow};
  Counters counters_;
  NoSealer sealer_;
  TakenChoices told_;
  const std::shared_ptr<const contract::Contract> contract_ = ShippedContract();
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<ChoiceBook> book_;
  std::unique_ptr<BatchProcessor> processor_;
  std::vector<Vehicle> registry_;            // the truth, durable
  std::vector<Vehicle> map_;                 // what the gateway was told last
  std::vector<std::vector<Vehicle>> stale_;  // what it was told before
  std::vector<Vehicle> connections_;
  std::map<std::pair<VehicleRef, std::uint64_t>, TakenChoice> in_force_;
  std::map<std::uint64_t, std::uint8_t> off_of_;
  std::uint64_t newest_number_ = 0;
  std::uint64_t seq_ = 0;
};

TEST(ChoicePropertyTest, EveryRecordAtOrPastAnOffsetObeysTheNewestChoiceInForceThere) {
  std::size_t judged = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    for (int step = 0; step < 400; ++step) world.Step();
    world.Judge(judged);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(judged, 3'000u) << "the test looked at too little";
}

}  // namespace
}  // namespace telltale::gateway
