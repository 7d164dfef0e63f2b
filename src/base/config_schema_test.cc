#include "base/config_schema.h"

#include <gtest/gtest.h>

#include <set>

#include "base/config_reference.h"

namespace telltale {
namespace {

TEST(ConfigSchemaTest, EveryDefaultIsAllowed) {
  const Config fresh;
  for (const ConfigKey& key : ConfigKeys()) {
    Config config;
    const Status set = SetConfig(key, ConfigText(key, fresh), config);
    EXPECT_TRUE(set.ok()) << set.error().message;
  }
}

// A bound that the member's type cannot hold would store another number than was written.
TEST(ConfigSchemaTest, BothBoundsOfANumberAreKeptAndTheNumbersBeyondRefused) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.kind != ConfigKind::kNumber) continue;
    Config config;
    for (const std::uint64_t bound : {key.low, key.high}) {
      ASSERT_TRUE(SetConfig(key, std::to_string(bound), config).ok()) << key.FullName();
      EXPECT_EQ(ConfigText(key, config), std::to_string(bound));
    }
    const std::string before = ConfigText(key, config);
    EXPECT_FALSE(SetConfig(key, std::to_string(key.high + 1), config).ok()) << key.FullName();
    if (key.low > 0) {
      EXPECT_FALSE(SetConfig(key, std::to_string(key.low - 1), config).ok()) << key.FullName();
    }
    EXPECT_EQ(ConfigText(key, config), before);
  }
}

TEST(ConfigSchemaTest, NamesAreUniqueAsKeysAndAsVariables) {
  std::set<std::string> names;
  std::set<std::string> variables;
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_TRUE(names.insert(key.FullName()).second) << key.FullName();
    EXPECT_TRUE(variables.insert(key.EnvironmentName()).second) << key.EnvironmentName();
    EXPECT_FALSE(IsOtherVariable(key.EnvironmentName())) << key.EnvironmentName();
    // A variable's section ends at the first underscore.
    EXPECT_EQ(key.section.find('_'), std::string_view::npos);
    EXPECT_FALSE(key.meaning.empty()) << key.FullName();
  }
}

// Else the file that `init` writes would name a section twice.
TEST(ConfigSchemaTest, KeysOfASectionStandTogether) {
  std::set<std::string_view> seen;
  std::string_view last = "-";
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section == last) continue;
    EXPECT_TRUE(seen.insert(key.section).second) << key.section;
    last = key.section;
  }
  EXPECT_EQ(last, "");
}

TEST(ConfigSchemaTest, ARefusalSaysWhatIsAllowedAndWhatWasGiven) {
  Config config;
  const auto refusal = [&](const char* section, const char* name, std::string_view text) {
    const Status set = SetConfig(*FindConfigKey(section, name), text, config);
    return set.ok() ? "" : set.error().message;
  };
  EXPECT_EQ(refusal("mqtt", "port", "70000"),
            "mqtt.port must be a whole number from 0 to 65535, but is 70000");
  EXPECT_EQ(refusal("mqtt", "port", "0x10"),
            "mqtt.port must be a whole number from 0 to 65535, but is \"0x10\"");
  EXPECT_EQ(refusal("logging", "level", "loud"),
            "logging.level must be one of trace, debug, info, warn, error, but is \"loud\"");
  EXPECT_EQ(refusal("feed", "listen", "a\nb"),
            "feed.listen must be a text of 1 to 255 bytes on one line, but is \"a\\x0ab\"");
}

TEST(ConfigNearestTest, OneSlipIsUnderstoodAndAnotherWordIsNot) {
  struct Case {
    const char* section;
    const char* name;
    const char* meant;  // "" = nothing is suggested
  };
  for (const Case& c : std::initializer_list<Case>{
           {"mqtt", "prot", "mqtt.port"},   // swapped
           {"mqtt", "prt", "mqtt.port"},    // left out
           {"mqtt", "porrt", "mqtt.port"},  // added
           {"mqtt", "vehicle_byte_per_s", "mqtt.vehicle_bytes_per_s"},
           {"mqqt", "port", "mqtt.port"},             // in the section
           {"mqqt", "prot", "mqtt.port"},             // in both
           {"vault", "cadence_s", "lake.cadence_s"},  // in another section
           {"", "user", "users"},
           {"", "cell_level", "privacy.cell_level"},
           {"log", "port", ""},  // three sections have one
           {"mqtt", "colour", ""},
           {"", "x", ""},
           {"zebra", "crossing", ""},
       }) {
    const ConfigKey* key = NearestConfigKey(c.section, c.name);
    EXPECT_EQ(key == nullptr ? "" : key->FullName(), c.meant) << c.section << "." << c.name;
  }
  EXPECT_EQ(NearestConfigSection("operation"), "operations");
  EXPECT_EQ(NearestConfigSection("zebra"), "");
  EXPECT_EQ(NearestConfigKey("mqtt", std::string(1 << 20, 'p')), nullptr);
}

TEST(ConfigReferenceTest, NamesEveryKeyWithItsVariable) {
  const std::string page = ConfigReference();
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_NE(page.find("| `" + key.FullName() + "` |"), std::string::npos) << key.FullName();
    EXPECT_NE(page.find("`" + key.EnvironmentName() + "`"), std::string::npos);
  }
}

}  // namespace
}  // namespace telltale
