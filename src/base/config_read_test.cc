#include "base/config_read.h"

#include <gtest/gtest.h>

#include "base/config_rules.h"
#include "base/config_schema.h"
#include "base/sim_disk.h"

namespace telltale {
namespace {

ConfigReading Read(std::string_view text, Environment environment = {},
                   std::vector<std::string> settings = {}) {
  return ReadConfigText(text, {.path = "/t/telltale.yaml",
                               .environment = std::move(environment),
                               .settings = std::move(settings)});
}

std::vector<std::string> Mistakes(const ConfigReading& reading) {
  std::vector<std::string> lines;
  for (const ConfigMistake& mistake : reading.mistakes) lines.push_back(mistake.ToString());
  return lines;
}

using Lines = std::vector<std::string>;

std::string OriginOf(const ConfigReading& reading, const char* section, const char* name) {
  const ConfigKey* key = FindConfigKey(section, name);
  return reading.origins[static_cast<std::size_t>(key - ConfigKeys().data())];
}

TEST(ConfigReadTest, EveryMistakeIsReportedAtOnceWithItsLine) {
  EXPECT_EQ(Mistakes(Read("mqtt:\n"
                          "  port: 70000\n"
                          "  prot: 1\n"
                          "mqqt:\n"
                          "  port: 1\n"
                          "lake: 5\n"
                          "vault:\n"
                          "  policy: {a: 1}\n"
                          "log:\n"
                          "  shards:\n"
                          "user: auto\n")),
            (Lines{
                "/t/telltale.yaml:2: mqtt.port must be a whole number from 0 to 65535, but is "
                "70000",
                "/t/telltale.yaml:3: unknown key mqtt.prot; did you mean mqtt.port?",
                "/t/telltale.yaml:4: unknown section mqqt; did you mean mqtt?",
                "/t/telltale.yaml:6: lake must be a map of keys, but is \"5\"",
                "/t/telltale.yaml:8: vault.policy must be a path, or \"\", but is a map",
                "/t/telltale.yaml:10: log.shards must be a whole number from 1 to 64, but is "
                "empty",
                "/t/telltale.yaml:11: unknown key user; did you mean users?",
            }));
}

TEST(ConfigReadTest, AKeyOrSectionGivenTwiceIsAMistake) {
  EXPECT_EQ(Mistakes(Read("lake:\n  cadence_s: 1\n  cadence_s: 2\nusers: auto\nlake:\n")),
            (Lines{"/t/telltale.yaml:3: lake.cadence_s is given twice; first in line 2",
                   "/t/telltale.yaml:5: lake is given twice; first in line 1"}));
}

TEST(ConfigReadTest, WhatIsNotYamlNamesTheLine) {
  EXPECT_EQ(Mistakes(Read("mqtt:\n  port: 1\nlog: [\n")).size(), 1u);
  EXPECT_EQ(Mistakes(Read("mqtt:\n  port: 1\n    listen: x\n")),
            (Lines{"/t/telltale.yaml:3: not YAML: illegal map value"}));
  EXPECT_EQ(Mistakes(Read("mqtt:\n\tport: 1\n# \t\n\t# a comment may\n")),
            (Lines{"/t/telltale.yaml:2: indented with a tab; use spaces"}));
  EXPECT_EQ(Mistakes(Read("users: auto\n---\nusers: single\n")),
            (Lines{"/t/telltale.yaml:2: a second document; everything stands in one"}));
  for (const char* text : {"", "# nothing\n", "- a\n", "text\n"}) {
    EXPECT_EQ(Mistakes(Read(text)).size(), 1u) << text;
  }
}

TEST(ConfigReadTest, ASectionWithoutKeysAndMissingKeysLeaveTheDefaults) {
  const ConfigReading reading = Read("mqtt:\nlake:\n  cadence_s: 7\n");
  EXPECT_EQ(Mistakes(reading), Lines{});
  Config expected;
  expected.lake_cadence_s = 7;
  EXPECT_EQ(reading.config.ToYaml(), expected.ToYaml());
}

TEST(ConfigReadTest, AFlagComesBeforeAVariableBeforeTheFileBeforeTheDefault) {
  const ConfigReading reading =
      Read("mqtt:\n  port: 1\n  listen: ::1\nlake:\n  cadence_s: 1\n",
           {{"TELLTALE_MQTT_PORT", "2"}, {"TELLTALE_LAKE_CADENCE_S", "2"}}, {"mqtt.port=3"});
  ASSERT_EQ(Mistakes(reading), Lines{});
  EXPECT_EQ(reading.config.mqtt_port, 3);
  EXPECT_EQ(reading.config.lake_cadence_s, 2u);
  EXPECT_EQ(reading.config.mqtt_listen, "::1");
  EXPECT_EQ(OriginOf(reading, "mqtt", "port"), "flag --set mqtt.port");
  EXPECT_EQ(OriginOf(reading, "lake", "cadence_s"), "env TELLTALE_LAKE_CADENCE_S");
  EXPECT_EQ(OriginOf(reading, "mqtt", "listen"), "/t/telltale.yaml:3");
  EXPECT_EQ(OriginOf(reading, "feed", "port"), "default");
}

TEST(ConfigReadTest, AVariableThatLooksLikeAKeyIsAMistakeAndAnotherOnlyAWarning) {
  const ConfigReading reading = Read("users: auto\n", {{"TELLTALE_DATA", "/x"},
                                                       {"TELLTALE_LAKE", "ON"},
                                                       {"TELLTALE_LOG_LEVEL", "info"},
                                                       {"TELLTALE_MQT_PORT", "1"},
                                                       {"TELLTALE_MQTT_COLOUR", "1"},
                                                       {"HOME", "/"}});
  EXPECT_EQ(
      Mistakes(reading),
      (Lines{"env TELLTALE_LOG_LEVEL: no key has this name; did you mean TELLTALE_LOGGING_LEVEL?",
             "env TELLTALE_MQTT_COLOUR: no key has this name",
             "env TELLTALE_MQT_PORT: no key has this name; did you mean TELLTALE_MQTT_PORT?"}));
  ASSERT_EQ(reading.warnings.size(), 1u);
  EXPECT_EQ(reading.warnings[0].where, "env TELLTALE_LAKE");
}

TEST(ConfigReadTest, AFlagThatIsNoSettingIsAMistake) {
  EXPECT_EQ(Mistakes(Read("users: auto\n", {},
                          {"mqtt.port", "mqtt.prot=1", "mqtt.port=x", "feed.port=0", "feed.port=1",
                           "=", "environment.kind=a=b"})),
            (Lines{"flag --set mqtt.port: must be section.key=value",
                   "flag --set mqtt.prot: unknown key mqtt.prot; did you mean mqtt.port?",
                   "flag --set mqtt.port: mqtt.port must be a whole number from 0 to 65535, but "
                   "is \"x\"",
                   "flag --set feed.port: is given twice", "flag --set \"\": unknown key \"\"",
                   "flag --set environment.kind: environment.kind must be one of dev, staging, "
                   "prod, but is \"a=b\""}));
}

TEST(ConfigReadTest, WhatInitFixedIsNotChangedFromOutsideTheFile) {
  const std::string file = "log:\n  partitions: 8\n";
  EXPECT_EQ(Mistakes(Read(file, {{"TELLTALE_LOG_PARTITIONS", "16"}})),
            (Lines{"env TELLTALE_LOG_PARTITIONS: log.partitions is fixed by `telltale init`; here "
                   "it is \"8\""}));
  EXPECT_EQ(Mistakes(Read(file, {{"TELLTALE_LOG_PARTITIONS", "8"}})), Lines{});
}

TEST(ConfigReadTest, RelativePathsAreRelativeToTheFilesFolder) {
  const ConfigReading reading =
      Read("mqtt:\n  client_ca: ca/fleet.crt\nfeed:\n  tls_certificate: /etc/x.crt\n", {},
           {"feed.token_file=token"});
  EXPECT_EQ(reading.config.mqtt_client_ca, "/t/ca/fleet.crt");
  EXPECT_EQ(reading.config.feed_tls_certificate, "/etc/x.crt");
  EXPECT_EQ(reading.config.feed_token_file, "/t/token");
  EXPECT_EQ(reading.config.feed_tls_key, "");
}

TEST(ConfigReadTest, ShardsMustNotExceedPartitions) {
  EXPECT_EQ(Mistakes(Read("log:\n  partitions: 1\n")),
            (Lines{"/t/telltale.yaml:2: log.shards must not exceed log.partitions, but 2 is more "
                   "than 1"}));
}

TEST(ConfigReadTest, AProdEnvironmentMustTellWhatItSees) {
  EXPECT_TRUE(Mistakes(Read("environment:\n  kind: staging\n  side_effects: \"off\"\n")).empty());
  EXPECT_EQ(Mistakes(Read("environment:\n  kind: prod\n  side_effects: \"off\"\n")),
            (Lines{"/t/telltale.yaml:3: environment.side_effects off is for environments that no "
                   "car depends on: one of kind prod must tell what it sees"}));
}

TEST(ConfigReadTest, AListenerThatOthersReachNeedsTlsAndAToken) {
  for (const std::string section : {"feed", "operations"}) {
    const std::string start = section + ":\n  listen: 0.0.0.0\n";
    const ConfigReading open = Read(start);
    ASSERT_EQ(open.mistakes.size(), 1u);
    EXPECT_EQ(open.mistakes[0].ToString(),
              "/t/telltale.yaml:2: " + section +
                  ".listen \"0.0.0.0\" can be reached from elsewhere, which needs TLS and a token: "
                  "set " +
                  section + ".tls_certificate, " + section + ".tls_key, " + section +
                  ".token_file, or listen on 127.0.0.1");
    const std::string tls = "  tls_certificate: c\n  tls_key: k\n";
    EXPECT_EQ(Read(start + tls).mistakes.size(), 1u);
    EXPECT_EQ(Mistakes(Read(start + tls + "  token_file: t\n")), Lines{});
    EXPECT_EQ(Mistakes(Read(section + ":\n  tls_key: k\n")),
              (Lines{"/t/telltale.yaml:2: " + section + ".tls_key needs " + section +
                     ".tls_certificate as well"}));
  }
}

TEST(ConfigRulesTest, OnlyThisMachineIsLoopback) {
  for (const char* listen : {"127.0.0.1", "127.8.9.10", "::1", "localhost"}) {
    EXPECT_TRUE(IsLoopback(listen)) << listen;
  }
  for (const char* listen : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "127.0.0.1.example.org", "",
                             "127.1", "::ffff:10.0.0.1"}) {
    EXPECT_FALSE(IsLoopback(listen)) << listen;
  }
}

TEST(ConfigReadTest, WhatIsWrittenIsReadBackTheSame) {
  Config config;
  config.environment_name = "a: \"b\" \\ # c, null";
  config.environment_kind = "prod";
  config.mqtt_client_ca = "/with space/ca.crt";
  config.feed_listen = "::";
  config.feed_tls_certificate = "/null";
  config.feed_tls_key = "/k";
  config.feed_token_file = "/~";
  config.vault_policy = "/etc/vault policy.yaml";
  const ConfigReading reading = Read(config.ToYaml());
  EXPECT_EQ(Mistakes(reading), Lines{});
  EXPECT_EQ(reading.config.ToYaml(), config.ToYaml());
  EXPECT_EQ(reading.config.environment_name, config.environment_name);
  EXPECT_EQ(reading.config.vault_policy, config.vault_policy);
}

TEST(ConfigReadTest, AnchorsAndAliasesAreRefusedBecauseOneThatHoldsItselfIsNeverFreed) {
  for (const char* text : {"a: &x {b: *x}\n", "\n? &x [*x]\n: 1\n", "&x mqtt:\n  port: 1\n"}) {
    const ConfigReading reading = Read(text);
    ASSERT_EQ(reading.mistakes.size(), 1u) << text;
    EXPECT_NE(reading.mistakes[0].what.find("anchor"), std::string::npos) << text;
  }
}

// Found by config_fuzz: yaml-cpp finds documents without end behind it.
TEST(ConfigReadTest, ATextWithEndlessDocumentsIsOneMistake) {
  EXPECT_EQ(Read(",\xd6\x8e\x8b\x8b [:^ a\n").mistakes.size(), 1u);
}

TEST(ConfigReadTest, LoadGivesAllMistakesOfFileAndEnvironmentOneALine) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/t").ok());
  ASSERT_TRUE(WriteFileDurably(disk, "/t/telltale.yaml", "lake:\n  cadence_s: 0\n").ok());
  const auto refused = Config::Load(disk, "/t/telltale.yaml", {{"TELLTALE_FEED_PORT", "x"}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(refused.error().message,
            "/t/telltale.yaml:2: lake.cadence_s must be a whole number from 1 to 3600, but is 0\n"
            "env TELLTALE_FEED_PORT: feed.port must be a whole number from 0 to 65535, but is "
            "\"x\"");
  EXPECT_EQ(Config::Load(disk, "/t/other.yaml", Environment{}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace telltale
