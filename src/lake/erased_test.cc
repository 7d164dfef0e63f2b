#include "lake/erased.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"
#include "lake/sha256.h"

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
TEST(Sha256Test, GivesThePublishedDigests) {
  const auto hex = [](std::string_view text) { return HexEncode(Sha256(AsBytes(text))); };
  EXPECT_EQ(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

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
