#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/cell.h"
#include "base/checksum.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/counters.h"
#include "base/local_socket.h"
#include "base/random.h"

namespace telltale {
namespace {

// A test with a folder of its own, which goes when the test ends.
class FolderTest : public testing::Test {
 protected:
  FolderTest() : folder_(MakeFolder()) {}
  ~FolderTest() override { std::filesystem::remove_all(folder_); }
  static std::string MakeFolder() {
    std::string pattern = testing::TempDir() + "/telltale-base-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    return pattern;
  }

  const std::string folder_;
};

class ConfigTest : public FolderTest {};
class LocalSocketTest : public FolderTest {};

TEST(ChecksumTest, AgreesWithThePublishedCrc32cVectors) {
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xE3069283u);
  EXPECT_EQ(Crc32c(AsBytes(std::string(32, '\0'))), 0x8A9136AAu);  // RFC 3720, B.4
  EXPECT_EQ(Crc32c(AsBytes("6789"), Crc32c(AsBytes("12345"))), Crc32c(AsBytes("123456789")));
}

TEST(VehicleRefTest, PartitionIsTheFirstEightBytesBigEndianModuloPartitions) {
  const auto ref = VehicleRef::FromHex("0000000000000105ffffffffffffffff");
  ASSERT_TRUE(ref.ok());
  EXPECT_EQ(ref->PartitionOf(64).value, 0x105 % 64);
  EXPECT_EQ(ref->ToHex(), "0000000000000105ffffffffffffffff");
}

TEST(VehicleRefTest, RefusesTextThatIsNotThirtyTwoHexDigits) {
  EXPECT_EQ(VehicleRef::FromHex("00").error().code, Code::kInvalid);
  EXPECT_EQ(VehicleRef::FromHex(std::string(32, 'g')).error().code, Code::kInvalid);
  EXPECT_EQ(VehicleRef::FromHex("abc").error().code, Code::kInvalid);
}

TEST(ByteReaderTest, ACutInputMakesEveryLaterReadFail) {
  std::string bytes;
  PutBlob(bytes, "hello");
  PutLe<std::uint32_t>(bytes, 7);
  ByteReader reader(std::string_view(bytes).substr(0, bytes.size() - 1));
  EXPECT_EQ(AsText(reader.TakeBlob()), "hello");
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.Get<std::uint32_t>(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.Get<std::uint8_t>(), 0u);
}

TEST(CellTest, ParentsAreExactAndLevelsAreRead) {
  const std::uint64_t leaf = 0x89c25a31c0000001ull | 1;
  ASSERT_TRUE(IsCellId(leaf));
  EXPECT_EQ(CellLevel(leaf), 30);
  const std::uint64_t parent = CellParent(leaf, 12);
  EXPECT_EQ(CellLevel(parent), 12);
  EXPECT_TRUE(IsCoarseEnough(parent));
  EXPECT_FALSE(IsCoarseEnough(CellParent(leaf, 13)));
  EXPECT_EQ(CellParent(parent, 9), CellParent(leaf, 9));
  EXPECT_FALSE(IsCellId(0));
}

TEST(ClockTest, FormatsMicrosecondsBeforeAndAfterTheEpoch) {
  EXPECT_EQ(FormatUtc(Micros{0}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(FormatUtc(Micros{-1}), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatUtc(Micros{1'764'000'000'123'456}), "2025-11-24T16:00:00.123456Z");
}

TEST_F(ConfigTest, WhatInitWritesIsReadBackTheSame) {
  PosixDisk disk;
  Config config;
  config.mqtt_port = 0;
  config.vault_policy = "/etc/vault-policy.yaml";
  ASSERT_TRUE(WriteFileDurably(disk, folder_ + "/telltale.yaml", config.ToYaml()).ok());
  const auto loaded = Config::Load(disk, folder_ + "/telltale.yaml", Environment{});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->ToYaml(), config.ToYaml());
}

TEST_F(ConfigTest, RefusesUnknownKeysAndACellFinerThanLevelTwelve) {
  PosixDisk disk;
  const auto load = [&](const std::string& text) {
    EXPECT_TRUE(WriteFileDurably(disk, folder_ + "/c.yaml", text).ok());
    return Config::Load(disk, folder_ + "/c.yaml", Environment{});
  };
  EXPECT_EQ(load("mqtt:\n  prot: 1\n").error().message,
            folder_ + "/c.yaml:2: unknown key mqtt.prot; did you mean mqtt.port?");
  EXPECT_EQ(load("privacy:\n  cell_level: 13\n").error().code, Code::kInvalid);
  EXPECT_EQ(load("vault:\n  window_days: 63\n").error().code, Code::kInvalid);
  EXPECT_EQ(load("log: [").error().code, Code::kInvalid);
}

TEST_F(LocalSocketTest, CarriesFramesAndNamesThePeer) {
  const std::string path = folder_ + "/s.sock";
  auto listener = LocalListener::Listen(path, 0600);
  ASSERT_TRUE(listener.ok());
  auto client = LocalConnection::Connect(path);
  ASSERT_TRUE(client.ok());
  auto server = listener->Accept(std::chrono::seconds(5));
  ASSERT_TRUE(server.ok() && server->has_value());
  ASSERT_TRUE(client->Send("question").ok());
  const auto frame = (**server).Receive(std::chrono::seconds(5));
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(**frame, "question");
  EXPECT_EQ((**server).PeerUid(), getuid());
}

TEST_F(LocalSocketTest, AHugeAnnouncedFrameIsRefusedBeforeMemoryIsTaken) {
  const std::string path = folder_ + "/s.sock";
  auto listener = LocalListener::Listen(path, 0600);
  auto client = LocalConnection::Connect(path);
  auto server = listener->Accept(std::chrono::seconds(5));
  const std::uint32_t huge = 0xFFFFFFFF;
  ASSERT_EQ(write(client->fd(), &huge, 4), 4);
  EXPECT_EQ((**server).Receive(std::chrono::seconds(5)).error().code, Code::kTooBig);
}

TEST(CountersTest, EveryDropIsNamedWithItsReason) {
  Counters counters;
  counters.Drops("gateway", Reason::kTopic).Add(2);
  EXPECT_NE(counters.ToJson().find("\"drops_total.gateway.topic\": 2"), std::string::npos);
}

TEST(RandomTest, TheSameSeedGivesTheSameBytes) {
  SeededRandom a(7);
  SeededRandom b(7);
  EXPECT_EQ(a.NextU64(), b.NextU64());
  EXPECT_LT(a.Below(10), 10u);
}

TEST(ResultTest, AKindIsFoundAgainByItsName) {
  for (int n = 0; n <= static_cast<int>(Code::kOutcomeUnknown); ++n) {
    EXPECT_EQ(CodeFromName(CodeName(static_cast<Code>(n))), static_cast<Code>(n));
  }
  EXPECT_EQ(CodeFromName("of_tomorrow"), Code::kUnavailable);
}

}  // namespace
}  // namespace telltale
