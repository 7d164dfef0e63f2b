#include <gtest/gtest.h>

#include <sys/stat.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "store/sqlite.h"

namespace telltale::store {
namespace {

const char* const kMigrations[] = {
    "CREATE TABLE fruit (name TEXT PRIMARY KEY, weight_g REAL, picture BLOB, count INTEGER)",
    "ALTER TABLE fruit ADD COLUMN colour TEXT",
};

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = testing::TempDir() + "/store-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/fruit.db";
  }
  ~StoreTest() override { std::filesystem::remove_all(folder_); }

  OpenOptions Options(std::size_t migrations = 2) const {
    OpenOptions options;
    options.application_id = 0x74660001;
    options.migrations = std::span(kMigrations).first(migrations);
    options.busy_timeout_ms = 0;
    return options;
  }
  Database MustOpen(std::size_t migrations = 2) {
    auto opened = Database::Open(path_, Options(migrations));
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    return std::move(opened).value();
  }
  static std::int64_t CountOf(Database& database) {
    auto statement = database.Prepare("SELECT count(*) FROM fruit");
    EXPECT_TRUE(statement.ok() && statement->Step().ok());
    return statement->Int(0);
  }

  std::string folder_;
  std::string path_;
};

TEST_F(StoreTest, ValuesOfEachTypeComeBackAsTheyWere) {
  Database database = MustOpen();
  auto insert = database.Prepare("INSERT INTO fruit VALUES (?, ?, ?, ?, ?)");
  ASSERT_TRUE(insert.ok());
  const std::string picture("\0\x01\xff", 3);
  insert->BindText(1, "pear").BindReal(2, 0.25).BindBlob(3, picture);
  insert->BindInt(4, INT64_MIN).BindNull(5);
  ASSERT_TRUE(insert->Run().ok());
  EXPECT_EQ(database.changes(), 1);

  auto select = database.Prepare("SELECT * FROM fruit");
  ASSERT_TRUE(select.ok());
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Text(0), "pear");
  EXPECT_EQ(select->Real(1), 0.25);
  EXPECT_EQ(select->Blob(2), picture);
  EXPECT_EQ(select->Int(3), INT64_MIN);
  EXPECT_TRUE(select->IsNull(4));
  EXPECT_FALSE(*select->Step());
}

TEST_F(StoreTest, AnEmptyBlobIsAValueAndNotNull) {
  Database database = MustOpen();
  auto insert = database.Prepare("INSERT INTO fruit (name, picture) VALUES (?, ?)");
  insert->BindText(1, "").BindBlob(2, "");
  ASSERT_TRUE(insert->Run().ok());
  auto select = database.Prepare("SELECT name, picture FROM fruit");
  ASSERT_TRUE(*select->Step());
  EXPECT_FALSE(select->IsNull(0));
  EXPECT_FALSE(select->IsNull(1));
}

TEST_F(StoreTest, AResetStatementForgetsItsValues) {
  Database database = MustOpen();
  auto insert = database.Prepare("INSERT INTO fruit (name, weight_g) VALUES (?, ?)");
  ASSERT_TRUE(insert->BindText(1, "fig").BindReal(2, 1).Run().ok());
  ASSERT_TRUE(insert->BindText(1, "date").Run().ok());
  auto select = database.Prepare("SELECT weight_g FROM fruit WHERE name = 'date'");
  ASSERT_TRUE(*select->Step());
  EXPECT_TRUE(select->IsNull(0));
}

TEST_F(StoreTest, WhatIsNotCommittedIsGone) {
  Database database = MustOpen();
  {
    auto transaction = database.Begin();
    ASSERT_TRUE(transaction.ok());
    ASSERT_TRUE(database.Execute("INSERT INTO fruit (name) VALUES ('plum')").ok());
  }
  EXPECT_EQ(CountOf(database), 0);
  auto transaction = database.Begin();
  ASSERT_TRUE(database.Execute("INSERT INTO fruit (name) VALUES ('plum')").ok());
  ASSERT_TRUE(transaction->Commit().ok());
  Database again = MustOpen();
  EXPECT_EQ(CountOf(again), 1);
}

TEST_F(StoreTest, ARepeatedKeyIsExistsAndTheMessageShowsNoValue) {
  Database database = MustOpen();
  ASSERT_TRUE(database.Execute("INSERT INTO fruit (name) VALUES ('quince')").ok());
  const Status repeated = database.Execute("INSERT INTO fruit (name) VALUES ('quince')");
  ASSERT_FALSE(repeated.ok());
  EXPECT_EQ(repeated.error().code, Code::kExists);
  EXPECT_EQ(repeated.error().message.find("quince"), std::string::npos);
}

TEST_F(StoreTest, ASecondWriterIsToldItIsLocked) {
  Database first = MustOpen();
  Database second = MustOpen();
  auto transaction = first.Begin();
  ASSERT_TRUE(transaction.ok());
  const auto refused = second.Begin();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
}

