#include "vault/ledger/presence_ledger.h"

#include <atomic>
#include <thread>

#include "vault/ledger/ledger_testing.h"

namespace telltale::vault {
namespace {

using Ordinals = std::vector<std::uint32_t>;
constexpr std::string_view kJournal1 = "/vault/ledger/journal-00000000000000000001";

TEST(PresenceLedgerTest, OnlyWhatWasCommittedIsThere) {
  LedgerWorld world;
  world.MustOpen();
  ASSERT_TRUE(world.ledger->Note(PositionHour(0), Ordinal{3}, 2, AtHour(0)).ok());
  EXPECT_TRUE(world.ledger->View().hours.empty());
  world.ledger->Rollback();
  world.Store(PositionHour(0), 5, AtHour(0, 10), 4);
  ASSERT_TRUE(world.ledger->Note(PositionHour(0), Ordinal{6}, 1, AtHour(0, 11)).ok());
  world.disk.Crash(1);
  world.MustOpen();
  EXPECT_EQ(world.Vehicles(PositionHour(0)), (Ordinals{5}));
  const LedgerView view = world.ledger->View();
  ASSERT_EQ(view.hours.size(), 1u);
  EXPECT_EQ(view.hours[0].lives[0].frames, 4u);
  EXPECT_EQ(view.hours[0].lives[0].first_stored, AtHour(0, 10));
  EXPECT_TRUE(view.damaged.empty());
}

TEST(PresenceLedgerTest, EverythingSurvivesFoldingAndOpening) {
  LedgerWorld world;
  world.MustOpen();
  ASSERT_TRUE(world.ledger->SetWindow(RetentionClass::kPosition, kWindowHours, AtHour(0)).ok());
  for (std::uint32_t i = 0; i < 100; ++i) world.Store(PositionHour(i % 3), i, AtHour(0, i));
  OrdinalSet held;
  held.Add(Ordinal{4});
  ASSERT_TRUE(world.ledger->MarkHeld(7, PositionHour(1), held, AtHour(1)).ok());
  ASSERT_TRUE(world.ledger->MarkErased(std::vector{Ordinal{9}}, AtHour(2)).ok());
  ASSERT_TRUE(world.ledger->MarkDropped(std::vector{PositionHour(0)}, AtHour(48), 12).ok());
  ASSERT_TRUE(world.ledger->MarkHoldLifted(7, AtHour(3)).ok());
  const auto check = [&] {
    const LedgerView view = world.ledger->View();
    ASSERT_EQ(view.hours.size(), 3u);
    EXPECT_TRUE(view.hours[0].lives[0].dropped);
    EXPECT_EQ(view.hours[0].lives[0].audit_entry, 12u);
    EXPECT_EQ(view.hours[0].lives[0].dropped_at, AtHour(48));
    EXPECT_EQ(view.hours[1].lives[0].window_hours, kWindowHours);
    EXPECT_EQ(view.hours[1].vehicles, 33u);
    EXPECT_EQ(world.Vehicles(PositionHour(1)).size(), 33u);
    EXPECT_EQ(view.holds.at(7).hours.at(PositionHour(1)).vehicles->First(9), (Ordinals{4}));
    EXPECT_TRUE(view.holds.at(7).lifted);
    EXPECT_EQ(view.ErasedBy(AtHour(2)).First(9), (Ordinals{9}));
    EXPECT_TRUE(view.ErasedBy(AtHour(1)).empty());
    EXPECT_EQ(view.windows.size(), 1u);
  };
  check();
  world.MustOpen();
  check();
  ASSERT_TRUE(world.ledger->Fold(AtHour(49)).ok());
  check();
  EXPECT_FALSE(world.disk.Exists(std::string(kJournal1)));
  world.MustOpen();
  check();
}

TEST(PresenceLedgerTest, MarkingTwiceIsMarkingOnceAndAReceiptMayComeLater) {
  LedgerWorld world;
  world.MustOpen();
  world.Store(PositionHour(0), 1, AtHour(0));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(world.ledger->MarkDropped(std::vector{PositionHour(0)}, AtHour(48 + i), 0).ok());
  }
  ASSERT_TRUE(world.ledger->MarkDropped(std::vector{PositionHour(0)}, AtHour(50), 9).ok());
  ASSERT_TRUE(world.ledger->MarkDropped(std::vector{PositionHour(5)}, AtHour(50), 9).ok());
  const LedgerView view = world.ledger->View();
  ASSERT_EQ(view.hours.size(), 1u);
  EXPECT_EQ(view.hours[0].lives[0].dropped_at, AtHour(48));
  EXPECT_EQ(view.hours[0].lives[0].audit_entry, 9u);
}

TEST(PresenceLedgerTest, FramesAfterTheDropBeginASecondLifeUnderTheNewWindow) {
  LedgerWorld world;
  world.MustOpen();
  ASSERT_TRUE(world.ledger->SetWindow(RetentionClass::kPosition, 1, AtHour(0)).ok());
  world.Store(PositionHour(0), 1, AtHour(0));
  ASSERT_TRUE(world.ledger->MarkDropped(std::vector{PositionHour(0)}, AtHour(1), 3).ok());
  ASSERT_TRUE(world.ledger->SetWindow(RetentionClass::kPosition, 10, AtHour(2)).ok());
  world.Store(PositionHour(0), 2, AtHour(3));
  world.MustOpen();
  const HourState hour = world.ledger->View().hours.at(0);
  ASSERT_EQ(hour.lives.size(), 2u);
  EXPECT_TRUE(hour.live());
  EXPECT_EQ(hour.lives[1].window_hours, 10u);
  EXPECT_EQ(hour.lives[1].late_frames, 0u) << "within the window then in force";
}

TEST(PresenceLedgerTest, FramesStoredAfterExpiryAreCountedAlsoUnderAShortenedWindow) {
  LedgerWorld world;
  world.MustOpen();
  ASSERT_TRUE(world.ledger->SetWindow(RetentionClass::kPosition, 10, AtHour(0)).ok());
  world.Store(PositionHour(0), 1, AtHour(9), 5);
  EXPECT_EQ(world.ledger->View().hours[0].lives[0].late_frames, 0u);
  world.Store(PositionHour(0), 2, AtHour(10), 2);
  EXPECT_EQ(world.ledger->View().hours[0].lives[0].late_frames, 2u);
  world.Store(PositionHour(5), 1, AtHour(9));
  ASSERT_TRUE(world.ledger->SetWindow(RetentionClass::kPosition, 2, AtHour(9, 30)).ok());
  world.Store(PositionHour(5), 1, AtHour(9, 40));
  EXPECT_EQ(world.ledger->View().hours[1].lives[0].late_frames, 1u);
}

TEST(PresenceLedgerTest, MemoryHoldsOnlyHotHoursAndOldOnesAreReadWhenAsked) {
  LedgerWorld world(1u << 20, 8);
  world.MustOpen();
  for (std::uint32_t hour = 0; hour < 60; ++hour) world.Store(PositionHour(hour), hour, AtHour(0));
  EXPECT_LE(world.ledger->hot_hours(), 9u);
  for (std::uint32_t hour = 0; hour < 60; ++hour) {
    EXPECT_EQ(world.Vehicles(PositionHour(hour)), (Ordinals{hour}));
  }
  EXPECT_LE(world.ledger->hot_hours(), 9u) << "a reader leaves nothing behind";
  world.Store(PositionHour(0), 77, AtHour(0));
  EXPECT_EQ(world.Vehicles(PositionHour(0)), (Ordinals{0, 77}));
}

TEST(PresenceLedgerTest, TheJournalFoldsItselfWhenItIsFull) {
  LedgerWorld world(4096);
  world.MustOpen();
  for (std::uint32_t i = 0; i < 2000; ++i) world.Store(PositionHour(0), i, AtHour(0));
  EXPECT_LT(world.ledger->journal_bytes(), 5000u);
  world.MustOpen();
  EXPECT_EQ(world.Vehicles(PositionHour(0)).size(), 2000u);
  EXPECT_EQ(world.ledger->View().hours[0].lives[0].frames, 2000u);
}

TEST(PresenceLedgerTest, OldDroppedHoursAreForgottenAndTheLedgerSaysFromWhenItAnswers) {
  LedgerWorld world;
  world.options.days = 2;
  world.MustOpen(AtHour(0));
  world.Store(PositionHour(0), 1, AtHour(0));
  world.Store(PositionHour(1), 1, AtHour(1));
  world.Store(PositionHour(2), 1, AtHour(2));
  ASSERT_TRUE(world.ledger->MarkDropped(std::vector{PositionHour(0)}, AtHour(3), 1).ok());
  ASSERT_TRUE(world.ledger->MarkDropped(std::vector{PositionHour(1)}, AtHour(8), 2).ok());
  ASSERT_TRUE(world.ledger->Fold(AtHour(4)).ok());
  EXPECT_EQ(world.ledger->View().answers_from, AtHour(0));
  EXPECT_EQ(world.disk.List("/vault/ledger/hours")->size(), 3u);
  ASSERT_TRUE(world.ledger->Fold(AtHour(52)).ok());
  const LedgerView view = world.ledger->View();
  EXPECT_EQ(view.answers_from, AtHour(4));
  ASSERT_EQ(view.hours.size(), 2u) << "one was dropped within two days, one lives";
  EXPECT_EQ(world.disk.List("/vault/ledger/hours")->size(), 2u);
}

TEST(PresenceLedgerTest, AFullDiskRefusesTheCommitAndKeepsWhatWasNotedForTheNext) {
  LedgerWorld world;
  world.MustOpen();
  ASSERT_TRUE(world.ledger->Note(PositionHour(0), Ordinal{3}, 1, AtHour(0)).ok());
  world.disk.SetCapacity(1);
  const Status full = world.ledger->Commit();
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, Code::kOverloaded);
  world.disk.SetCapacity(1u << 30);
  ASSERT_TRUE(world.ledger->Commit().ok());
  world.MustOpen();
  EXPECT_EQ(world.Vehicles(PositionHour(0)), (Ordinals{3}));
}

