// The release and the config record of an earlier version (tests/compat) are what they were.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "control/config_record.h"
#include "control/release.h"

namespace telltale::control {
namespace {

namespace fs = std::filesystem;

class GoldenTest : public testing::TestWithParam<std::string> {
 protected:
  GoldenTest() : folder_(MakeFolder()), paths_(folder_) {
    const fs::path set = fs::path(TELLTALE_SOURCE_DIR) / "tests" / "compat" / GetParam();
    for (const char* format : {"release", "config-record", "keys"}) {
      fs::copy(set / format, folder_,
               fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    }
  }
  ~GoldenTest() override { fs::remove_all(folder_); }
  static std::string MakeFolder() {
    std::string pattern = testing::TempDir() + "/golden-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    return pattern;
  }

  PosixDisk disk_;
  const std::string folder_;
  const Paths paths_;
};

TEST_P(GoldenTest, ItsConfigIsSignedByItsControlAndNamesAReleaseThatIsWhole) {
  const auto record = ReadWholeFile(disk_, FirstConfigPath(paths_));
  ASSERT_TRUE(record.ok());
  const auto in_force =
      VerifyConfig(*record, *seal::LoadKey(disk_, paths_.keys() + "/control.pub"));
  ASSERT_TRUE(in_force.ok()) << in_force.error().ToString();
  EXPECT_EQ(in_force->config_seq, ConfigSeq{1});
  EXPECT_EQ(in_force->environment, "local");
  EXPECT_EQ(in_force->contract_number, 1u);
  const auto release = LoadRelease(disk_, paths_, in_force->stable_release);
  ASSERT_TRUE(release.ok()) << release.error().ToString();
  EXPECT_EQ(release->components.at("contract"), in_force->contract_digest);
  EXPECT_TRUE(release->components.contains("rules"));
  EXPECT_TRUE(release->components.contains("engine"));
}

INSTANTIATE_TEST_SUITE_P(Versions, GoldenTest, testing::Values("v1", "v2", "v3"),
                         [](const auto& version) { return version.param; });

}  // namespace
}  // namespace telltale::control
