// The doctor and what lies beside the log: databases, the lake's files, the vault.
#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "app/doctor_testing.h"
#include "base/checksum.h"
#include "lake/parquet_footer.h"
#include "publish/alert_store.h"
#include "store/disk_vfs.h"
#include "store/sqlite.h"

namespace telltale::app {
namespace {

using enum FindingKind;

// FileMetaData with a version, a schema of one element and a number of rows.
std::string Footer(std::uint8_t rows) {
  std::string footer("\x15\x02\x19\x1c\x48\x01", 6);  // 1: i32 1; 2: list of one struct; its name
  footer += std::string("r\x00\x16", 3);              // "r", end of it; 3: i64
  footer += static_cast<char>(rows * 2);              // zigzag
  footer += '\0';
  return footer;
}

std::string Parquet(std::uint8_t rows) {
  const std::string footer = Footer(rows);
  std::string file = "PAR1" + footer;
  PutLe(file, static_cast<std::uint32_t>(footer.size()));
  return file + "PAR1";
}

TEST(ParquetFooterTest, TheRowsAreFoundBehindTheSchemaAndNoCutGivesANumber) {
  const std::string footer = Footer(42);
  EXPECT_EQ(*lake::RowsInParquetFooter(AsBytes(footer)), 42u);
  for (std::size_t size = 0; size + 1 < footer.size(); ++size) {
    EXPECT_FALSE(lake::RowsInParquetFooter(AsBytes(footer).first(size)).ok()) << size;
  }
}

class DoctorLakeTest : public DoctorTest {
 protected:
  struct File {
    std::string name;  // <number>-<bucket>
    std::uint8_t rows = 0;
  };
  std::string PathOf(const std::string& name) const {
    return "warehouse/telemetry/data/event_time_day=2026-01-01/" + name + ".parquet";
  }
  void Write(const File& file) {
    WriteFile(paths_.lake() + "/" + PathOf(file.name), Parquet(file.rows));
  }
  void HandOff(std::uint64_t from, std::uint64_t to, const std::vector<File>& files) {
    const std::string state = "state";
    nlohmann::json json{{"version", 1}, {"min_reader", 1}, {"number", 1}};
    json["state"] = {{"bytes", state.size()}, {"crc32c", Crc32c(AsBytes(state))}};
    for (std::uint64_t p = 0; p < kPartitions; ++p) {
      json["partitions"].push_back(
          {{"partition", p}, {"from", p == 1 ? from : 0}, {"to", p == 1 ? to : 0}});
    }
    nlohmann::json named = nlohmann::json::array();
    for (const File& file : files) {
      named.push_back({{"path", PathOf(file.name)},
                       {"record_count", file.rows},
                       {"file_size_in_bytes", Parquet(file.rows).size()}});
    }
    json["tables"] = {{{"name", "telemetry"}, {"files", named}}};
    const std::string stem = paths_.lake() + "/handoff/00000000000000000001";
    WriteFile(stem + ".state", state);
    WriteFile(stem + ".json", json.dump());
  }
  // The table with what the files have.
  void Commit(std::uint64_t handoff, std::uint64_t rows, std::uint64_t files) {
    nlohmann::json metadata{{"current-snapshot-id", 7}};
    metadata["properties"]["telltale.handoff"] = std::to_string(handoff);
    metadata["snapshots"] = {
        {{"snapshot-id", 7},
         {"summary",
          {{"total-records", std::to_string(rows)}, {"total-data-files", std::to_string(files)}}}}};
    const std::string place = "/warehouse/telemetry/metadata/2.metadata.json";
    WriteFile(paths_.lake() + place, metadata.dump());
    store::DiskVfs vfs(disk_);
    auto catalog =
        store::Database::Open(paths_.lake() + "/catalog.db", {.migrations = {}, .vfs = &vfs});
    ASSERT_TRUE(catalog.ok()) << catalog.error().ToString();
    ASSERT_TRUE(catalog
                    ->Execute("DROP TABLE IF EXISTS iceberg_tables; CREATE TABLE iceberg_tables "
                              "(table_namespace TEXT, table_name TEXT, metadata_location TEXT); "
                              "INSERT INTO iceberg_tables VALUES ('telltale', 'telemetry', "
                              "'file:///elsewhere/data/lake" +
                              place + "')")
                    .ok());
  }
};

TEST_F(DoctorLakeTest, RowsThatArePublishedOrWaitingMakeUpWhatTheLogHandedOver) {
  Append({.count = 5, .receipt_us = 1000});
  HandOff(0, 3, {{"1-0", 2}, {"1-1", 1}});
  Write({"1-0", 2});
  Write({"1-1", 1});
  ExpectOnly({});
  Commit(1, 3, 2);
  ExpectOnly({});
  EXPECT_EQ(Look().looked_at().at("data file rows"), 3u);
}

TEST_F(DoctorLakeTest, FewerRowsThanReportsNeedSomeoneAndMoreAreANote) {
  Append({.count = 5, .receipt_us = 1000});
  HandOff(0, 4, {{"1-0", 3}});
  Write({"1-0", 3});
  ExpectOnly({kLakeRowsMissing});
  EXPECT_EQ(Look().exit_code(), 1);
  HandOff(0, 2, {{"1-0", 3}});
  ExpectOnly({kLakeRowsMore});
  EXPECT_EQ(Look().exit_code(), 0);
}

TEST_F(DoctorLakeTest, AFileThatAHandOffNamesMustBeThereAndAsItSays) {
  Append({.count = 3, .receipt_us = 1000});
  HandOff(0, 3, {{"1-0", 3}});
  ExpectOnly({kDataFileMissing});
  Write({"1-0", 2});
  ExpectOnly({kFileBroken});
  WriteFile(paths_.lake() + "/" + PathOf("1-0"), Parquet(3).substr(0, 9));
  ExpectOnly({kFileBroken});
}

TEST_F(DoctorLakeTest, AFileAboveTheNewestHandOffIsAnOrphan) {
  Append({.count = 3, .receipt_us = 1000});
  HandOff(0, 3, {{"1-0", 3}});
  Write({"1-0", 3});
  Write({"2-0", 9});
  ExpectOnly({kOrphanDataFile});
  EXPECT_EQ(Look().exit_code(), 0);
}

TEST_F(DoctorLakeTest, ATableThatSaysOtherwiseThanItsFolderIsBroken) {
  Append({.count = 3, .receipt_us = 1000});
  HandOff(0, 3, {{"1-0", 3}});
  Write({"1-0", 3});
  Commit(1, 3, 2);
  ExpectOnly({kTableDisagrees});
  WriteFile(paths_.lake() + "/catalog.db", "not a database, but long enough to be looked at");
  ExpectOnly({kFileBroken});
}

class DoctorDatabaseTest : public DoctorTest {
 protected:
  void Register(const VehicleRef& ref) {
    ASSERT_TRUE(disk_.MakeFolders(paths_.registry()).ok());
    store::DiskVfs vfs(disk_);
    constexpr const char* kSchema[] = {"CREATE TABLE vehicles (vehicle_ref BLOB UNIQUE)"};
    auto registry =
        store::Database::Open(paths_.registry() + "/registry.db",
                              {.application_id = 0x74740001, .migrations = kSchema, .vfs = &vfs});
    ASSERT_TRUE(registry.ok()) << registry.error().ToString();
    auto insert = registry->Prepare("INSERT INTO vehicles VALUES (?)");
    ASSERT_TRUE(insert.ok());
    ASSERT_TRUE(insert->BindBlob(1, AsText(ref.bytes)).Run().ok());
  }
  void MakeAlerts(const std::string& sql) {
    store::DiskVfs vfs(disk_);
    ASSERT_TRUE(disk_.MakeFolders(paths_.publish()).ok());
    ASSERT_TRUE(publish::AlertStore::Open(AlertsPath(), &vfs).ok());
    auto database = store::Database::Open(
        AlertsPath(), {.migrations = std::array<const char*, 2>{"", ""}, .vfs = &vfs});
    ASSERT_TRUE(database.ok()) << database.error().ToString();
    const Status done = database->Execute(sql);
    ASSERT_TRUE(done.ok()) << done.error().ToString();
  }
  static std::string AlertSql(const VehicleRef& vehicle, int input_offset) {
    return fmt::format(
        "INSERT INTO alerts (output_id, rule, vehicle_ref, severity, state, revision, "
        "boot_counter, boot_random, first_seq, started_at_us, authority_epoch, release, "
        "input_partition, input_offset, input_index, contract_number, seq, event_time_us, "
        "receipt_time_us, publish_time_us, change_number) VALUES (x'01', 'r', '{}', 'high', "
        "'OPEN', 1, 1, 2, 0, 0, 1, 'aa', 1, {}, 0, 1, 0, 0, 0, 0, 1);",
        vehicle.ToHex(), input_offset);
  }
  static constexpr const char* kChange =
      "INSERT INTO alert_changes (output_id, authority_epoch, revision, data) VALUES "
      "(x'01', 1, 1, '{}');";
  std::string AlertsPath() const { return paths_.publish() + "/alerts.db"; }
};

TEST_F(DoctorDatabaseTest, SoundDatabasesGiveNothingAndAreOnlyRead) {
  Append({.count = 3, .receipt_us = 1000});
  Register(vehicle_);
  MakeAlerts(AlertSql(vehicle_, 2) + kChange + "INSERT INTO positions VALUES (1, 3);");
  ExpectOnly({});
  const DoctorReport report = Look();
  EXPECT_EQ(report.looked_at().at("databases"), 2u);
  EXPECT_EQ(report.looked_at().at("alerts"), 1u);
  EXPECT_EQ(report.looked_at().at("registered vehicles"), 1u);
}

TEST_F(DoctorDatabaseTest, AVehicleOfTheLogThatTheRegistryDoesNotKnowIsFound) {
  Append({.count = 3, .receipt_us = 1000});
  VehicleRef other = vehicle_;
  other.bytes[0] = 9;
  Register(other);
  ExpectOnly({kUnknownVehicle});
  EXPECT_EQ(Look().examples(kUnknownVehicle).front().detail, "vehicle " + vehicle_.ToHex());
}

TEST_F(DoctorDatabaseTest, AnAlertBeyondTheLogOrWithoutItsChangeIsFound) {
  Append({.count = 3, .receipt_us = 1000});
  MakeAlerts(AlertSql(vehicle_, 3) + kChange);
  ExpectOnly({kAlertBeyondEnd});
  MakeAlerts("DELETE FROM alerts;");
  ExpectOnly({kOrphanAlert});
  MakeAlerts("DELETE FROM alert_changes;" + AlertSql(vehicle_, 1));
  ExpectOnly({kOrphanAlert});
  MakeAlerts("DELETE FROM alerts; INSERT INTO positions VALUES (1, 4);");
  ExpectOnly({kAlertBeyondEnd});
}

TEST_F(DoctorDatabaseTest, ANewerSchemaIsUnseen) {
  Append({.receipt_us = 1000});
  MakeAlerts("PRAGMA user_version = 9");
  ExpectOnly({kNewerFormat});
  EXPECT_EQ(Look().exit_code(), 2);
}

TEST_F(DoctorDatabaseTest, ABrokenPageOfADatabaseIsNamed) {
  Append({.receipt_us = 1000});
  MakeAlerts("INSERT INTO positions VALUES (0, 0);");
  std::string content = *ReadWholeFile(disk_, AlertsPath());
  ASSERT_GT(content.size(), 3 * 4096u);
  content.replace(2 * 4096, 64, std::string(64, '\xa5'));
  WriteFile(AlertsPath(), content);
  ExpectOnly({kFileBroken});
}

// Whoever serves writes between any two files that the doctor opens.
class BusyDisk final : public Disk {
 public:
  BusyDisk(Disk& disk, std::function<void()> write) : disk_(disk), write_(std::move(write)) {}
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode,
                                     std::uint32_t permissions) override {
    write_();
    return disk_.Open(path, mode, permissions);
  }
  Result<std::vector<std::string>> List(const std::string& folder) override {
    return disk_.List(folder);
  }
  bool Exists(const std::string& path) override { return disk_.Exists(path); }
  Status MakeFolders(const std::string&, std::uint32_t) override { return Ok(); }
  Status Rename(const std::string&, const std::string&) override { return Ok(); }
  Status Remove(const std::string&) override { return Ok(); }
  Status SyncFolder(const std::string&) override { return Ok(); }

