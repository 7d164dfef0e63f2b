#include "vault/ledger/intake_account.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace telltale::vault {
namespace {

constexpr PartitionId kPartition{3};
constexpr Micros kNow{1'000'000};

TEST(IntakeAccountTest, EveryOffsetIsInOneOutcomeOrInAGap) {
  IntakeAccount account;
  EXPECT_EQ(account.Add(kPartition, Offset{0}, Outcome::kStored, kNow), Arrival::kInOrder);
  EXPECT_EQ(account.AddRun(kPartition, Offset{1}, 4, Outcome::kControl, kNow), Arrival::kInOrder);
  EXPECT_EQ(account.Add(kPartition, Offset{7}, Outcome::kExpired, kNow), Arrival::kAfterGap);
  EXPECT_EQ(account.Add(kPartition, Offset{10}, Outcome::kStored, Micros{2'000'000}),
            Arrival::kAfterGap);
  const PartitionAccount& one = account.partitions().at(kPartition);
  EXPECT_TRUE(one.Balanced());
  EXPECT_EQ(one.next, 11u);
  EXPECT_EQ(one.Sum(), 7u);
  EXPECT_EQ(one.Of(Outcome::kControl), 4u);
  EXPECT_EQ(one.gaps, (std::vector<OffsetGap>{{5, 7, kNow}, {8, 10, Micros{2'000'000}}}));
}

TEST(IntakeAccountTest, ARepeatedOffsetIsNotCountedTwice) {
  IntakeAccount account;
  account.AddRun(kPartition, Offset{0}, 5, Outcome::kStored, kNow);
  EXPECT_EQ(account.AddRun(kPartition, Offset{3}, 4, Outcome::kRefused, kNow), Arrival::kRepeated);
  const PartitionAccount& one = account.partitions().at(kPartition);
  EXPECT_EQ(one.repeated, 2u);
  EXPECT_EQ(one.Of(Outcome::kRefused), 2u);
  EXPECT_EQ(one.next, 7u);
  EXPECT_TRUE(one.Balanced());
}

TEST(IntakeAccountTest, WhatTheLogNoLongerHadAtTheFirstStartIsAGapUnlessTheVaultTookOver) {
  IntakeAccount account;
  EXPECT_EQ(account.Add(kPartition, Offset{9}, Outcome::kStored, kNow), Arrival::kAfterGap);
  EXPECT_EQ(account.partitions().at(kPartition).gap_offsets, 9u);
  account.StartAt(PartitionId{4}, Offset{9});
  EXPECT_EQ(account.Add(PartitionId{4}, Offset{9}, Outcome::kStored, kNow), Arrival::kInOrder);
  EXPECT_TRUE(account.partitions().at(PartitionId{4}).Balanced());
}

TEST(IntakeAccountTest, GapsBeyondTheListAreStillCounted) {
  IntakeAccount account;
  for (std::uint64_t i = 0; i < kGapsListedMax + 10; ++i) {
    account.Add(kPartition, Offset{2 * i + 1}, Outcome::kStored, kNow);
  }
  const PartitionAccount& one = account.partitions().at(kPartition);
  EXPECT_EQ(one.gaps.size(), kGapsListedMax);
  EXPECT_EQ(one.gap_offsets, kGapsListedMax + 10);
  EXPECT_TRUE(one.Balanced());
}

TEST(IntakeAccountTest, RandomRunsBalanceAndComeBackFromTheirBytes) {
  SeededRandom random(4);
  IntakeAccount account;
  for (int i = 0; i < 500; ++i) {
    const PartitionId partition{static_cast<std::uint16_t>(random.Below(8))};
    const auto found = account.partitions().find(partition);
    const std::uint64_t next = found == account.partitions().end() ? 0 : found->second.next;
    const std::uint64_t from = next + random.Below(3) - std::min<std::uint64_t>(next, 1);
    account.AddRun(partition, Offset{from}, random.Below(5),
                   static_cast<Outcome>(random.Below(kOutcomes)), kNow);
  }
  for (const auto& [partition, one] : account.partitions()) EXPECT_TRUE(one.Balanced());
  const std::string bytes = account.Encode();
  const auto back = IntakeAccount::Parse(AsBytes(bytes));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, account);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(IntakeAccount::Parse(AsBytes(bytes).first(size)).ok());
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string altered = bytes;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    EXPECT_FALSE(IntakeAccount::Parse(AsBytes(altered)).ok()) << at;
  }
}

}  // namespace
}  // namespace telltale::vault