TEST(PresenceLedgerTest, ASyncThatFailedIsWrittenAgain) {
  LedgerWorld world;
  world.MustOpen();
  world.Store(PositionHour(0), 1, AtHour(0));
  ASSERT_TRUE(world.ledger->Note(PositionHour(0), Ordinal{2}, 1, AtHour(0)).ok());
  world.disk.LoseAtSync(0);
  ASSERT_FALSE(world.ledger->Commit().ok());
  ASSERT_TRUE(world.ledger->Commit().ok());
  for (std::uint64_t seed = 0; seed < 4; ++seed) world.disk.Crash(seed);
  world.MustOpen();
  EXPECT_EQ(world.Vehicles(PositionHour(0)), (Ordinals{1, 2}));
  EXPECT_TRUE(world.ledger->View().damaged.empty());
}

TEST(PresenceLedgerTest, ReadersSeeWholeCommitsWhileTheOwnerWritesAndFolds) {
  LedgerWorld world(2048, 4);
  world.MustOpen();
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const LedgerView view = world.ledger->View();
        for (const HourState& hour : view.hours) {
          const auto vehicles = view.vehicles(hour.id);  // as of now: maybe more than in the view
          if (!vehicles.ok() || vehicles->size() < hour.vehicles || vehicles->size() % 2 != 0)
            ++wrong;
        }
      }
    });
  }
  for (std::uint32_t i = 0; i < 400; ++i) {
    const HourKeyId id = PositionHour(i % 12);
    ASSERT_TRUE(world.ledger->Note(id, Ordinal{2 * i}, 1, AtHour(0)).ok());
    world.Store(id, 2 * i + 1, AtHour(0));
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

void Alter(SimDisk& disk, const std::string& path, std::uint64_t at) {
  auto file = disk.Open(path, OpenMode::kReadWrite);
  ASSERT_TRUE(file.ok());
  std::uint8_t byte = 0;
  ASSERT_TRUE((*file)->ReadAt(at, {&byte, 1}).ok());
  byte ^= 0x10;
  ASSERT_TRUE((*file)->WriteAt(at, {&byte, 1}).ok());
  ASSERT_TRUE((*file)->Sync().ok());
}

TEST(PresenceLedgerTest, DamageBeforeTheEndOfTheJournalIsSaidAndDoesNotStopTheVault) {
  for (const std::uint64_t at : {10u, 22u, 30u, 60u}) {
    LedgerWorld world;
    world.MustOpen();
    for (std::uint32_t i = 0; i < 5; ++i) world.Store(PositionHour(0), i, AtHour(0));
    Alter(world.disk, std::string(kJournal1), at);
    world.MustOpen();
    EXPECT_EQ(world.ledger->View().damaged.size(), 1u) << at;
    world.Store(PositionHour(1), 9, AtHour(1));
    ASSERT_TRUE(world.ledger->Fold(AtHour(1)).ok());
    world.MustOpen();
    EXPECT_EQ(world.ledger->View().damaged.size(), 1u) << "until somebody takes it away";
    EXPECT_EQ(world.Vehicles(PositionHour(1)), (Ordinals{9}));
  }
}

TEST(PresenceLedgerTest, ADamagedIndexOrHourFileIsSaidAndDoesNotStopTheVault) {
  for (const std::string path : {"/vault/ledger/index", "/vault/ledger/hours/position-500000"}) {
    LedgerWorld world;
    world.MustOpen();
    world.Store(PositionHour(0), 1, AtHour(0));
    ASSERT_TRUE(world.ledger->Fold(AtHour(0)).ok());
    Alter(world.disk, path, 20);
    world.MustOpen(AtHour(1));
    world.Store(PositionHour(0), 2, AtHour(1));
    EXPECT_EQ(world.ledger->View().damaged.size(), 1u) << path;
    world.MustOpen(AtHour(1));
    EXPECT_EQ(world.ledger->View().damaged.size(), 1u) << path;
    const Ordinals vehicles = world.Vehicles(PositionHour(0));
    EXPECT_EQ(vehicles.back(), 2u) << path;
  }
}

TEST(PresenceLedgerTest, AMissingHourFileOrJournalIsSaid) {
  for (const std::string path :
       {"/vault/ledger/journal-00000000000000000002", "/vault/ledger/hours/position-500000"}) {
    LedgerWorld world;
    world.MustOpen();
    world.Store(PositionHour(0), 1, AtHour(0));
    ASSERT_TRUE(world.ledger->Fold(AtHour(0)).ok());
    ASSERT_TRUE(world.disk.Remove(path).ok()) << path;
    world.MustOpen(AtHour(1));
    world.Store(PositionHour(0), 2, AtHour(1));
    EXPECT_EQ(world.ledger->View().damaged.size(), 1u) << path;
  }
}

TEST(PresenceLedgerTest, ANewerJournalIsRefusedBeforeAnythingChanges) {
  LedgerWorld world;
  world.MustOpen();
  world.Store(PositionHour(0), 1, AtHour(0));
  Alter(world.disk, std::string(kJournal1), 5);
  const Status refused = world.Open();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace telltale::vault