 private:
  Disk& disk_;
  const std::function<void()> write_;
};

TEST_F(DoctorDatabaseTest, ADatabaseThatIsWrittenAllTheTimeIsNeverTakenForABrokenOne) {
  Append({.receipt_us = 1000});
  MakeAlerts("INSERT INTO positions VALUES (1, 1);");
  store::DiskVfs vfs(disk_);
  auto writer = store::Database::Open(
      AlertsPath(), {.migrations = std::array<const char*, 2>{"", ""}, .vfs = &vfs});
  ASSERT_TRUE(writer.ok());
  for (const int checkpoint_every : {1, 2, 3, 5, 1000}) {
    int writes = 0;
    BusyDisk busy(disk_, [&] {
      ASSERT_TRUE(writer
                      ->Execute(std::string(kChange) + AlertSql(vehicle_, 0) +
                                "DELETE FROM alerts; DELETE FROM alert_changes;")
                      .ok());
      if (++writes % checkpoint_every == 0) {
        ASSERT_TRUE(writer->Execute("PRAGMA wal_checkpoint(TRUNCATE)").ok());
      }
    });
    const auto report = Examine(busy, paths_, {});
    ASSERT_TRUE(report.ok()) << report.error().ToString();
    EXPECT_EQ(report->total(kFileBroken), 0u) << report->ToText(false);
    EXPECT_GT(writes, 5);
  }
}

class DoctorVaultTest : public DoctorTest {
 protected:
  static constexpr std::uint32_t kHour = 490'000;

