#include "lake/erased.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"

namespace telltale::lake {
namespace {

VehicleRef Vehicle(std::uint8_t number) {
  VehicleRef ref;
  ref.bytes.fill(number);
  return ref;
}

void Write(Disk& disk, const std::string& text) {
  ASSERT_TRUE(disk.MakeFolders("/erased").ok());
  ASSERT_TRUE(WriteFileDurably(disk, "/erased/list", text).ok());
}

// Of FIPS 180-4's examples and NIST's long message.
TEST(ErasedTest, WithoutAListNobodyIsErased) {
  SimDisk disk;
  Erased erased("/erased/list");
  ASSERT_TRUE(erased.Refresh(disk).ok());
  EXPECT_FALSE(erased.Has(Vehicle(1)));
  EXPECT_EQ(erased.lines(), 0u);
}

TEST(ErasedTest, ALongerListIsSeenAndASameOneIsNoNews) {
  SimDisk disk;
  Erased erased("/erased/list");
  const std::string first = Erased::TagOf(Vehicle(1)) + "\n";
  Write(disk, first);
  EXPECT_TRUE(*erased.Refresh(disk));
  EXPECT_FALSE(*erased.Refresh(disk));
  EXPECT_TRUE(erased.Has(Vehicle(1)));
  EXPECT_FALSE(erased.Has(Vehicle(2)));
  Write(disk, first + Erased::TagOf(Vehicle(2)) + "\n");
  EXPECT_TRUE(*erased.Refresh(disk));
  EXPECT_TRUE(erased.Has(Vehicle(2)));
  EXPECT_EQ(erased.lines(), 2u);
}

TEST(ErasedTest, AListThatIsNoneOrHasShrunkStopsTheReader) {
  const std::string good = Erased::TagOf(Vehicle(1)) + "\n";
  for (const std::string& bad :
       {good.substr(1), good + "x", std::string(65, 'f'), "G" + good.substr(1)}) {
    SimDisk disk;
    Erased erased("/erased/list");
    Write(disk, bad);
    const auto refreshed = erased.Refresh(disk);
    ASSERT_FALSE(refreshed.ok()) << bad;
    EXPECT_EQ(refreshed.error().code, Code::kCorrupt);
  }
  SimDisk disk;
  Erased erased("/erased/list");
  Write(disk, good + good);
  ASSERT_TRUE(erased.Refresh(disk).ok());
  Write(disk, good);
  EXPECT_EQ(erased.Refresh(disk).error().code, Code::kCorrupt);
  ASSERT_TRUE(disk.Remove("/erased/list").ok());
  EXPECT_EQ(erased.Refresh(disk).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace telltale::lake
