#include "vault/ledger/ordinal_set.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace telltale::vault {
namespace {

std::vector<std::uint32_t> Sorted(const std::set<std::uint32_t>& values) {
  return {values.begin(), values.end()};
}

// Sparse, dense and full stretches, so that all three kinds of container are there.
std::set<std::uint32_t> Mixed(std::uint64_t seed) {
  SeededRandom random(seed);
  std::set<std::uint32_t> values;
  for (int i = 0; i < 200; ++i) values.insert(static_cast<std::uint32_t>(random.Below(1u << 20)));
  for (int i = 0; i < 9000; ++i) {
    values.insert(2'000'000 + static_cast<std::uint32_t>(random.Below(60'000)));
  }
  for (std::uint32_t i = 0; i < 5000; ++i) values.insert(4'000'000 + i);
  return values;
}

TEST(OrdinalSetTest, GivesBackWhatWasAddedAlsoAfterItsBytes) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const std::set<std::uint32_t> values = Mixed(seed);
    OrdinalSet set;
    for (const std::uint32_t value : values) EXPECT_TRUE(set.Add(Ordinal{value}));
    EXPECT_FALSE(set.Add(Ordinal{*values.begin()}));
    EXPECT_EQ(set.First(UINT64_MAX), Sorted(values));
    const auto back = OrdinalSet::Parse(AsBytes(set.Encode()));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, set);
    EXPECT_EQ(back->First(3).size(), 3u);
  }
}

TEST(OrdinalSetTest, MergesRemovesAndKeepsAsSetsDo) {
  OrdinalSet set;
  set.Add(std::vector<std::uint32_t>{1, 2, 3, 70'000});
  OrdinalSet other;
  other.Add(std::vector<std::uint32_t>{2, 70'000, 9});
  OrdinalSet merged = set;
  merged.Merge(other);
  EXPECT_EQ(merged.First(9), (std::vector<std::uint32_t>{1, 2, 3, 9, 70'000}));
  OrdinalSet removed = set;
  removed.Remove(other);
  EXPECT_EQ(removed.First(9), (std::vector<std::uint32_t>{1, 3}));
  set.Keep(other);
  EXPECT_EQ(set.First(9), (std::vector<std::uint32_t>{2, 70'000}));
}

TEST(OrdinalSetTest, NoAlteredByteMakesASetThatContradictsItself) {
  OrdinalSet set;
  for (const std::uint32_t value : Mixed(7)) set.Add(Ordinal{value});
  const std::string bytes = set.Encode();
  SeededRandom random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string altered = bytes;
    const std::size_t at =
        i < 600 ? static_cast<std::size_t>(i) % bytes.size() : random.Below(bytes.size());
    altered[at] = static_cast<char>(altered[at] ^ (1 << random.Below(8)));
    const auto parsed = OrdinalSet::Parse(AsBytes(altered));
    if (!parsed.ok()) continue;
    EXPECT_EQ(parsed->First(UINT64_MAX).size(), parsed->size());
  }
  for (std::size_t size = 0; size < bytes.size(); size += 97) {
    EXPECT_FALSE(OrdinalSet::Parse(AsBytes(bytes).first(size)).ok()) << size;
  }
  EXPECT_FALSE(OrdinalSet::Parse(AsBytes(bytes + "x")).ok());
}

}  // namespace
}  // namespace telltale::vault