  // The catalogue, with one live segment.
  void WriteCatalogue(std::uint64_t bytes, std::uint64_t sealed_at = 0) {
    static constexpr const char* kSchema[] = {
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);"
        "CREATE TABLE segments (number INTEGER PRIMARY KEY, scheme INTEGER, class INTEGER, "
        "frame_class INTEGER, hour INTEGER, bytes INTEGER, frames INTEGER, state INTEGER)"};
    const std::string path = paths_.vault() + "/vault.db";
    if (disk_.Exists(path)) {
      ASSERT_TRUE(disk_.Remove(path).ok());
    }
    ASSERT_TRUE(disk_.MakeFolders(paths_.vault()).ok());
    const store::DiskVfs vfs(disk_);
    auto database = store::Database::Open(
        path, {.application_id = 0x74740003, .migrations = kSchema, .vfs = &vfs});
    ASSERT_TRUE(database.ok()) << database.error().ToString();
    std::string positions;
    PutBlob(positions, PositionAt(sealed_at).Encode());
    auto put = *database->Prepare("INSERT INTO meta VALUES ('positions', ?)");
    ASSERT_TRUE(put.BindBlob(1, positions).Run().ok());
    auto segment = *database->Prepare("INSERT INTO segments VALUES (1, 2, 1, 1, ?, ?, 1, 1)");
    ASSERT_TRUE(segment.BindInt(1, kHour).BindInt(2, static_cast<std::int64_t>(bytes)).Run().ok());
  }
  static std::string Segment() {
    std::string out("TVSG\x02\x02", 6);
    PutLe(out, std::uint16_t{80});
    out += std::string("\x00\x02\x01\x00", 4);
    PutLe(out, kHour);
    PutLe(out, std::uint64_t{1});
    out.resize(76);
    PutLe(out, Crc32c(AsBytes(out)));
    std::string frame;
    PutLe(frame, std::uint16_t{64});
    frame += std::string("\x01\x00", 2);
    PutLe(frame, std::uint32_t{20});
    frame.resize(60);  // contract, number 0, vehicle, hours, nonce, reason
    PutLe(out, Crc32c(AsBytes(frame)));
    return out + frame + std::string(20, 's');
  }
  std::string SegmentPath(int number = 1) const {
    return fmt::format("{}/segments/position/{}/{:010}.seg", paths_.vault(), kHour, number);
  }
  void MakeVault() {
    Append({.receipt_us = 1000});
    WriteFile(SegmentPath(), Segment());
    WriteCatalogue(Segment().size());
  }
};

