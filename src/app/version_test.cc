#include "app/version.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/bytes.h"
#include "base/format_version.h"
#include "base/sim_disk.h"
#include "gateway/streams.h"
#include "log/batch.h"
#include "log/log.h"

namespace telltale::app {
namespace {

TEST(VersionTest, TheTextHasALineForEachFormatAndTheJsonSaysTheSame) {
  const std::string text = VersionText();
  EXPECT_TRUE(text.starts_with("telltale " TELLTALE_VERSION "\ncommit ")) << text;
  const nlohmann::json json = VersionJson();
  ASSERT_EQ(json.at("formats").size(), kFormats.size());
  for (const auto& one : json.at("formats")) {
    EXPECT_NE(text.find("\n" + one.at("name").get<std::string>() + " "), std::string::npos) << one;
  }
  EXPECT_EQ(json.at("commit"), BuildCommit());
  EXPECT_FALSE(BuildCommit().empty());
}

TEST(VersionTest, TheDocsHaveARowForEachFormatWithTheseVersions) {
  std::stringstream page;
  page << std::ifstream(TELLTALE_SOURCE_DIR "/docs/versions.md").rdbuf();
  for (const FormatVersion& one : kFormats) {
    const std::string text = page.str();
    const std::size_t at = text.find("\n| " + std::string(one.name) + " | ");
    ASSERT_NE(at, std::string::npos) << one.name;
    const std::string row = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    const std::string versions = " | " + std::to_string(one.written) + ", " +
                                 std::to_string(one.reads) + ", " + std::to_string(one.min_reader) +
                                 " | ";
    EXPECT_NE(row.find(versions), std::string::npos) << row;
  }
}

// version and minimum reader, side by side in a head.
void ExpectHead(Disk& disk, const std::string& path, std::size_t at, Format format) {
  const auto file = ReadWholeFile(disk, path);
  ASSERT_TRUE(file.ok()) << path;
  ASSERT_GE(file->size(), at + 4) << path;
  EXPECT_EQ(GetLe<std::uint16_t>(file->data() + at), VersionOf(format).written) << path;
  EXPECT_EQ(GetLe<std::uint16_t>(file->data() + at + 2), VersionOf(format).min_reader) << path;
}

TEST(VersionTest, TheLogWritesTheVersionsOfTheList) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/log").ok());
  log::LogOptions options;
  options.dir = "/log";
  options.streams = gateway::StreamNames();
  options.partitions = 1;
  options.shards = 1;
  options.segment_bytes = 64u << 10;
  options.unsynced_bytes_max = 1u << 20;
  const auto log = log::Log::Open(disk, options);
  ASSERT_TRUE(log.ok()) << log.error().ToString();
  log::BatchBuilder batch(PartitionId{0});
  batch.Add({}, "1.0.0", AsBytes("x"));
  const log::ShardWriter::Staged staged{gateway::kSafety, &batch};
  ASSERT_TRUE((*log)->shard(ShardId{0}).Append({&staged, 1}).ok());
  ASSERT_TRUE((*log)->shard(ShardId{0}).SyncNow().ok());
  const log::Position position{.next = {Offset{1}}};
  ASSERT_TRUE(log::SavePosition(disk, "/positions", "lake", "safety", ShardId{0}, position).ok());
  ExpectHead(disk, "/log/durable.map", 16, Format::kDurableMap);
  ExpectHead(disk, "/log/safety/shard-0/00000000000000000001.seg", 16, Format::kSegment);
  ExpectHead(disk, "/log/ledger", 8, Format::kLedger);
  ExpectHead(disk, "/positions/lake/safety-0", 8, Format::kPosition);
  EXPECT_EQ(log::kBatchVersion, VersionOf(Format::kBatch).written);
}

}  // namespace
}  // namespace telltale::app
