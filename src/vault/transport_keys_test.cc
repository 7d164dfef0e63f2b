#include "vault/transport_keys.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"
#include "vault/open.h"

namespace telltale::vault {
namespace {

constexpr Micros kNow{1'764'000'000'000'000};
constexpr Micros kDay = Micros::Seconds(86'400);
constexpr Micros kKeepFor = Micros::Seconds(72 * 3600);
const std::string kFolder = "/vault/transport";

class TransportKeysTest : public testing::Test {
 protected:
  TransportKeysTest() {
    EXPECT_TRUE(disk_.MakeFolders(kFolder).ok());
    EXPECT_TRUE(disk_.MakeFolders("/gateways").ok());
    const std::string path = "/gateways/" + HexEncode(seal::KeyId(gateway_.public_raw)) + ".pub";
    EXPECT_TRUE(seal::StoreKey(disk_, path, gateway_.public_raw, false).ok());
    EXPECT_TRUE(gateways_.Reload().ok());
  }
  seal::TransportKey Make(Micros until) {
    return *seal::MakeTransportKey(disk_, kFolder, kNow, until, false);
  }
  std::string SealedFor(const seal::TransportKey& key) {
    const auto sealer = *seal::Sealer::Make(AsText(key.public_raw), gateway_.private_raw, clock_);
    std::string out;
    EXPECT_TRUE(sealer->Seal({}, AsBytes("a place"), out).ok());
    return out;
  }
  static std::string FileOf(const seal::TransportKey& key) {
    return kFolder + "/" + HexEncode(key.id) + ".key";
  }

  SimDisk disk_;
  ManualClock clock_{kNow};
  seal::KeyPair gateway_ = *seal::MakeEd25519();
  GatewayKeys gateways_{disk_, "/gateways"};
};

TEST_F(TransportKeysTest, EveryKeyOpensWhatWasSealedForItWhicheverCameFirst) {
  TransportKeys keys(disk_, kFolder);
  ASSERT_TRUE(keys.Reload().ok());
  const auto opener = Opener::Make(keys, gateways_, clock_);
  // Made after the start, within the pause between looks: no envelope is lost to that.
  for (int i = 0; i < 3; ++i) {
    const std::string envelope = SealedFor(Make(kNow + kDay));
    const auto plain = opener->Open({}, AsBytes(envelope));
    ASSERT_TRUE(plain.ok()) << plain.error().ToString();
    EXPECT_EQ(*plain, "a place");
  }
  EXPECT_EQ(keys.size(), 3u);
}

TEST_F(TransportKeysTest, WhatIsSealedForAnUndatedKeyOpensBesideDatedOnes) {
  const seal::KeyPair old = *seal::MakeX25519();
  TransportKeys keys(disk_, kFolder);
  ASSERT_TRUE(keys.AddUndated(old.private_raw).ok());
  const auto opener = Opener::Make(keys, gateways_, clock_);
  const auto sealer = *seal::Sealer::Make(old.public_raw, gateway_.private_raw, clock_);
  std::string envelope;
  ASSERT_TRUE(sealer->Seal({}, AsBytes("x"), envelope).ok());
  EXPECT_TRUE(opener->Open({}, AsBytes(envelope)).ok());
  EXPECT_TRUE(opener->Open({}, AsBytes(SealedFor(Make(kNow + kDay)))).ok());
  clock_.Advance(Micros{400 * kDay.value});
  EXPECT_TRUE(DestroyExpiredTransportKeys(keys, clock_.NowUtc(), kKeepFor).ok());
  EXPECT_TRUE(opener->Open({}, AsBytes(envelope)).ok()) << "it has no end";
}

TEST_F(TransportKeysTest, AKeyDiesWithTheStreamsRetentionAndOpensNothingFromThenOn) {
  const seal::TransportKey short_lived = Make(kNow + kDay);
  const seal::TransportKey other = Make(kNow + kDay + kDay);
  TransportKeys keys(disk_, kFolder);
  ASSERT_TRUE(keys.Reload().ok());
  const auto opener = Opener::Make(keys, gateways_, clock_);
  const std::string envelope = SealedFor(short_lived);
  const Micros end = kNow + kDay + kKeepFor;
  ASSERT_TRUE(DestroyExpiredTransportKeys(keys, end - Micros{1}, kKeepFor).ok());
  EXPECT_TRUE(opener->Open({}, AsBytes(envelope)).ok());
  ASSERT_TRUE(DestroyExpiredTransportKeys(keys, end, kKeepFor).ok());
  EXPECT_FALSE(opener->Open({}, AsBytes(envelope)).ok()) << "not from what was agreed before";
  EXPECT_EQ(opener->reason(), Reason::kUnsealFailed);
  EXPECT_FALSE(disk_.Exists(FileOf(short_lived)));
  EXPECT_TRUE(opener->Open({}, AsBytes(SealedFor(other))).ok());
  disk_.Crash(9);
  EXPECT_FALSE(disk_.Exists(FileOf(short_lived))) << "durably";
}

TEST_F(TransportKeysTest, WhereverPowerOrTheDiskFailsTheNextCallFinishesAndOthersStay) {
  for (std::uint64_t calls = 0; calls < 12; ++calls) {
    SimDisk disk;
    ASSERT_TRUE(disk.MakeFolders(kFolder).ok());
    std::vector<seal::TransportKey> ended;
    for (int i = 0; i < 2; ++i) {
      ended.push_back(*seal::MakeTransportKey(disk, kFolder, kNow, kNow + kDay, false));
    }
    const auto kept = *seal::MakeTransportKey(disk, kFolder, kNow, kNow + kDay + kDay, false);
    {
      TransportKeys keys(disk, kFolder);
      ASSERT_TRUE(keys.Reload().ok());
      disk.FailAfter(calls);
      (void)DestroyExpiredTransportKeys(keys, kNow + kDay + kKeepFor, kKeepFor);
      EXPECT_EQ(keys.Find(ended[0].id), nullptr) << "in memory at once";
      disk.FailNever();
    }
    disk.Crash(calls);
    TransportKeys keys(disk, kFolder);
    (void)keys.Reload();  // one may be overwritten and still there
    ASSERT_TRUE(DestroyExpiredTransportKeys(keys, kNow + kDay + kKeepFor, kKeepFor).ok()) << calls;
    EXPECT_EQ(disk.List(kFolder)->size(), 1u) << calls;
    EXPECT_NE(keys.Find(kept.id), nullptr) << calls;
  }
}

TEST_F(TransportKeysTest, AFileThatIsNoKeyIsToldAndLeftAlone) {
  const seal::TransportKey key = Make(kNow + kDay);
  const std::string bytes = *ReadWholeFile(disk_, FileOf(key));
  ASSERT_TRUE(WriteFileDurably(disk_, kFolder + "/0011223344556677.key", bytes).ok());
  ASSERT_TRUE(WriteFileDurably(disk_, kFolder + "/nonsense.key", "?").ok());
  TransportKeys keys(disk_, kFolder);
  EXPECT_FALSE(keys.Reload().ok());
  EXPECT_EQ(keys.size(), 1u);
  ASSERT_TRUE(DestroyExpiredTransportKeys(keys, kNow, kKeepFor).ok());
  EXPECT_EQ(disk_.List(kFolder)->size(), 3u);
}

}  // namespace
}  // namespace telltale::vault
