#include "app/transport_keys.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/sim_disk.h"

namespace telltale::app {
namespace {

constexpr Micros kNow{1'764'000'000'000'000};
constexpr std::int64_t kDayUs = 86'400 * 1'000'000ll;
Micros Days(std::int64_t days) { return kNow + Micros{days * kDayUs}; }

class TransportKeysTest : public testing::Test {
 protected:
  TransportKeysTest() {
    std::string pattern = testing::TempDir() + "/transport-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    paths_ = Paths(pattern);
    EXPECT_TRUE(disk_.MakeFolders(paths_.keys(), 0755).ok());
    EXPECT_TRUE(disk_.MakeFolders(paths_.vault() + "/keys/transport", 0700).ok());
    EXPECT_TRUE(MakeTransportKeys(disk_, paths_, kNow, false).ok());
  }
  ~TransportKeysTest() override { std::filesystem::remove_all(paths_.root); }
  std::string Sign(const seal::TransportBundle& bundle) {
    const std::string key = *seal::LoadKey(disk_, OfflinePrivatePath(paths_));
    return *seal::SignBundle(seal::EncodeUnsigned(bundle), key);
  }

  PosixDisk disk_;
  Paths paths_{""};
};

TEST_F(TransportKeysTest, AnInstallationBeginsWithNinetyDaysAndIsToldTwoWeeksBeforeTheirEnd) {
  const auto bundle = LoadBundle(disk_, paths_);
  ASSERT_TRUE(bundle.ok()) << bundle.error().ToString();
  EXPECT_EQ(bundle->number, 1u);
  ASSERT_EQ(bundle->keys.size(), 13u);
  EXPECT_EQ(bundle->CoveredUntil(kNow), Days(90));
  for (const seal::TransportKey& key : bundle->keys) {
    EXPECT_LE(key.not_after - key.not_before, Micros{7 * kDayUs}) << "a copy opens no longer";
  }
  EXPECT_EQ(TransportKeysWarning(disk_, paths_, Days(76)), "");
  EXPECT_NE(TransportKeysWarning(disk_, paths_, Days(77)).find("ends in 13 days"),
            std::string::npos);
  EXPECT_NE(TransportKeysWarning(disk_, paths_, Days(90)).find("not acknowledged"),
            std::string::npos);
}

TEST_F(TransportKeysTest, TheNextBundleKeepsWhatHasNotEndedAndRaisesTheNumber) {
  const auto first = *LoadBundle(disk_, paths_);
  const auto second = MakeNextBundle(disk_, paths_, first, {.now = Days(80)});
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->keys.size(), 1u + 13u) << "what had not begun is replaced";
  ASSERT_TRUE(InstallBundle(disk_, paths_, Sign(*second)).ok());
  EXPECT_EQ(TransportKeysWarning(disk_, paths_, Days(80)), "");
  const auto third = MakeNextBundle(disk_, paths_, *second, {.now = Days(90)});
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->number, 3u);
  EXPECT_EQ(third->keys.size(), 1u + 13u) << "the keys of the first bundle have ended";
  EXPECT_EQ(disk_.List(paths_.vault() + "/keys/transport")->size(), 3u * 13u);
}

TEST_F(TransportKeysTest, ABundleThatDoesNotFollowOrIsNotSignedIsNotInstalled) {
  const auto first = *LoadBundle(disk_, paths_);
  EXPECT_EQ(InstallBundle(disk_, paths_, Sign(first)).error().code, Code::kRefused);
  const auto next = *MakeNextBundle(disk_, paths_, first, {.now = kNow});
  EXPECT_EQ(InstallBundle(disk_, paths_, seal::EncodeUnsigned(next)).error().code, Code::kRefused);
  EXPECT_EQ(*LoadBundle(disk_, paths_), first);
}

}  // namespace
}  // namespace telltale::app
