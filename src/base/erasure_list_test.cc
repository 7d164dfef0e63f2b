#include "base/erasure_list.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/sha256.h"
#include "base/sim_disk.h"

namespace telltale {
namespace {

const std::string kPath = "/data/erased/list";
constexpr Micros kNow{1'800'000'000'000'000};

VehicleRef RefOf(std::uint8_t n) {
  VehicleRef ref;
  ref.bytes.fill(n);
  return ref;
}

struct Place {
  Place() { EXPECT_TRUE(disk.MakeFolders("/data/erased").ok()); }
  Status Add(std::uint8_t n) {
    const auto added = AppendErasure(disk, kPath, RefOf(n), kNow);
    return added.ok() ? Ok() : Status(added.error());
  }
  std::string Text() {
    const auto text = ReadWholeFile(disk, kPath);
    return text.ok() ? *text : "";
  }
  SimDisk disk;
};

std::string Hex(std::string_view text) { return HexEncode(Sha256Of(AsBytes(text))); }

TEST(Sha256Test, GivesTheDigestsOfThePublishedExamples) {
  // FIPS 180-4 examples and the NIST vectors of one block, two blocks and many.
  EXPECT_EQ(Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(ErasureListTest, NoFileMeansThatNobodyWasErased) {
  Place place;
  ErasureList list(place.disk, kPath);
  const auto grown = list.Refresh();
  ASSERT_TRUE(grown.ok());
  EXPECT_FALSE(*grown);
  EXPECT_FALSE(list.Contains(RefOf(1)));
}

TEST(ErasureListTest, AReaderSeesWhatIsAddedWhileItRuns) {
  Place place;
  ErasureList list(place.disk, kPath);
  ASSERT_TRUE(place.Add(1).ok());
  EXPECT_TRUE(*list.Refresh());
  ASSERT_TRUE(place.Add(2).ok());
  EXPECT_FALSE(list.Contains(RefOf(2)));
  EXPECT_TRUE(*list.Refresh());
  EXPECT_FALSE(*list.Refresh());
  EXPECT_TRUE(list.Contains(RefOf(1)));
  EXPECT_TRUE(list.Contains(RefOf(2)));
  EXPECT_FALSE(list.Contains(RefOf(3)));
}

TEST(ErasureListTest, AddingTwiceIsOneEntry) {
  Place place;
  EXPECT_TRUE(*AppendErasure(place.disk, kPath, RefOf(1), kNow));
  const std::string once = place.Text();
  EXPECT_FALSE(*AppendErasure(place.disk, kPath, RefOf(1), kNow + Micros{1}));
  EXPECT_EQ(place.Text(), once);
}

TEST(ErasureListTest, NamesNobodyAndKeepsToItsForm) {
  Place place;
  ASSERT_TRUE(place.Add(7).ok());
  const std::string text = place.Text();
  EXPECT_EQ(text.find(RefOf(7).ToHex()), std::string::npos);
  const std::size_t second = text.find('\n') + 1;
  EXPECT_EQ(text.substr(0, 65), Hex("telltale erasure list") + " ");
  EXPECT_EQ(text.substr(second, 64), HexEncode(Sha256Of(RefOf(7).bytes)));
  EXPECT_EQ(text.substr(second + 64, 18), " 1800000000000000 ");
}

TEST(ErasureListTest, ATornLastLineIsNotThereAndTheNextEntryTakesItsPlace) {
  Place place;
  ASSERT_TRUE(place.Add(1).ok());
  const std::string one = place.Text();
  ASSERT_TRUE(place.Add(2).ok());
  const std::string two = place.Text();
  for (std::size_t size = one.size(); size < two.size(); ++size) {
    ASSERT_TRUE(WriteFileDurably(place.disk, kPath, two.substr(0, size)).ok());
    ErasureList list(place.disk, kPath);
    ASSERT_TRUE(list.Refresh().ok());
    EXPECT_TRUE(list.Contains(RefOf(1)));
    EXPECT_FALSE(list.Contains(RefOf(2))) << size;
    ASSERT_TRUE(place.Add(3).ok());
    ASSERT_TRUE(list.Refresh().ok());
    EXPECT_TRUE(list.Contains(RefOf(3))) << size;
    EXPECT_EQ(list.damaged(), 0u);
  }
}

TEST(ErasureListTest, ADamagedLineIsCountedAndCostsNoOther) {
  Place place;
  for (std::uint8_t n = 1; n <= 3; ++n) ASSERT_TRUE(place.Add(n).ok());
  std::string text = place.Text();
  const std::size_t second_entry = text.find(HexEncode(ErasureTagOf(RefOf(2))));
  text[second_entry] = text[second_entry] == '0' ? '1' : '0';
  ASSERT_TRUE(WriteFileDurably(place.disk, kPath, text).ok());
  ErasureList list(place.disk, kPath);
  ASSERT_TRUE(list.Refresh().ok());
  EXPECT_EQ(list.damaged(), 1u);
  EXPECT_EQ(list.size(), 2u);
  EXPECT_TRUE(list.Contains(RefOf(3)));
}

TEST(ErasureListTest, RefusesAnotherFileAndANewerList) {
  Place place;
  ASSERT_TRUE(WriteFileDurably(place.disk, kPath, "something else\n").ok());
  ErasureList other(place.disk, kPath);
  EXPECT_EQ(other.Refresh().error().code, Code::kCorrupt);
  // The head that a writer whose lists need a reader of version 2 would write.
  ASSERT_TRUE(
      WriteFileDurably(place.disk, kPath, Hex("telltale erasure list") + " 2 083014d9\n").ok());
  ErasureList newer(place.disk, kPath);
  EXPECT_EQ(newer.Refresh().error().code, Code::kUnsupported);
  EXPECT_FALSE(place.Add(1).ok());
}

TEST(ErasureListTest, AnEntryThatWasPromisedSurvivesAPowerCutAtAnyWrite) {
  bool is_through = false;
  for (std::uint64_t calls = 0; !is_through; ++calls) {
    ASSERT_LT(calls, 100u);
    Place place;
    place.disk.FailAfter(calls);
    std::uint8_t promised = 0;
    while (promised < 3 && place.Add(static_cast<std::uint8_t>(promised + 1)).ok()) ++promised;
    is_through = promised == 3;
    place.disk.FailNever();
    place.disk.Crash(calls);
    EXPECT_TRUE(place.disk.MakeFolders("/data/erased").ok());
    ASSERT_TRUE(place.Add(9).ok()) << calls;
    ErasureList list(place.disk, kPath);
    ASSERT_TRUE(list.Refresh().ok()) << calls;
    for (std::uint8_t n = 1; n <= promised; ++n) EXPECT_TRUE(list.Contains(RefOf(n))) << calls;
    EXPECT_TRUE(list.Contains(RefOf(9))) << calls;
  }
}

TEST(ErasureListTest, AnErrorForgetsNobody) {
  Place place;
  ASSERT_TRUE(place.Add(1).ok());
  ErasureList list(place.disk, kPath);
  ASSERT_TRUE(list.Refresh().ok());
  ASSERT_TRUE(place.Add(2).ok());
  place.disk.FailReads(true);
  EXPECT_FALSE(list.Refresh().ok());
  EXPECT_TRUE(list.Contains(RefOf(1)));
  place.disk.FailReads(false);
  EXPECT_TRUE(*list.Refresh());
  EXPECT_TRUE(list.Contains(RefOf(2)));
}

}  // namespace
}  // namespace telltale
