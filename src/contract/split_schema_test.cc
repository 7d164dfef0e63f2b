// Contracts that nobody wrote: the split under random schemas, with libprotobuf as the oracle.
#include "base/test_rounds.h"
#include "contract/random_contract_testing.h"
#include "contract/split_testing.h"

namespace telltale::contract {
namespace {

using namespace testing;  // NOLINT: the oracle's vocabulary

TEST(SplitSchemaTest, UnderAnyContractThePartsAreTheReportAndTheOpenPartsHoldNothingSealed) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(60); ++seed) {
    const auto contract = Load(RandomContract(seed).Next());
    const Oracle oracle(contract);
    Splitter splitter(contract);
    RandomReports reports(oracle, seed);
    for (int i = 0; i < 30; ++i) {
      const auto sent = reports.Next(1 + reports.random().Below(8), true);
      ExpectWhole(oracle, *sent, SplitAll(splitter, Batch({sent->SerializeAsString()})).at(0));
      if (::testing::Test::HasFailure()) FAIL() << "seed " << seed << " report " << i;
    }
  }
}

// A reader with the old contract hands on what it does not know, bit by bit.
TEST(SplitSchemaTest, BytesOfANewerContractReadByTheOldOneAndWrittenAgainAreIdentical) {
  const Oracle old_oracle(Load(ShippedFiles()));
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(40); ++seed) {
    const Oracle oracle(Load(RandomContract(seed).Next()));
    RandomReports cars(oracle, seed);
    for (int i = 0; i < 15; ++i) {
      const auto sent = cars.Next(3, false);
      for (int number = kFieldFirstDerived; number < 10'100; ++number) {  // no car sends them
        const auto* derived = sent->GetDescriptor()->FindFieldByNumber(number);
        if (derived != nullptr) sent->GetReflection()->ClearField(sent.get(), derived);
      }
      const std::string bytes = sent->SerializeAsString();
      EXPECT_EQ(old_oracle.Decode(bytes)->SerializeAsString(), bytes) << "seed " << seed;
    }
  }
}

// A fleet has both for years: what the old contract passed on reads the same under the new one.
TEST(SplitSchemaTest, WhatTheOldContractPassedOnReadsTheSameUnderEveryWiderOne) {
  const auto old_contract = Load(ShippedFiles());
  const Oracle old_oracle(old_contract);
  Splitter old_splitter(old_contract);
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(40); ++seed) {
    const auto contract = Load(RandomContract(seed).Next());
    const Oracle oracle(contract);
    Splitter splitter(contract);
    RandomReports old_cars(old_oracle, seed);
    RandomReports new_cars(oracle, seed);
    for (int i = 0; i < 15; ++i) {
      const std::string of_old_car = old_cars.Next(3, false)->SerializeAsString();
      EXPECT_EQ(SplitAll(old_splitter, Batch({of_old_car})).at(0).telemetry,
                SplitAll(splitter, Batch({of_old_car})).at(0).telemetry);
      // And nothing of a new car is lost under the old one, or open before it is declared.
      const auto sent = new_cars.Next(3, true);
      const std::string of_new_car = sent->SerializeAsString();
      const Kept kept = SplitAll(old_splitter, Batch({of_new_car})).at(0);
      const auto open = old_oracle.Decode(kept.telemetry);
      ASSERT_TRUE(open);
      EXPECT_EQ(FirstLeak(*open, old_contract->fields()), "");
      EXPECT_TRUE(pb::util::MessageDifferencer::Equals(*sent, *Joined(oracle, kept)));
      if (::testing::Test::HasFailure()) FAIL() << "seed " << seed << " report " << i;
    }
  }
}

}  // namespace
}  // namespace telltale::contract
