// Kept answers: sealed on the disk, for who asked alone, gone at their hour or with their vehicle.
#include "vault/access/exports.h"

#include "vault/access/access_testing.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

class ExportsTest : public testing::Test {
 protected:
  ExportsTest() { EXPECT_TRUE(world_.Open().ok()); }
  // Keeps an answer; its id.
  std::string Keep(std::vector<std::uint8_t> vehicles = {1}) {
    json asking = Message({.vehicles = std::move(vehicles)});
    asking["keep"] = true;
    const auto messages = world_.Ask(1, asking);
    EXPECT_EQ(messages.size(), 1u) << "no row leaves the vault";
    return messages.back()["export"].get<std::string>();
  }
  json Get(const std::string& id) { return {{"op", "export_get"}, {"export", id}}; }
  std::string PathOf(const std::string& id) { return ExportPath("/vault/exports", id); }
  AccessWorld world_;
};

TEST_F(ExportsTest, AKeptAnswerIsTheSameRowsAndEachLookIsRecorded) {
  const auto direct = world_.Rows(1, Message({.vehicles = {1, 2}}));
  const std::string id = Keep({1, 2});
  const auto before = world_.Audit("intent").size();
  auto kept = world_.Rows(1, Get(id));
  ASSERT_EQ(kept.size(), direct.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i]["request"], 2);
    kept[i]["request"] = 1;
    EXPECT_EQ(kept[i], direct[i]);
  }
  EXPECT_EQ(world_.Audit("intent").size(), before + 1);
  EXPECT_EQ(world_.Audit("vehicle").size(), 6u);
  EXPECT_EQ(world_.Audit("outcome").back()["rows"], 6);
  EXPECT_EQ(world_.End(1, {{"op", "export_list"}})["exports"][0]["rows"], 6);
}

TEST_F(ExportsTest, OnTheDiskItIsSealedAndMovedOrChangedItDoesNotOpen) {
  const std::string id = Keep();
  const std::string other = Keep();
  const std::string bytes = *ReadWholeFile(world_.disk, PathOf(id));
  EXPECT_EQ(bytes.find("latitude"), std::string::npos);
  EXPECT_EQ(bytes.find(RefOf(1).ToHex()), std::string::npos);
  for (std::size_t at = 0; at < bytes.size(); at += 31) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    ASSERT_TRUE(WriteFileDurably(world_.disk, PathOf(id), changed).ok());
    EXPECT_NE(world_.Code(1, Get(id)), "ok") << at;
  }
  for (std::size_t size = 0; size < bytes.size(); size += 37) {
    ASSERT_TRUE(WriteFileDurably(world_.disk, PathOf(id), bytes.substr(0, size)).ok());
    EXPECT_NE(world_.Code(1, Get(id)), "ok") << size;
  }
  ASSERT_TRUE(WriteFileDurably(world_.disk, PathOf(other), bytes).ok());
  EXPECT_EQ(world_.Code(1, Get(other)), "corrupt");
  ASSERT_TRUE(WriteFileDurably(world_.disk, PathOf(id), bytes).ok());
  EXPECT_EQ(world_.Code(1, Get(id)), "ok");
}

TEST_F(ExportsTest, ItIsForWhoAskedAlone) {
  const std::string id = Keep();
  EXPECT_EQ(world_.Code(5, Get(id)), "not_found");
  EXPECT_EQ(world_.Code(2, Get(id)), "not_found");
  EXPECT_EQ(world_.Code(5, {{"op", "export_remove"}, {"export", id}}), "not_found");
  EXPECT_EQ(world_.End(5, {{"op", "export_list"}})["exports"].size(), 0u);
  EXPECT_EQ(world_.End(2, {{"op", "export_list"}})["exports"].size(), 1u) << "an auditor sees it";
  EXPECT_EQ(world_.Code(1, {{"op", "export_remove"}, {"export", id}}), "ok");
  EXPECT_EQ(world_.Code(1, Get(id)), "not_found");
  EXPECT_FALSE(world_.disk.Exists(PathOf(id)));
}

