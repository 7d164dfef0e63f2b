#include "log/kafka/settings.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"

namespace telltale::log::kafka {
namespace {

TEST(KafkaSettingsTest, PassesLibrdkafkasOwnThrough) {
  const auto settings = ParseSettings(
      "# the cluster's door\n\nsecurity.protocol=SASL_SSL\r\n  sasl.mechanisms = PLAIN \n"
      "sasl.password=a=b #c\nsocket.timeout.ms=5000",
      "kafka.conf");
  ASSERT_TRUE(settings.ok()) << settings.error().ToString();
  EXPECT_EQ(*settings, (Settings{{"security.protocol", "SASL_SSL"},
                                 {"sasl.mechanisms", "PLAIN"},
                                 {"sasl.password", "a=b #c"},
                                 {"socket.timeout.ms", "5000"}}));
}

TEST(KafkaSettingsTest, RefusesWhatDecidesWhetherAnAcknowledgementIsTrue) {
  for (const char* const key :
       {"acks", "enable.idempotence", "bootstrap.servers", "auto.offset.reset", "group.id",
        "enable.auto.commit", "isolation.level", "transactional.id", "message.timeout.ms",
        "request.required.acks", "allow.auto.create.topics", "plugin.library.paths"}) {
    const auto settings = ParseSettings(std::string("\n") + key + "=1", "kafka.conf");
    ASSERT_FALSE(settings.ok()) << key;
    EXPECT_EQ(settings.error().code, Code::kInvalid);
    EXPECT_EQ(settings.error().message,
              std::string("kafka.conf line 2: ") + key + " is set by Telltale; take it out");
  }
}

TEST(KafkaSettingsTest, NamesTheLineOfAMistakeAndNeverAValue) {
  const auto refusal = [](std::string_view text) {
    const auto settings = ParseSettings(text, "kafka.conf");
    return settings.ok() ? std::string("taken") : settings.error().message;
  };
  EXPECT_EQ(refusal("client.id=a\nsecurity.protocol"), "kafka.conf line 2: a line is key=value");
  EXPECT_EQ(refusal("client.id=a\nclient.id=b"), "kafka.conf line 2: client.id is there twice");
  EXPECT_NE(refusal("sasl.pasword=hunter2").find("sasl.pasword"), std::string::npos);
  for (const char* const text : {"sasl.pasword=hunter2", "security.protocol=hunter2",
                                 "socket.timeout.ms=hunter2", "ssl.ca.pem=hunter2"}) {
    EXPECT_EQ(refusal(text).find("hunter2"), std::string::npos) << refusal(text);
  }
}

TEST(KafkaSettingsTest, NoFileIsNoSettingsAndAMissingOneIsAnError) {
  SimDisk disk;
  EXPECT_TRUE(ReadSettings(disk, "").value().empty());
  EXPECT_EQ(ReadSettings(disk, "/none").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace telltale::log::kafka
