#include "base/erasure_list.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/sha256.h"
#include "base/sim_disk.h"

namespace telltale {
namespace {

const std::string kPath = "/data/erased/list";

VehicleRef RefOf(std::uint8_t n) {
  VehicleRef ref;
  ref.bytes.fill(n);
  return ref;
}

struct Place {
  Place() { EXPECT_TRUE(disk.MakeFolders("/data/erased").ok()); }
  Status Add(std::uint8_t n) {
    const auto added = AppendErasure(disk, kPath, RefOf(n));
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
  EXPECT_TRUE(*AppendErasure(place.disk, kPath, RefOf(1)));
  const std::string once = place.Text();
  EXPECT_FALSE(*AppendErasure(place.disk, kPath, RefOf(1)));
  EXPECT_EQ(place.Text(), once);
}

TEST(ErasureListTest, NamesNobodyAndKeepsToItsForm) {
  Place place;
  ASSERT_TRUE(place.Add(7).ok());
  ASSERT_TRUE(place.Add(8).ok());
  const std::string text = place.Text();
  EXPECT_EQ(text, HexEncode(Sha256Of(RefOf(7).bytes)) + "\n" + HexEncode(Sha256Of(RefOf(8).bytes)) +
                      "\n");
  EXPECT_EQ(text.find(RefOf(7).ToHex()), std::string::npos);
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
  }
}

TEST(ErasureListTest, WhatFollowsATagBehindASpaceIsPassedOver) {
  Place place;
  const std::string tag = HexEncode(ErasureTagOf(RefOf(1)));
  ASSERT_TRUE(WriteFileDurably(place.disk, kPath, tag + " 1800000000000000 0123abcd\n").ok());
  ASSERT_TRUE(place.Add(2).ok());
  ErasureList list(place.disk, kPath);
  ASSERT_TRUE(list.Refresh().ok());
  EXPECT_TRUE(list.Contains(RefOf(1)));
  EXPECT_TRUE(list.Contains(RefOf(2)));
}

TEST(ErasureListTest, WhatIsNoListOrHasLostLinesIsRefused) {
  Place place;
  const std::string tag = HexEncode(ErasureTagOf(RefOf(1)));
  std::string upper = tag;
  upper.back() = 'A';
  for (const std::string& bad :
       {std::string("something else\n"), std::string("\n"), tag + "0\n", upper + "\n",
        tag.substr(1) + "g\n", tag + "\n" + tag.substr(1) + "\n"}) {
    ASSERT_TRUE(WriteFileDurably(place.disk, kPath, bad).ok());
    ErasureList list(place.disk, kPath);
    EXPECT_EQ(list.Refresh().error().code, Code::kCorrupt) << bad;
    EXPECT_FALSE(place.Add(1).ok()) << "nothing is made of it";
  }
  ASSERT_TRUE(WriteFileDurably(place.disk, kPath, tag + "\n").ok());
  ErasureList list(place.disk, kPath);
  ASSERT_TRUE(list.Refresh().ok());
  ASSERT_TRUE(place.disk.Remove(kPath).ok());
  EXPECT_EQ(list.Refresh().error().code, Code::kCorrupt);
  EXPECT_TRUE(list.Contains(RefOf(1))) << "who was known stays known";
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