TEST_F(DoctorVaultTest, AWholeVaultGivesNothingAndIsCounted) {
  MakeVault();
  ExpectOnly({});
  const DoctorReport report = Look();
  EXPECT_EQ(report.looked_at().at("vault segments"), 1u);
  EXPECT_EQ(report.looked_at().at("vault frames"), 1u);
}

TEST_F(DoctorVaultTest, EveryByteOfAHeadIsGuarded) {
  MakeVault();
  const std::string whole = Segment();
  for (const std::size_t at : {0u, 9u, 13u, 30u, 76u, 80u, 90u, 140u}) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x40);
    WriteFile(SegmentPath(), changed);
    ExpectOnly({kFileBroken});
  }
  WriteFile(SegmentPath(), whole.substr(0, whole.size() - 1));
  ExpectOnly({kFileBroken});
}

TEST_F(DoctorVaultTest, WhatIsNotListedIsAnOrphanAndAMissingSegmentIsBroken) {
  MakeVault();
  WriteFile(SegmentPath(2), Segment());
  ExpectOnly({kOrphanVault});
  ASSERT_TRUE(disk_.Remove(SegmentPath(2)).ok());
  ASSERT_TRUE(disk_.Remove(SegmentPath()).ok());
  ExpectOnly({kReadFailed});
  EXPECT_EQ(Look().exit_code(), 1);
}

TEST_F(DoctorVaultTest, ANewerSegmentIsUnseen) {
  MakeVault();
  std::string newer = Segment();
  newer[4] = 3;
  newer[5] = 3;
  WriteFile(SegmentPath(), newer);
  const DoctorReport report = Look();
  EXPECT_EQ(report.kinds(), std::vector<FindingKind>{kNewerFormat}) << report.ToText(false);
  EXPECT_NE(report.examples(kNewerFormat).front().detail.find("use a newer telltale"),
            std::string::npos);
}

TEST_F(DoctorVaultTest, AVaultAheadOfTheLogOrWithoutItsCatalogueIsBroken) {
  MakeVault();
  WriteCatalogue(Segment().size(), 2);
  ExpectOnly({kPositionBeyondEnd});
  ASSERT_TRUE(disk_.Remove(paths_.vault() + "/vault.db").ok());
  ExpectOnly({kReadFailed});
}

}  // namespace
}  // namespace telltale::app
