#include "sim/drives/lines.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::sim {
namespace {

TEST(LinesTest, LinesAreNumberedFromOneAndEmptyOnesPassedOver) {
  std::string seen;
  ForEachLine("a\r\n\nb", [&seen](std::string_view line, std::size_t number) {
    seen += std::string(line) + std::to_string(number) + ";";
  });
  EXPECT_EQ(seen, "a1;b3;");
}

}  // namespace
}  // namespace telltale::sim
