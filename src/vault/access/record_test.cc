// No row without a complete record: wherever the power fails, and whatever people do in whatever
// order. The record is judged from the log alone, by rules written down here a second time.
#include <algorithm>

#include "base/test_rounds.h"
#include "vault/access/access_testing.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

constexpr std::int64_t kDayMicros = 24 * kHourMicros;

std::string Changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// Policies that come into force in these tests; what each wants is said beside it.
struct Rules {
  std::string text;
  std::map<std::string, int> approvers;  // by purpose, for two vehicles
  std::set<int> may_approve;
};
std::vector<Rules> AllRules() {
  const std::string base(kTestPolicy);
  const std::map<std::string, int> wanted = {{"open_trace", 0}, {"crash", 1}, {"double", 2}};
  const std::string nobody_two =
      Changed(base, "  - {number: 2, name: B, uids: [2], roles: [privacy]}\n", "");
  const std::string always =
      Changed(base, "second_person: never\n    export_hours: 5",
              "second_person: always\n    approve_roles: [privacy]\n    export_hours: 5");
  return {{base, wanted, {2, 3}},
          {nobody_two, wanted, {3}},
          {always, {{"open_trace", 1}, {"crash", 1}, {"double", 2}}, {2, 3}}};
}

std::string DigestOf(const std::string& text) {
  return access::ReadPolicy(text, "dev").policy.digest;
}

// What the log must say at the moment a row of `request` leaves.
class Record {
 public:
  Record(const std::vector<json>& entries, std::int64_t request) {
    for (const json& entry : entries) {
      if (entry.value("event", "") == "policy") {
        digest_ = entry["digest"];
        editor_ = entry["person"];
      }
      if (entry.value("request", 0) != request) continue;
      if (entry["event"] == "intent") {
        intent_ = entry;
        editor_then_ = editor_;
        digest_then_ = digest_;
      }
      if (entry["event"] == "approval") approvals_.push_back(entry);
      if (entry["event"] == "break_glass") glass_ = true;
    }
    for (const json& entry : entries) {
      if (!intent_.is_null() && entry["event"] == "vehicle" && entry["intent"] == intent_["n"]) {
        ++vehicles_;
      }
    }
  }
  // Empty: complete.
  std::string Missing(const std::vector<Rules>& all, Micros now) const {
    if (intent_.is_null()) return "no intent";
    if (vehicles_ != intent_["vehicles"]) return "a vehicle is not recorded";
    if (intent_["policy"] != digest_then_) return "another policy than the one in force";
    if (intent_["person"] == editor_then_) return "the editor asked";
    const auto rules = std::find_if(all.begin(), all.end(), [&](const Rules& one) {
      return intent_["policy"] == DigestOf(one.text);
    });
    if (rules == all.end()) return "a policy nobody wrote";
    if (intent_.value("break_glass", false)) return glass_ ? "" : "break-glass without its entry";
    std::set<int> people;
    for (const json& vote : approvals_) {
      const int person = vote["person"];
      if (vote["hash"] != intent_["hash"] || person == intent_["person"]) continue;
      if (person == editor_then_ || !rules->may_approve.contains(person)) continue;
      if (AtOf(vote) + kDayMicros <= now.value) continue;
      people.insert(person);
    }
    const std::string purpose = intent_["purpose"];
    // One vehicle and an hour need nobody for `crash`.
    const int wanted =
        purpose == "crash" && intent_["vehicles"] == 1 ? 0 : rules->approvers.at(purpose);
    return static_cast<int>(people.size()) >= wanted ? "" : "too few approvals";
  }

 private:
  // "2025-11-24T16:00:00.000000Z"; within days of kAccessNow in the same months.
  static std::int64_t AtOf(const json& entry) {
    for (std::int64_t hours = 0; hours < 24 * 60; ++hours) {
      const Micros at{kAccessNow.value + hours * kHourMicros};
      if (entry["at"] == FormatUtc(at)) return at.value;
    }
    return 0;
  }
  json intent_;
  json digest_;
  json digest_then_;
  int editor_ = 0;
  int editor_then_ = 0;
  int vehicles_ = 0;
  bool glass_ = false;
  std::vector<json> approvals_;
};

// Asks, and at each message with rows holds the record against the rules.
Status AskChecked(AccessWorld& world, std::uint32_t uid, const json& message,
                  const std::vector<Rules>& rules, std::uint64_t& rows, json* end = nullptr) {
  Caller caller;
  caller.uid = uid;
  return world.door->Handle(caller, message, [&](std::string_view text) {
    const json sent = json::parse(text);
    if (end != nullptr && sent["kind"] == "end") *end = sent;
    if (sent["kind"] != "rows") return Ok();
    rows += sent["rows"].size();
    const std::int64_t request = sent["rows"][0]["request"];
    EXPECT_EQ(Record(world.Audit(), request).Missing(rules, world.clock.NowUtc()), "")
        << "request " << request << " of " << uid;
    return Ok();
  });
}