TEST_F(StoreTest, AnOlderSchemaIsMigratedWithItsRows) {
  {
    Database old = MustOpen(1);
    ASSERT_TRUE(old.Execute("INSERT INTO fruit (name) VALUES ('kiwi')").ok());
  }
  Database database = MustOpen(2);
  EXPECT_TRUE(database.Execute("UPDATE fruit SET colour = 'green'").ok());
  EXPECT_EQ(database.changes(), 1);
}

TEST_F(StoreTest, ANewerSchemaIsRefusedAndNotTouched) {
  {
    Database newer = MustOpen(2);
  }
  const auto refused = Database::Open(path_, Options(1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  MustOpen(2);
}

TEST_F(StoreTest, AFailingMigrationLeavesTheOldSchema) {
  {
    Database old = MustOpen(1);
  }
  const char* const broken[] = {kMigrations[0], "CREATE TABLE leaf (x); CREATE TABLE fruit (x)"};
  OpenOptions options = Options();
  options.migrations = broken;
  EXPECT_FALSE(Database::Open(path_, options).ok());
  Database database = MustOpen(2);
  EXPECT_EQ(database.Prepare("SELECT * FROM leaf").ok(), false);
}

TEST_F(StoreTest, ADatabaseOfAnotherKindIsRefused) {
  {
    Database database = MustOpen();
  }
  OpenOptions options = Options();
  options.application_id = 0x74660002;
  const auto refused = Database::Open(path_, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kCorrupt);
}

TEST_F(StoreTest, AFileThatIsNoDatabaseIsCorrupt) {
  std::ofstream(path_) << std::string(8192, 'x');
  const auto refused = Database::Open(path_, Options());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kCorrupt);
}

TEST_F(StoreTest, AFullDatabaseIsOverloadedAndKeepsWhatWasCommitted) {
  Database database = MustOpen();
  ASSERT_TRUE(database.Execute("PRAGMA max_page_count = 8").ok());
  auto insert = database.Prepare("INSERT INTO fruit (name, picture) VALUES (?, ?)");
  Status last = Ok();
  std::int64_t kept = 0;
  for (int i = 0; i < 100 && last.ok(); ++i) {
    last = insert->BindInt(1, i).BindBlob(2, std::string(2000, 'p')).Run();
    if (last.ok()) ++kept;
  }
  ASSERT_FALSE(last.ok());
  EXPECT_EQ(last.error().code, Code::kOverloaded);
  EXPECT_EQ(CountOf(database), kept);
}

TEST_F(StoreTest, AReaderBesideTheWriterSeesCommittedRows) {
  Database writer = MustOpen();
  OpenOptions options = Options();
  options.read_only = true;
  auto reader = Database::Open(path_, options);
  ASSERT_TRUE(reader.ok()) << reader.error().ToString();
  ASSERT_TRUE(writer.Execute("INSERT INTO fruit (name) VALUES ('lime')").ok());
  EXPECT_EQ(CountOf(*reader), 1);
  EXPECT_FALSE(reader->Execute("DELETE FROM fruit").ok());
}

TEST_F(StoreTest, WhatIsRemovedLeavesNoBytesUnlessSomebodyReadsTheJournal) {
  OpenOptions options = Options();
  options.overwrite_deleted = true;
  auto opened = Database::Open(path_, options);
  ASSERT_TRUE(opened.ok());
  Database& database = *opened;
  ASSERT_TRUE(database.Execute("INSERT INTO fruit (name) VALUES ('a-name-to-look-for')").ok());
  Database reader = MustOpen();
  const auto holds_the_name = [this] {
    for (const char* const suffix : {"", "-wal"}) {
      std::ifstream file(path_ + suffix, std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      if (bytes.find("a-name-to-look-for") != std::string::npos) return true;
    }
    return false;
  };
  {
    auto reading = reader.Prepare("SELECT name FROM fruit");
    ASSERT_TRUE(reading.ok() && *reading->Step());
    ASSERT_TRUE(database.Execute("DELETE FROM fruit").ok());
    EXPECT_EQ(database.EmptyWriteAheadLog().error().code, Code::kUnavailable);
    EXPECT_TRUE(holds_the_name());
  }
  ASSERT_TRUE(database.EmptyWriteAheadLog().ok());
  EXPECT_FALSE(holds_the_name());
}

TEST_F(StoreTest, AReaderDoesNotCreateTheFile) {
  OpenOptions options = Options();
  options.read_only = true;
  const auto missing = Database::Open(path_, options);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(StoreTest, EveryCommitIsSyncedAndTheFileIsNotForEveryone) {
  Database database = MustOpen();
  auto synchronous = database.Prepare("PRAGMA synchronous");
  ASSERT_TRUE(*synchronous->Step());
  EXPECT_EQ(synchronous->Int(0), 2);  // FULL
  auto journal = database.Prepare("PRAGMA journal_mode");
  ASSERT_TRUE(*journal->Step());
  EXPECT_EQ(journal->Text(0), "wal");
  struct stat info{};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0007, 0u);
}

}  // namespace
}  // namespace telltale::store
