#include "sequence/sequence.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace telltale::sequence {
namespace {

constexpr std::uint64_t kSeqMax = ~std::uint64_t{0};

template <typename T>
std::string Encoded(const T& value) {
  std::string out;
  value.Encode(out);
  return out;
}

std::vector<IntervalSet::Interval> GapsOf(const std::set<std::uint64_t>& seen) {
  std::vector<IntervalSet::Interval> gaps;
  std::uint64_t expected = 0;
  for (const std::uint64_t seq : seen) {
    if (seq > expected) gaps.push_back({expected, seq - 1});
    expected = seq + 1;
  }
  return gaps;
}

TEST(IntervalSetTest, AnswersAsAPlainSetDoesWhateverTheOrder) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SeededRandom random(seed);
    const std::uint64_t range = 1 + random.Below(300);
    IntervalSet set;
    std::set<std::uint64_t> model;
    for (int step = 0; step < 400; ++step) {
      const std::uint64_t seq = random.Below(range);
      ASSERT_EQ(set.Contains(seq), model.contains(seq)) << "seed " << seed;
      ASSERT_EQ(set.Insert(seq), model.insert(seq).second) << "seed " << seed;
      ASSERT_EQ(set.count(), model.size()) << "seed " << seed;
    }
    EXPECT_EQ(set.Gaps(), GapsOf(model)) << "seed " << seed;
    for (std::size_t n = 1; n < set.intervals().size(); ++n) {
      EXPECT_LT(set.intervals()[n - 1].last + 1, set.intervals()[n].first) << "seed " << seed;
    }
  }
}

TEST(IntervalSetTest, HoldsTheLastNumberWithoutWrappingRound) {
  IntervalSet set;
  EXPECT_TRUE(set.Insert(kSeqMax));
  EXPECT_TRUE(set.Insert(0));
  EXPECT_FALSE(set.Insert(kSeqMax));
  EXPECT_TRUE(set.Insert(kSeqMax - 1));
  EXPECT_EQ(set.intervals().size(), 2u);
  EXPECT_EQ(set.count(), 3u);
  ASSERT_EQ(set.Gaps().size(), 1u);
  EXPECT_EQ(set.Gaps()[0], (IntervalSet::Interval{1, kSeqMax - 2}));
}

TEST(IntervalSetTest, ComesBackFromItsBytes) {
  SeededRandom random(4711);
  IntervalSet set;
  for (int n = 0; n < 500; ++n) set.Insert(random.Below(2000));
  const std::string bytes = Encoded(set);
  ByteReader in(bytes);
  IntervalSet back;
  ASSERT_TRUE(IntervalSet::Decode(in, back));
  EXPECT_EQ(back.intervals(), set.intervals());
  EXPECT_EQ(in.remaining(), 0u);
}

std::string IntervalBytes(std::uint32_t count, std::vector<std::uint64_t> ends) {
  std::string out;
  PutLe(out, count);
  for (const std::uint64_t end : ends) PutLe(out, end);
  return out;
}

TEST(IntervalSetTest, RefusesBytesThatNoSetWrites) {
  const std::vector<std::string> hostile = {
      "",
      IntervalBytes(1, {}),
      IntervalBytes(0xffffffff, {1, 2}),
      IntervalBytes(1, {5, 4}),              // ends before it starts
      IntervalBytes(2, {0, 5, 5, 9}),        // overlap
      IntervalBytes(2, {0, 5, 6, 9}),        // touch
      IntervalBytes(2, {10, 12, 0, 1}),      // out of order
      IntervalBytes(2, {0, kSeqMax, 3, 4}),  // inside the first
  };
  for (const std::string& bytes : hostile) {
    ByteReader in(bytes);
    IntervalSet out;
    EXPECT_FALSE(IntervalSet::Decode(in, out)) << HexEncode(bytes);
  }
}

TEST(BootSequenceTest, TellsRepeatFromConflict) {
  BootSequence boot;
  EXPECT_EQ(boot.See(7, 0xaa), Verdict::kNew);
  EXPECT_EQ(boot.See(7, 0xaa), Verdict::kDuplicate);
  EXPECT_EQ(boot.See(7, 0xbb), Verdict::kSeqConflict);
  EXPECT_EQ(boot.See(7, 0xaa), Verdict::kDuplicate) << "the first content stays the known one";
}

TEST(BootSequenceTest, ForgetsContentButNeverIdentity) {
  BootSequence boot;
  for (std::uint64_t seq = 0; seq <= kContentHashesPerBoot; ++seq) boot.See(seq, seq);
  EXPECT_EQ(boot.See(0, 999), Verdict::kDuplicate) << "its hash fell out: counts as a repeat";
  EXPECT_EQ(boot.See(1, 999), Verdict::kSeqConflict) << "256 newest are kept";
}

