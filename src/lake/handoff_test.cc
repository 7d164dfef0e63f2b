#include "lake/handoff.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"

namespace telltale::lake {
namespace {

Handoff Example() {
  Handoff handoff;
  handoff.number = 7;
  handoff.written_at = Micros{5};
  handoff.config = {3, 1, "digest", "release", "local"};
  handoff.from = {Offset{1}, Offset{2}};
  handoff.to = {Offset{4}, Offset{2}};
  handoff.positions = {std::string("\x01\xff", 2), ""};
  handoff.state_bytes = 20;
  handoff.state_crc32c = 0xdeadbeef;
  HandoffTable table;
  table.name = "telemetry";
  table.schema_json = R"({"type":"struct","schema-id":0,"fields":[]})";
  table.time_column = 2;
  table.time_column_name = "event_time";
  table.sort_columns = {10'100, 2};
  DataFile file;
  file.path = "warehouse/x.parquet";
  file.lower_bounds[10] = std::string("\x00\x01", 2);
  table.files.push_back(file);
  handoff.tables.push_back(table);
  return handoff;
}

TEST(HandoffTest, WhatTheLakeResumesFromIsReadBack) {
  const Handoff handoff = Example();
  const auto again = ParseHandoff(HandoffJson(handoff));
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_EQ(again->number, 7u);
  EXPECT_EQ(again->config, handoff.config);
  EXPECT_EQ(again->from, handoff.from);
  EXPECT_EQ(again->to, handoff.to);
  EXPECT_EQ(again->positions, handoff.positions);
  EXPECT_EQ(again->state_crc32c, handoff.state_crc32c);
  EXPECT_NE(HandoffJson(handoff).find(R"("lower_bounds":{"10":"0001"})"), std::string::npos);
}

TEST(HandoffTest, CutOrNewerHandoffsAreRefused) {
  const std::string json = HandoffJson(Example());
  for (std::size_t size = 0; size + 2 < json.size(); ++size) {
    EXPECT_EQ(ParseHandoff(json.substr(0, size)).error().code, Code::kCorrupt);
  }
  std::string newer = json;
  newer.replace(newer.find("\"version\":1"), 11, "\"version\":3");
  EXPECT_TRUE(ParseHandoff(newer).ok()) << "the minimum reader alone decides";
  newer.replace(newer.find("\"min_reader\":1"), 14, "\"min_reader\":2");
  EXPECT_EQ(ParseHandoff(newer).error().ToString(),
            "unsupported: the newest hand-off: made by format version 3, needs a reader of version "
            "2; this telltale reads up to 1: use a newer telltale");
  EXPECT_EQ(ParseHandoff("[]").error().code, Code::kCorrupt);
  EXPECT_EQ(ParseHandoff("{\"format\":\"other\"}").error().code, Code::kCorrupt);
}

TEST(HandoffTest, AStateFileIsWholeOrRefused) {
  const std::string file = StateFile(7, "body");
  EXPECT_EQ(*StateBody(7, file), "body");
  EXPECT_EQ(StateBody(8, file).error().code, Code::kCorrupt);
  for (std::size_t i = 0; i < file.size(); ++i) {
    EXPECT_FALSE(StateBody(7, std::string_view(file).substr(0, i)).ok());
    std::string flipped = file;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    EXPECT_FALSE(StateBody(7, flipped).ok()) << i;
  }
}

TEST(HandoffTest, ANewerStateFileIsRefusedWithTheVersionItNeeds) {
  std::string newer = StateFile(7, "body");
  newer[4] = 3;  // version
  newer[6] = 2;  // minimum reader
  EXPECT_EQ(StateBody(7, newer).error().ToString(),
            "unsupported: the lake's state: made by format version 3, needs a reader of version 2; "
            "this telltale reads up to 1: use a newer telltale");
}

TEST(HandoffTest, OnlyWhatLiesAboveTheNewestHandoffIsAnOrphan) {
  SimDisk disk;
  const std::string data = "/lake/warehouse/telemetry/data/event_time_day=2026-01-01";
  ASSERT_TRUE(disk.MakeFolders("/lake/handoff").ok());
  ASSERT_TRUE(disk.MakeFolders(data).ok());
  const std::string keep[] = {data + "/" + NumberName(7) + "-0.parquet", data + "/other.parquet",
                              StatePath("/lake/handoff", 7), HandoffPath("/lake/handoff", 7),
                              HandoffPath("/lake/handoff", 3)};
  const std::string orphans[] = {data + "/" + NumberName(8) + "-3.parquet",
                                 StatePath("/lake/handoff", 8)};
  for (const auto& path : keep) ASSERT_TRUE(WriteFileDurably(disk, path, "x").ok());
  for (const auto& path : orphans) ASSERT_TRUE(WriteFileDurably(disk, path, "x").ok());
  ASSERT_EQ(*NewestHandoff(disk, "/lake/handoff"), 7u);
  ASSERT_TRUE(RemoveOrphans(disk, "/lake", 7).ok());
  for (const auto& path : keep) EXPECT_TRUE(disk.Exists(path)) << path;
  for (const auto& path : orphans) EXPECT_FALSE(disk.Exists(path)) << path;
}

}  // namespace
}  // namespace telltale::lake
