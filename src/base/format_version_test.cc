#include "base/format_version.h"

#include <gtest/gtest.h>

#include <set>

namespace telltale {
namespace {

TEST(FormatVersionTest, TheListIsInTheOrderOfTheEnumAndEveryNameIsItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kFormats[i].format), i);
    EXPECT_TRUE(names.insert(kFormats[i].name).second) << kFormats[i].name;
  }
}

TEST(FormatVersionTest, EveryBuildReadsWhatItWrites) {
  for (const FormatVersion& one : kFormats) {
    EXPECT_GE(one.min_reader, 1u) << one.name;
    EXPECT_LE(one.min_reader, one.written) << one.name;
    EXPECT_LE(one.written, one.reads) << one.name;
  }
}

TEST(FormatVersionTest, OnlyTheMinimumReaderDecidesAndTheRefusalNamesAllThreeVersions) {
  EXPECT_TRUE(CheckReadable(Format::kLedger, "x/ledger", 9, 1).ok());
  const Status refused = CheckReadable(Format::kLedger, "x/ledger", 9, 2);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_EQ(refused.error().message,
            "x/ledger: made by format version 9, needs a reader of version 2; this telltale reads "
            "up to 1: use a newer telltale");
}

}  // namespace
}  // namespace telltale