TEST(BootSequenceTest, GoesOnAfterDecodingAsIfNothingHappened) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SeededRandom random(seed);
    BootSequence live;
    const int before = static_cast<int>(random.Below(700));
    for (int n = 0; n < before; ++n) live.See(random.Below(900), random.Below(3));
    const std::string bytes = Encoded(live);
    ByteReader in(bytes);
    BootSequence restored;
    ASSERT_TRUE(BootSequence::Decode(in, restored));
    EXPECT_EQ(Encoded(restored), bytes);
    for (int n = 0; n < 700; ++n) {
      const std::uint64_t seq = random.Below(900);
      const std::uint64_t hash = random.Below(3);
      ASSERT_EQ(live.See(seq, hash), restored.See(seq, hash)) << "seed " << seed << " step " << n;
    }
    EXPECT_EQ(Encoded(restored), Encoded(live));
  }
}

TEST(BootSequenceTest, RefusesMoreHashesThanItKeepsAndHashesOfUnseenReports) {
  std::string many = IntervalBytes(1, {0, 100000});
  PutLe(many, kContentHashesPerBoot + 1);
  many.append(16 * (kContentHashesPerBoot + 1), '\0');
  std::string unseen = IntervalBytes(1, {0, 3});
  PutLe(unseen, std::uint32_t{1});
  PutLe(unseen, std::uint64_t{4});
  PutLe(unseen, std::uint64_t{0});
  for (const std::string& bytes : {many, unseen}) {
    ByteReader in(bytes);
    BootSequence out;
    EXPECT_FALSE(BootSequence::Decode(in, out));
  }
}

TEST(VehicleSequenceTest, KeepsBootsApart) {
  VehicleSequence vehicle;
  const Micros now = Micros::Seconds(1'700'000'000);
  EXPECT_EQ(vehicle.See({1, 10}, 0, 1, now), Verdict::kNew);
  EXPECT_EQ(vehicle.See({2, 10}, 0, 2, now), Verdict::kNew);
  EXPECT_EQ(vehicle.See({1, 11}, 0, 3, now), Verdict::kNew) << "same counter, other random bits";
  EXPECT_EQ(vehicle.See({1, 10}, 0, 1, now), Verdict::kDuplicate);
  EXPECT_EQ(vehicle.boots().size(), 3u);
}

TEST(VehicleSequenceTest, DropsABootOnlyBeyondTheHorizonOfItsNewestReport) {
  VehicleSequence vehicle;
  const Micros first = Micros::Seconds(1'700'000'000);
  const Micros newest = first + Micros::Seconds(86'400);
  vehicle.See({1, 1}, 0, 1, first);
  vehicle.See({1, 1}, 1, 1, newest);
  vehicle.See({1, 1}, 2, 1, first);  // log time of a partition does not fall; be safe if it does
  vehicle.Evict(newest + Micros{kIdentityHorizonUs});
  EXPECT_EQ(vehicle.boots().size(), 1u);
  vehicle.Evict(newest + Micros{kIdentityHorizonUs + 1});
  EXPECT_EQ(vehicle.boots().size(), 0u);
  EXPECT_EQ(vehicle.See({1, 1}, 0, 1, newest), Verdict::kNew);
}

TEST(VehicleSequenceTest, ComesBackFromItsBytesAndRefusesEveryCutOfThem) {
  SeededRandom random(99);
  VehicleSequence vehicle;
  for (int n = 0; n < 400; ++n) {
    const auto counter = static_cast<std::uint32_t>(random.Below(4));
    vehicle.See({counter, 5}, random.Below(300), random.NextU64(), Micros::Seconds(n));
  }
  const std::string bytes = Encoded(vehicle);
  ByteReader whole(bytes);
  VehicleSequence back;
  ASSERT_TRUE(VehicleSequence::Decode(whole, back));
  EXPECT_EQ(Encoded(back), bytes);
  for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 64) {
    ByteReader cut(std::string_view(bytes).substr(0, size));
    VehicleSequence out;
    EXPECT_FALSE(VehicleSequence::Decode(cut, out)) << "cut at " << size;
  }
}

TEST(VehicleSequenceTest, RefusesABootTwice) {
  VehicleSequence vehicle;
  vehicle.See({1, 1}, 0, 1, Micros{1});
  std::string bytes = Encoded(vehicle);
  const std::string boot = bytes.substr(4);
  bytes += boot;
  bytes[0] = 2;
  ByteReader in(bytes);
  VehicleSequence out;
  EXPECT_FALSE(VehicleSequence::Decode(in, out));
}

}  // namespace
}  // namespace telltale::sequence
