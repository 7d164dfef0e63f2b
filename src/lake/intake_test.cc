#include "lake/intake.h"

#include <gtest/gtest.h>

#include "base/cell.h"
#include "base/limits.h"
#include "contract/contract.h"
#include "lake/wire.h"

namespace telltale::lake {
namespace {

constexpr std::int64_t kBase = 1'764'000'000'000'000;
constexpr std::int64_t kSecond = 1'000'000;
constexpr std::uint64_t kCell = (std::uint64_t{3} << 61) | (std::uint64_t{1} << 36);

struct Sent {
  std::uint8_t vehicle = 1;
  BootId boot{1, 7};
  std::uint64_t seq = 0;
  std::int64_t receipt_s = 0;
  std::int64_t event_s = 0;
  std::uint64_t hash = 1;
  std::string payload{};
  std::uint8_t flags = 0;
};

struct Totals {
  std::int64_t received = 0, missing = 0, late = 0, duplicate = 0;
  friend bool operator==(const Totals&, const Totals&) = default;
};

class IntakeTest : public ::testing::Test {
 protected:
  log::RecordView RecordOf(const Sent& sent) {
    log::RecordView record;
    record.header.flags = sent.flags;
    record.header.vehicle.bytes[0] = sent.vehicle;
    record.header.boot = sent.boot;
    record.header.seq = sent.seq;
    record.header.event_time = Micros{kBase + sent.event_s * kSecond};
    record.header.receipt_time = Micros{kBase + sent.receipt_s * kSecond};
    record.header.content_hash = sent.hash;
    record.partition = PartitionId{0};
    record.offset = Offset{next_++};
    log_time_ = std::max(log_time_, record.header.receipt_time);
    record.log_time = log_time_;
    record.payload = AsBytes(sent.payload);
    return record;
  }
  std::optional<Intake::Accepted> See(const Sent& sent) {
    const log::RecordView record = RecordOf(sent);
    intake_->SeeLogTime(record);
    auto payload = ParseTelemetryPayload(record);
    EXPECT_TRUE(payload.ok());
    auto accepted = intake_->See(record, *payload);
    Take();
    return accepted;
  }
  void Tick(std::int64_t second) {
    log::RecordView record;
    record.header.kind = log::RecordKind::kTick;
    log_time_ = std::max(log_time_, Micros{kBase + second * kSecond});
    record.log_time = log_time_;
    record.offset = Offset{next_++};
    intake_->SeeLogTime(record);
    Take();
  }
  void Take() {
    for (const auto& [key, delta] : intake_->TakeArrivals()) {
      totals_.received += delta.received;
      totals_.missing += delta.missing;
      totals_.late += delta.late;
      totals_.duplicate += delta.duplicate;
    }
  }
  void Restart() {
    std::string bytes;
    intake_->Forget();
    intake_->Encode(bytes);
    intake_ = std::make_unique<Intake>(1, counters_);
    ByteReader in(bytes);
    ASSERT_TRUE(intake_->Decode(in).ok());
    std::string twice;
    intake_->Encode(twice);
    EXPECT_EQ(twice, bytes);
  }