// A request through all its steps; goes on whatever fails.
std::uint64_t Script(AccessWorld& world, const std::vector<Rules>& rules) {
  std::uint64_t rows = 0;
  json end;
  (void)AskChecked(world, 1, Message({.purpose = "crash", .vehicles = {1, 2}}), rules, rows, &end);
  if (end.is_object()) {
    const json approve{{"op", "approve"}, {"request", end["request"]}, {"hash", end["hash"]}};
    (void)AskChecked(world, 2, approve, rules, rows);
    (void)AskChecked(world, 1, {{"op", "run"}, {"request", end["request"]}}, rules, rows);
  }
  (void)AskChecked(world, 4, {{"op", "policy_activate"}, {"text", rules[2].text}}, rules, rows);
  (void)AskChecked(world, 5, Message({}), rules, rows);
  json glass = Message({.purpose = "double"});
  glass["break_glass"] = true;
  (void)AskChecked(world, 5, glass, rules, rows);
  json kept = Message({.purpose = "crash"});
  kept["purpose"] = "crash";
  (void)AskChecked(world, 1, kept, rules, rows);
  return rows;
}

TEST(RecordTest, WhereverThePowerFailsEveryRowThatLeftIsOnRecordAndTheVaultGoesOn) {
  const std::vector<Rules> rules = AllRules();
  std::uint64_t whole = 0;
  {
    AccessWorld world;
    ASSERT_TRUE(world.Open().ok());
    whole = Script(world, rules);
    ASSERT_EQ(whole, 6u + 3u + 3u);
  }
  std::uint64_t rows = 0;
  for (std::uint64_t calls = 0; rows < whole; ++calls) {
    ASSERT_LT(calls, 600u);
    AccessWorld world;
    ASSERT_TRUE(world.Open().ok());
    world.disk.FailAfter(calls);
    rows = Script(world, rules);
    world.Restart(calls);
    EXPECT_EQ(world.audit->problem(), "") << calls;
    // What was recorded of rows is still there, and nothing waits in the middle.
    const json listed = world.End(2, {{"op", "requests"}, {"all", true}});
    for (const json& one : listed["requests"]) EXPECT_NE(one["state"], "running") << calls;
    std::uint64_t after = 0;
    ASSERT_TRUE(AskChecked(world, 1, Message({.purpose = "crash"}), rules, after).ok()) << calls;
    EXPECT_EQ(after, 3u);
  }
}

TEST(RecordTest, ADiskThatIsFullAtAnyStepLetsNothingOutUnrecordedAndWorksAgainWithRoom) {
  const std::vector<Rules> rules = AllRules();
  for (std::uint64_t bytes = 0; bytes < 120'000; bytes += 3'000) {
    AccessWorld world;
    ASSERT_TRUE(world.Open().ok());
    world.disk.SetCapacity(bytes);
    (void)Script(world, rules);
    world.disk.SetCapacity(1u << 30);
    std::uint64_t after = 0;
    ASSERT_TRUE(AskChecked(world, 1, Message({.purpose = "crash"}), rules, after).ok()) << bytes;
    EXPECT_EQ(after, 3u);
  }
}

TEST(RecordTest, WhateverPeopleDoInWhateverOrderNoRowLeavesWithoutACompleteRecord) {
  const std::vector<Rules> rules = AllRules();
  std::uint64_t rows = 0;
  std::uint64_t waited = 0;
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(12); ++seed) {
    AccessWorld world;
    ASSERT_TRUE(world.Open().ok());
    SeededRandom dice(seed);
    std::vector<std::pair<std::int64_t, std::string>> filed;
    const char* const purposes[] = {"open_trace", "crash", "double"};
    for (int step = 0; step < 80; ++step) {
      const auto uid = static_cast<std::uint32_t>(1 + dice.Below(5));
      const auto which = filed.empty() ? 0 : dice.Below(filed.size());
      json message{{"op", "requests"}};
      switch (dice.Below(9)) {
        case 0:
        case 1:
        case 2: {
          std::vector<std::uint8_t> vehicles = {1};
          if (dice.Below(2) == 0) vehicles.push_back(2);
          message = Message({.op = dice.Below(3) == 0 ? "request" : "query",
                             .purpose = purposes[dice.Below(3)],
                             .vehicles = vehicles});
          if (dice.Below(8) == 0) message["break_glass"] = true;
          break;
        }
        case 3:
        case 4:
        case 5:
          if (filed.empty()) break;
          message = {{"op", "approve"},
                     {"request", filed[which].first},
                     {"hash", filed[dice.Below(20) == 0 ? 0 : which].second}};
          break;
        case 6:
          if (!filed.empty()) message = {{"op", "run"}, {"request", filed[which].first}};
          break;
        case 7:
          if (dice.Below(3) == 0) {
            message = {{"op", "policy_activate"}, {"text", rules[dice.Below(3)].text}};
          } else {
            world.clock.Advance(
                Micros{static_cast<std::int64_t>(1 + dice.Below(20)) * kHourMicros});
          }
          break;
        default:
          if (dice.Below(4) == 0) {
            world.disk.FailAfter(dice.Below(40));
          } else if (dice.Below(3) == 0) {
            world.Restart(seed * 1000 + static_cast<std::uint64_t>(step));
          }
          break;
      }
      json end;
      (void)AskChecked(world, uid, message, rules, rows, &end);
      world.disk.FailNever();
      if (end.is_object() && end.value("state", "") == "waiting" && end.contains("hash")) {
        filed.emplace_back(end["request"], end["hash"]);
        ++waited;
      }
    }
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(rows, 150u) << "the walk does get answers";
  EXPECT_GT(waited, 50u);
}

}  // namespace
}  // namespace telltale::vault
