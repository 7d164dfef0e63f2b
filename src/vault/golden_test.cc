// Files of an earlier version under the clock of their day (tests/compat): what was sealed and
// stored then is opened today, and the audit log of then is whole.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "vault/intake.h"
#include "vault/vault_testing.h"

namespace telltale::vault {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSegmentBytesAt = 48;  // docs/formats/segment.md
constexpr double kLatitude = 48.137154;      // of every report of the set
constexpr std::size_t kReports = 6;
constexpr std::uint16_t kPartitions = 2;  // of every set (make_golden.py)

std::string ContentOf(const fs::path& path) {
  std::stringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

class GoldenTest : public VaultTest, public testing::WithParamInterface<std::string> {
 protected:
  GoldenTest() : set_(fs::path(TELLTALE_SOURCE_DIR) / "tests" / "compat" / GetParam()) {
    const auto expected = nlohmann::json::parse(ContentOf(set_ / "expected.json"));
    clock_.JumpUtc(Micros{expected.at("made_at_us").get<std::int64_t>() - kNow.value});
    std::string hex = expected.at("vehicle").get<std::string>();
    hex.pop_back();  // the newline it was printed with
    vehicle_ = *VehicleRef::FromHex(hex);
  }

  void Load(const std::string& format) {
    if (!fs::exists(set_ / format)) return;
    for (const auto& entry : fs::recursive_directory_iterator(set_ / format)) {
      if (!entry.is_regular_file()) continue;
      const std::string path = "/" + fs::relative(entry.path(), set_ / format).string();
      const std::string content = ContentOf(entry.path());
      ASSERT_TRUE(disk_.MakeFolders(ParentFolder(path)).ok());
      ASSERT_TRUE(WriteFileDurably(disk_, path, content).ok());
      // Stored without the zeros behind the last batch.
      if (format != "segment") continue;
      const auto file = *disk_.Open(path, OpenMode::kReadWrite);
      const auto bytes = GetLe<std::uint64_t>(content.data() + kSegmentBytesAt);
      ASSERT_TRUE(file->Preallocate(bytes).ok());
    }
  }

  OpenedVault OpenSet() {
    auto vault =
        OpenVault(disk_, clock_, random_, counters_, vfs_, Windows::Days(kWindowDays), kPartitions);
    EXPECT_TRUE(vault.ok()) << vault.error().ToString();
    return std::move(vault).value();
  }

  // Six reports with the place they were sent from, and one broken batch.
  void ExpectWhatWasSent(const Store& store) {
    Store::FrameReader reader(store);
    const Micros end{1ll << 60};
    std::size_t places = 0;
    const auto refs = store.Find(vehicle_, FrameClass::kData, Micros{0}, end);
    ASSERT_TRUE(refs.ok());
    for (const FrameRef& ref : *refs) {
      const auto frame = reader.Read(ref);
      ASSERT_TRUE(frame.ok()) << frame.error().ToString();
      EXPECT_EQ(frame->firmware, "1.0.0");
      for (const FrameEntry& entry : frame->entries) {
        EXPECT_NE(entry.fields.find(LatitudeWire(kLatitude)), std::string::npos);
        ++places;
      }
    }
    EXPECT_EQ(places, kReports);
    const auto refused = store.Find(vehicle_, FrameClass::kQuarantine, Micros{0}, end);
    ASSERT_TRUE(refused.ok());
    ASSERT_EQ(refused->size(), 1u);
    const auto frame = reader.Read(refused->front());
    ASSERT_TRUE(frame.ok()) << frame.error().ToString();
    ASSERT_EQ(frame->entries.size(), 1u);
    EXPECT_EQ(frame->entries.front().fields, "\xff no batch: goes to quarantine");
  }

  const fs::path set_;
  VehicleRef vehicle_;
};

TEST_P(GoldenTest, StateKeysSegmentsAndFramesAreReadAndTheAuditLogIsWhole) {
  // What a set does not have loads as nothing.
  for (const char* format : {"vault-state", "hour-key", "vault-db", "key-tree", "vault-ledger",
                             "vault-segment", "audit-log"}) {
    ASSERT_NO_FATAL_FAILURE(Load(format));
  }
  const auto store = OpenSet();
  ExpectWhatWasSent(*store);
  EXPECT_EQ(store->audit().problem(), "");
  EXPECT_GE(store->audit().head().entries, 1u);
  EXPECT_EQ(counters_.Get("segments_damaged").value(), 0u);
}

// Frames of version 1 lie under keys of hours alone: no key of the vehicle's could be destroyed.
TEST_P(GoldenTest, NothingOfAnErasedVehicleIsReadBeforeItsFilesAreWrittenAnew) {
  for (const char* format : {"vault-state", "hour-key", "vault-db", "key-tree", "vault-ledger",
                             "vault-segment", "audit-log"}) {
    ASSERT_NO_FATAL_FAILURE(Load(format));
  }
  const auto store = OpenSet();
  const Micros end{1ll << 60};
  const auto before = store->Find(vehicle_, FrameClass::kData, Micros{0}, end);
  ASSERT_TRUE(before.ok());
  ASSERT_FALSE(before->empty());
  ASSERT_TRUE(store->EraseVehicle("erasure-1", vehicle_).ok());
  const auto after = store->Find(vehicle_, FrameClass::kData, Micros{0}, end);
  ASSERT_TRUE(after.ok());
  EXPECT_TRUE(after->empty());
  Store::FrameReader reader(*store);
  const auto frame = reader.Read(before->front());
  ASSERT_FALSE(frame.ok());
  EXPECT_EQ(frame.error().code, Code::kNotFound);
}

TEST_P(GoldenTest, TheEnvelopesOfItsStreamAreOpenedAndStoredAnew) {
  for (const char* format : {"segment", "durable-map", "ledger", "keys"}) {
    ASSERT_NO_FATAL_FAILURE(Load(format));
  }
  GatewayKeys gateways(disk_, "/vault/gateways");
  ASSERT_TRUE(gateways.Reload().ok());
  TransportKeys transport_keys(disk_, "/vault/keys/transport");
  ASSERT_TRUE(transport_keys.Reload().ok());
  // Of version 1: a key without dates.
  if (const auto undated = seal::LoadKey(disk_, "/vault/keys/seal.key"); undated.ok()) {
    ASSERT_TRUE(transport_keys.AddUndated(*undated).ok());
  }
  const auto opener = Opener::Make(transport_keys, gateways, clock_);
  const auto store = OpenSet();
  RecordIntake records(*opener, *store, counters_, *seal::LoadKey(disk_, "/keys/control.pub"));
  Intake intake(disk_, clock_, counters_, records, *store,
                {.log_dir = "/data/log", .positions_dir = "/anew", .shards = 1});
  while (intake.Step()) {
  }
  intake.CommitNow();
  ExpectWhatWasSent(*store);
  EXPECT_TRUE(store->ContractDigest(1).ok()) << "its config record was not believed";
}

INSTANTIATE_TEST_SUITE_P(Versions, GoldenTest, testing::Values("v1", "v2", "v3"),
                         [](const auto& version) { return version.param; });

}  // namespace
}  // namespace telltale::vault
