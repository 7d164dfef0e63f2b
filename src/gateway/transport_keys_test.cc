#include "gateway/transport_keys.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"

namespace telltale::gateway {
namespace {

constexpr Micros kNow{1'764'000'000'000'000};
constexpr Micros kDay = Micros::Seconds(86'400);

class TransportKeysTest : public testing::Test {
 protected:
  TransportKeysTest() {
    EXPECT_TRUE(disk_.MakeFolders("/keys").ok());
    EXPECT_TRUE(disk_.MakeFolders("/vault").ok());
  }
  void StoreOfflineKey() {
    EXPECT_TRUE(seal::StoreKey(disk_, "/keys/vault_offline.pub", offline_.public_raw, false).ok());
  }
  // A bundle with one key of its own; returns that key.
  std::string Install(std::uint64_t number, Micros from, Micros to) {
    const auto key = seal::MakeTransportKey(disk_, "/vault", from, to, false);
    const std::string bytes =
        *seal::SignBundle(seal::EncodeUnsigned({number, kNow, {*key}}), offline_.private_raw);
    EXPECT_TRUE(WriteFileDurably(disk_, "/keys/transport.bundle", bytes).ok());
    return std::string(AsText(key->public_raw));
  }
  std::unique_ptr<TransportKeys> New() {
    auto keys = std::make_unique<TransportKeys>(TransportKeys::Files{"/keys", "/log/seen"}, disk_,
                                                clock_, counters_);
    keys->Refresh();
    return keys;
  }
  std::uint64_t Count(const char* name) { return counters_.Get(name).value(); }

  SimDisk disk_;
  ManualClock clock_{kNow};
  Counters counters_;
  seal::KeyPair offline_ = *seal::MakeEd25519();
};

TEST_F(TransportKeysTest, AnInstallationWithoutAnOfflineKeySealsForItsUndatedKey) {
  const std::string old = seal::MakeX25519()->public_raw;
  ASSERT_TRUE(seal::StoreKey(disk_, "/keys/vault_seal.pub", old, false).ok());
  const auto keys = New();
  EXPECT_EQ(keys->PublicAt(kNow), old);
  // `rotate` writes the bundle first, then the offline key: at no time is there none.
  const std::string dated = Install(1, kNow, kNow + kDay);
  keys->Refresh();
  EXPECT_EQ(keys->PublicAt(kNow), old);
  StoreOfflineKey();
  keys->Refresh();
  EXPECT_EQ(keys->PublicAt(kNow), dated);
  EXPECT_EQ(keys->PublicAt(kNow + kDay), "") << "never back to the key without an end";
}

TEST_F(TransportKeysTest, WithAnOfflineKeyButNoBundleNothingIsSealedNotEvenForAnUndatedKey) {
  ASSERT_TRUE(
      seal::StoreKey(disk_, "/keys/vault_seal.pub", seal::MakeX25519()->public_raw, false).ok());
  StoreOfflineKey();
  EXPECT_FALSE(New()->has_key());
  EXPECT_EQ(Count("transport_keys_missing"), 1u);
}

TEST_F(TransportKeysTest, ABundleThatIsNoGoodLeavesTheFormerInForceAndIsCounted) {
  StoreOfflineKey();
  const std::string good = Install(5, kNow, kNow + kDay);
  const auto keys = New();
  EXPECT_EQ(keys->PublicAt(kNow), good);
  const auto refuses = [&] {
    const std::uint64_t before = Count("transport_bundles_refused");
    keys->Refresh();
    return Count("transport_bundles_refused") == before + 1 && keys->PublicAt(kNow) == good;
  };
  Install(4, kNow, kNow + kDay);
  EXPECT_TRUE(refuses()) << "a lower number";
  Install(5, kNow, kNow + kDay);
  EXPECT_TRUE(refuses()) << "the same number, another bundle";
  const seal::KeyPair mine = std::exchange(offline_, *seal::MakeEd25519());
  Install(6, kNow, kNow + kDay);
  EXPECT_TRUE(refuses()) << "a stranger's signature";
  offline_ = mine;
  ASSERT_TRUE(WriteFileDurably(disk_, "/keys/transport.bundle", "torn").ok());
  EXPECT_TRUE(refuses()) << "torn";
  ASSERT_TRUE(disk_.Remove("/keys/transport.bundle").ok());
  EXPECT_TRUE(refuses()) << "gone";
  const std::string next = Install(6, kNow, kNow + kDay);
  keys->Refresh();
  EXPECT_EQ(keys->PublicAt(kNow), next);
}

TEST_F(TransportKeysTest, ALowerNumberIsRefusedAfterARestartToo) {
  StoreOfflineKey();
  const std::string older = *[&] {
    Install(4, kNow, kNow + kDay);
    return ReadWholeFile(disk_, "/keys/transport.bundle");
  }();
  const std::string good = Install(5, kNow, kNow + kDay);
  const std::string newer = *ReadWholeFile(disk_, "/keys/transport.bundle");
  EXPECT_EQ(New()->PublicAt(kNow), good);
  ASSERT_TRUE(WriteFileDurably(disk_, "/keys/transport.bundle", older).ok());
  disk_.Crash(3);
  EXPECT_FALSE(New()->has_key());
  ASSERT_TRUE(WriteFileDurably(disk_, "/keys/transport.bundle", newer).ok());
  EXPECT_EQ(New()->PublicAt(kNow), good) << "the same bundle again is no replay";
}

TEST_F(TransportKeysTest, GaugesTellHowLongThereAreKeysAndThatThereAreNone) {
  StoreOfflineKey();
  Install(1, kNow, kNow + Micros{20 * kDay.value});
  const auto keys = New();
  EXPECT_EQ(Count("transport_keys_days_left"), 20u);
  clock_.Advance(Micros{19 * kDay.value});
  keys->Refresh();
  EXPECT_EQ(Count("transport_keys_days_left"), 1u);
  EXPECT_EQ(Count("transport_keys_missing"), 0u);
  clock_.Advance(kDay);
  keys->Refresh();
  EXPECT_EQ(Count("transport_keys_days_left"), 0u);
  EXPECT_EQ(Count("transport_keys_missing"), 1u);
}

}  // namespace
}  // namespace telltale::gateway
