#include "store/disk_vfs.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"
#include "store/sqlite.h"

namespace telltale::store {
namespace {

constexpr const char* kMigrations[] = {"CREATE TABLE notes (note INTEGER PRIMARY KEY, text TEXT)"};
constexpr const char* kPath = "/data/notes.db";

class DiskVfsTest : public testing::Test {
 protected:
  DiskVfsTest() { EXPECT_TRUE(disk_.MakeFolders("/data").ok()); }

  Result<Database> Open(bool read_only = false) {
    return Database::Open(
        kPath,
        {.migrations = kMigrations, .busy_timeout_ms = 0, .read_only = read_only, .vfs = &vfs_});
  }
  Database MustOpen(bool read_only = false) {
    auto opened = Open(read_only);
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    return std::move(opened).value();
  }
  static Status Write(Database& database, std::int64_t note) {
    ASSIGN_OR_RETURN(Transaction transaction, database.Begin());
    ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO notes VALUES (?, ?)"));
    RETURN_IF_ERROR(insert.BindInt(1, note).BindText(2, std::string(900, 'n')).Run());
    return transaction.Commit();
  }
  static std::int64_t One(Database& database, const char* sql) {
    auto statement = database.Prepare(sql);
    EXPECT_TRUE(statement.ok()) << statement.error().ToString();
    const auto row = statement->Step();
    EXPECT_TRUE(row.ok() && *row) << (row.ok() ? "no row" : row.error().ToString());
    return row.ok() && *row ? statement->Int(0) : -1;
  }
  static std::int64_t Newest(Database& database) {
    return One(database, "SELECT coalesce(max(note), 0) FROM notes");
  }

  SimDisk disk_;
  DiskVfs vfs_{disk_};
};

TEST_F(DiskVfsTest, ADatabaseThatWasClosedIsThereForTheNext) {
  {
    Database database = MustOpen();
    ASSERT_TRUE(Write(database, 1).ok());
  }
  EXPECT_EQ(disk_.List("/data").value(), std::vector<std::string>{"notes.db"});  // no journal left
  Database again = MustOpen();
  EXPECT_EQ(Newest(again), 1);
}

TEST_F(DiskVfsTest, WhatWasCommittedSurvivesAPowerCutAtAnyCall) {
  std::int64_t committed = 0;
  for (std::uint64_t calls = 0; calls < 150; ++calls) {
    disk_.FailAfter(calls);
    {
      auto opened = Open();
      if (opened.ok()) {
        // Ends before long: the disk fails.
        while (Write(*opened, committed + 1).ok()) ++committed;
        if (calls % 2 == 0) disk_.Crash(calls);  // before it is closed, or after
      }
    }
    disk_.Crash(calls);
    Database database = MustOpen();
    // One more may be there: nobody was told of it.
    ASSERT_GE(Newest(database), committed) << calls;
    committed = Newest(database);
    ASSERT_EQ(One(database, "SELECT count(*) FROM notes"), committed) << calls;
    ASSERT_EQ(One(database,
                  "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = "
                  "'ok'"),
              1)
        << calls;
  }
  EXPECT_GT(committed, 100);
}

TEST_F(DiskVfsTest, AReaderSeesWhatWasCommittedBesideAWriterAndTwoWritersExcludeEachOther) {
  Database writer = MustOpen();
  Database reader = MustOpen(/*read_only=*/true);
  ASSERT_TRUE(Write(writer, 1).ok());
  {
    auto transaction = writer.Begin();
    ASSERT_TRUE(transaction.ok());
    ASSERT_TRUE(writer.Execute("INSERT INTO notes VALUES (2, 'two')").ok());
    EXPECT_EQ(Newest(reader), 1);
    Database other = MustOpen();
    EXPECT_EQ(Write(other, 3).error().code, Code::kUnavailable);
    ASSERT_TRUE(transaction->Commit().ok());
    EXPECT_TRUE(Write(other, 3).ok());
  }
  EXPECT_EQ(Newest(reader), 3);
}

TEST_F(DiskVfsTest, AFullDiskKeepsNothingOfTheTransactionAndGoesOnWhenThereIsRoom) {
  Database database = MustOpen();
  ASSERT_TRUE(Write(database, 1).ok());
  disk_.SetCapacity(0);
  EXPECT_EQ(Write(database, 2).error().code, Code::kOverloaded);
  EXPECT_EQ(Newest(database), 1);
  disk_.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(Write(database, 2).ok());
}

TEST_F(DiskVfsTest, AFailedCommitIsNotKnownAndTheNextOneHoldsOnceTheDiskDoes) {
  Database database = MustOpen();
  ASSERT_TRUE(Write(database, 1).ok());
  disk_.FailAfter(0);
  EXPECT_EQ(Write(database, 2).error().code, Code::kOutcomeUnknown);
  EXPECT_EQ(Newest(database), 1);
  disk_.FailNever();
  ASSERT_TRUE(Write(database, 2).ok());
  disk_.Crash(7);
  database = MustOpen();
  EXPECT_EQ(Newest(database), 2);
}

TEST_F(DiskVfsTest, WhatAFailedSyncLeftInTheJournalIsWrittenAgainBeforeTheNextProcessReadsIt) {
  Database killed = MustOpen();
  ASSERT_TRUE(Write(killed, 1).ok());
  disk_.LoseAtSync(0);
  EXPECT_EQ(Write(killed, 2).error().code, Code::kOutcomeUnknown);
  // Another process: it shares the files and nothing else.
  const DiskVfs next_vfs(disk_);
  auto next = Database::Open(kPath, {.migrations = kMigrations, .vfs = &next_vfs});
  ASSERT_TRUE(next.ok());
  const std::int64_t answered = Newest(*next);
  disk_.Crash(3);
  const DiskVfs last_vfs(disk_);
  auto last = Database::Open(kPath, {.migrations = kMigrations, .vfs = &last_vfs});
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(Newest(*last), answered);
  EXPECT_EQ(answered, 2);
}

TEST_F(DiskVfsTest, AShortFileReadsAsADatabaseOfNothing) {
  ASSERT_TRUE(disk_.Open(kPath, OpenMode::kCreate).ok());
  EXPECT_EQ(Newest(*std::make_unique<Database>(MustOpen())), 0);
}

}  // namespace
}  // namespace telltale::store