  Counters counters_;
  std::unique_ptr<Intake> intake_ = std::make_unique<Intake>(1, counters_);
  std::uint64_t next_ = 0;
  Micros log_time_;
  Totals totals_;
};

std::string PreviousBoot(BootId boot, std::uint64_t last_seq) {
  std::string block;
  PutLe(block, boot.counter);
  PutLe(block, boot.random);
  PutLe(block, last_seq);
  return block;
}

std::string Place(std::uint64_t cell) {
  std::string wire;
  contract::AppendCell(wire, cell);
  return wire;
}

TEST_F(IntakeTest, ARepeatIsDroppedAndCountedWhateverItsContent) {
  EXPECT_TRUE(See({.seq = 0, .hash = 5}));
  EXPECT_FALSE(See({.seq = 0, .hash = 5}));
  EXPECT_FALSE(See({.seq = 0, .hash = 6}));
  EXPECT_EQ(totals_, (Totals{1, 0, 0, 2}));
  EXPECT_EQ(counters_.Drops("lake", Reason::kDuplicate).value(), 1u);
  EXPECT_EQ(counters_.Drops("lake", Reason::kSeqConflict).value(), 1u);
}

TEST_F(IntakeTest, ARepeatIsDroppedAfterARestartToo) {
  See({.seq = 0});
  Restart();
  EXPECT_FALSE(See({.seq = 0}));
  EXPECT_TRUE(See({.seq = 1}));
}

TEST_F(IntakeTest, LateIsReceiptMinusEventOverTheLimit) {
  EXPECT_FALSE(See({.seq = 0, .receipt_s = 300, .event_s = 0})->is_late);
  EXPECT_TRUE(See({.seq = 1, .receipt_s = 301, .event_s = 0})->is_late);
  EXPECT_EQ(totals_.late, 1);
}

TEST_F(IntakeTest, AGapIsBookedByATickAndTakenBackByItsReport) {
  See({.seq = 0});
  See({.seq = 3, .receipt_s = 1});
  Tick(301);
  EXPECT_EQ(totals_.missing, 0);
  Restart();
  Tick(302);
  EXPECT_EQ(totals_.missing, 2);
  See({.seq = 1, .receipt_s = 310, .event_s = 0});
  EXPECT_EQ(totals_.missing, 1);
  EXPECT_EQ(totals_.late, 1);
}

TEST_F(IntakeTest, ALaterBootClosesTheEarlierOnesGaps) {
  See({.seq = 0});
  See({.seq = 3});
  See({.boot = {2, 8}, .seq = 0});
  EXPECT_EQ(totals_.missing, 2);
}

TEST_F(IntakeTest, TheTailThatABootNamesIsMissing) {
  See({.seq = 0});
  const std::string block = PreviousBoot({1, 7}, 4);
  See({.boot = {2, 8}, .seq = 0, .payload = block, .flags = 1});
  See({.boot = {2, 8}, .seq = 1, .payload = block, .flags = 1});
  EXPECT_EQ(totals_.missing, 4);
  See({.seq = 2, .receipt_s = 2});
  EXPECT_EQ(totals_.missing, 3);
  // A boot that claims to follow a later one says nothing.
  See({.boot = {2, 8}, .seq = 2, .payload = PreviousBoot({9, 9}, 1000), .flags = 1});
  EXPECT_EQ(totals_.missing, 3);
}

TEST_F(IntakeTest, APayloadShorterThanItsBlockIsCorrupt) {
  const Sent sent{.payload = "short", .flags = 1};
  EXPECT_EQ(ParseTelemetryPayload(RecordOf(sent)).error().code, Code::kCorrupt);
}

TEST_F(IntakeTest, BeyondTheHorizonAReportIsKeptAndMarked) {
  const std::int64_t horizon_s = kIdentityHorizonUs / kSecond;
  See({.seq = 0, .receipt_s = 0, .event_s = 0, .payload = Place(0)});
  const auto old = See({.seq = 1, .receipt_s = 1, .event_s = -horizon_s, .payload = Place(kCell)});
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->is_past_horizon);
  EXPECT_EQ(old->cell, CellParent(kCell, kCoarseCellLevel));
}

TEST_F(IntakeTest, ACellIsHeldAtTheCoarseLevelOverARestart) {
  const std::uint64_t far = kCell ^ (std::uint64_t{1} << 50);
  const std::uint64_t coarse = CellParent(kCell, kCoarseCellLevel);
  EXPECT_EQ(See({.seq = 0, .payload = Place(kCell)})->cell, coarse);
  Restart();
  EXPECT_EQ(See({.seq = 1, .receipt_s = 1, .event_s = 1, .payload = Place(far)})->cell, coarse);
}

TEST_F(IntakeTest, WhatIsOlderThanTheHorizonIsForgotten) {
  See({.seq = 0});
  See({.seq = 9});
  Tick(kIdentityHorizonUs / kSecond + 1);
  EXPECT_EQ(intake_->vehicles(), 1u);
  intake_->Forget();
  EXPECT_EQ(intake_->vehicles(), 0u);
  // No timer is left hanging, and the boot counts as new.
  EXPECT_TRUE(See({.seq = 0, .receipt_s = kIdentityHorizonUs / kSecond + 2}));
}

TEST_F(IntakeTest, AnEventTimeBefore1970IsClampedAndCounted) {
  const auto accepted = See({.seq = 0, .event_s = -kBase / kSecond - 50});
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->event_time, Micros{0});
  EXPECT_EQ(counters_.Drops("lake", Reason::kEventTimeClamped).value(), 1u);
}

TEST_F(IntakeTest, ACellFinerThanTheDoorMaySendIsNeverPassedOn) {
  const std::uint64_t fine = kCell ^ (std::uint64_t{1} << 36) ^ (std::uint64_t{1} << 20);
  ASSERT_GT(CellLevel(fine), kFinestCellLevel);
  EXPECT_EQ(See({.seq = 0, .payload = Place(fine)})->cell, 0u);
  EXPECT_EQ(See({.seq = 1, .payload = Place(0x123)})->cell, 0u);
  EXPECT_EQ(counters_.Drops("lake", Reason::kPositionInvalid).value(), 2u);
}

TEST_F(IntakeTest, AnotherNumberOfPartitionsIsRefused) {
  std::string bytes;
  intake_->Encode(bytes);
  Intake two(2, counters_);
  ByteReader in(bytes);
  EXPECT_EQ(two.Decode(in).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace telltale::lake