TEST_F(ExportsTest, ItDiesAtItsHourAndNeverOutlivesWhatItHolds) {
  const std::string id = Keep();
  world_.clock.Advance(Micros{5 * kHourMicros - 1});
  EXPECT_EQ(world_.Code(1, Get(id)), "ok");
  world_.clock.Advance(Micros{1});
  EXPECT_EQ(world_.Code(1, Get(id)), "not_found");
  EXPECT_FALSE(world_.disk.Exists(PathOf(id)));
  // The interval begins 30 days less two hours ago: of five hours one is left (the floor of 55
  // minutes before its end).
  world_.clock.JumpUtc(Micros{(30 * 24 - 2) * kHourMicros - 5 * kHourMicros});
  json asking = Message({});
  asking["keep"] = true;
  EXPECT_EQ(world_.End(1, asking)["dies_at"],
            FormatUtc(world_.clock.NowUtc() + Micros{kHourMicros}));
  world_.clock.JumpUtc(Micros{kHourMicros});
  EXPECT_EQ(world_.Code(1, asking), "invalid");
}

TEST_F(ExportsTest, WithoutItsHoursKeyItDoesNotOpen) {
  const std::string id = Keep();
  world_.export_keys.Destroy(Hour{HourOf(kAccessNow).value + 5});
  EXPECT_EQ(world_.Code(1, Get(id)), "not_found");
}

TEST_F(ExportsTest, WhatACrashLeftIsRemoved) {
  ASSERT_TRUE(world_.disk.MakeFolders("/vault/exports").ok());
  const std::string stray = PathOf(std::string(32, 'a'));
  ASSERT_TRUE(WriteFileDurably(world_.disk, stray, "TTEX").ok());
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_FALSE(world_.disk.Exists(stray));
}

TEST_F(ExportsTest, AnErasedVehicleLeavesTheBookAndEveryKeptAnswerAndStaysCountedInTheLog) {
  const std::string with = Keep({1, 2});
  const std::string without = Keep({2});
  const json waiting = world_.End(1, Message({.purpose = "crash", .vehicles = {1, 2}}));
  const auto entries = world_.Audit().size();
  const VehicleRef erased = RefOf(1);
  const std::string ref(erased.bytes.begin(), erased.bytes.end());
  ASSERT_TRUE(world_.door->ForgetVehicle(RefOf(1)).ok());
  ASSERT_TRUE(world_.door->ForgetVehicle(RefOf(1)).ok()) << "safe to repeat";
  EXPECT_EQ(world_.Code(1, Get(with)), "not_found");
  EXPECT_FALSE(world_.disk.Exists(PathOf(with)));
  EXPECT_EQ(world_.Code(1, Get(without)), "ok");
  const auto names = world_.disk.List("/vault");
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) {
    const auto content = ReadWholeFile(world_.disk, "/vault/" + name);
    if (!content.ok()) continue;
    EXPECT_EQ(content->find(ref), std::string::npos) << name;
  }
  EXPECT_EQ(world_.Code(
                2, {{"op", "approve"}, {"request", waiting["request"]}, {"hash", waiting["hash"]}}),
            "refused");
  EXPECT_GE(world_.Audit().size(), entries);
  const json listed = world_.End(2, {{"op", "requests"}, {"all", true}});
  EXPECT_EQ(listed["requests"].size(), 3u);
}

TEST_F(ExportsTest, TheSubjectLearnsWhoAsWhatLookedWhenAndWhyAndNoName) {
  world_.Rows(1, Message({.vehicles = {1, 2}}));
  world_.Rows(1, Message({.vehicles = {2}}));
  json glass = Message({.purpose = "double"});
  glass["break_glass"] = true;
  world_.Rows(5, glass);
  const json asked{{"op", "subject"}, {"vehicle", RefOf(1).ToHex()}, {"case", "art 15"}};
  EXPECT_EQ(world_.Code(1, asked), "refused");
  const json told = world_.End(2, asked);
  ASSERT_EQ(told["accesses"].size(), 3u) << "two answers, and this question itself";
  const json& first = told["accesses"][0];
  EXPECT_EQ(first["role"], "investigator");
  EXPECT_EQ(first["purpose"], "open_trace");
  EXPECT_EQ(first["case"], "C-17");
  EXPECT_EQ(first["form"], "trace");
  EXPECT_EQ(first["from_us"], kAccessNow.value);
  EXPECT_EQ(first["rows_of_request"], 6);
  EXPECT_EQ(told["accesses"][1]["break_glass"], true);
  EXPECT_EQ(told["accesses"][2]["op"], "subject_export");
  for (const json& one : told["accesses"]) {
    for (const char* key : {"person", "uid", "certificate", "request", "hash"}) {
      EXPECT_FALSE(one.contains(key)) << key;
    }
  }
  EXPECT_EQ(world_.Audit("subject_export").size(), 1u);
}

}  // namespace
}  // namespace telltale::vault
