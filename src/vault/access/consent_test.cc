// The second person: who may agree to what, for how long, and who never may.
#include "vault/access/access_testing.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

class ConsentTest : public testing::Test {
 protected:
  ConsentTest() { EXPECT_TRUE(world_.Open().ok()); }
  // Files what needs a second person; its number.
  std::int64_t File(const std::string& purpose = "crash",
                    std::vector<std::uint8_t> vehicles = {1, 2}) {
    const json end = world_.End(1, Message({.purpose = purpose, .vehicles = std::move(vehicles)}));
    EXPECT_EQ(end["state"], "waiting");
    EXPECT_FALSE(end.contains("rows"));
    hash_ = end["hash"].get<std::string>();
    return end["request"].get<std::int64_t>();
  }
  std::string Approve(std::uint32_t uid, std::int64_t request) {
    return world_.Code(uid, {{"op", "approve"}, {"request", request}, {"hash", hash_}});
  }
  std::string Run(std::int64_t request, std::uint32_t uid = 1) {
    return world_.Code(uid, {{"op", "run"}, {"request", request}});
  }
  AccessWorld world_;
  std::string hash_;
};

TEST_F(ConsentTest, OverTheLimitASecondPersonIsNeededAndUnderItNot) {
  EXPECT_EQ(world_.Rows(1, Message({.purpose = "crash"})).size(), 3u);
  EXPECT_EQ(world_.End(1, Message({.purpose = "crash", .hours = 24}))["state"], "done");
  EXPECT_EQ(world_.End(1, Message({.purpose = "crash", .hours = 25}))["state"], "waiting");
  const std::int64_t request = File();
  const auto entries = world_.Audit().size();
  EXPECT_EQ(Run(request), "ok") << "says that it waits";
  EXPECT_EQ(world_.Audit().size(), entries) << "asking again does not fill the log";
  EXPECT_TRUE(world_.Rows(1, {{"op", "run"}, {"request", request}}).empty());
  EXPECT_EQ(Approve(2, request), "ok");
  EXPECT_EQ(world_.Rows(1, {{"op", "run"}, {"request", request}}).size(), 6u);
  EXPECT_EQ(world_.Audit("intent").back()["approvals"], 1);
  EXPECT_EQ(world_.Audit("approval").back()["hash"], hash_);
  EXPECT_EQ(world_.Audit("request").back()["hash"], hash_);
}

TEST_F(ConsentTest, AnAnswerIsGivenOnce) {
  const std::int64_t request = File();
  EXPECT_EQ(Approve(2, request), "ok");
  EXPECT_EQ(Run(request), "ok");
  EXPECT_EQ(Run(request), "refused");
  EXPECT_EQ(Approve(3, request), "refused");
}

TEST_F(ConsentTest, NobodyAgreesToHisOwnRequestNorGetsAnothersAnswer) {
  const json asked = world_.End(1, Message({.purpose = "crash", .vehicles = {1, 2}}));
  hash_ = asked["hash"];
  const std::int64_t request = asked["request"];
  EXPECT_EQ(Approve(1, request), "refused") << "no verb";
  EXPECT_EQ(Approve(99, request), "refused");
  EXPECT_EQ(Approve(2, request), "ok");
  EXPECT_EQ(Run(request, 5), "refused");
  EXPECT_EQ(Run(request, 2), "refused");
  // The editor has both verbs; still not both for one request.
  const json own = world_.End(4, Message({.purpose = "crash", .vehicles = {1, 2}}));
  hash_ = own["hash"];
  EXPECT_EQ(Approve(4, own["request"]), "refused");
  EXPECT_EQ(world_.Audit("refusal").back()["reason"], "requester");
}

TEST_F(ConsentTest, AnApprovalIsBoundToWhatWasAskedFor) {
  const std::int64_t request = File();
  hash_[0] = hash_[0] == 'a' ? 'b' : 'a';
  EXPECT_EQ(Approve(2, request), "invalid");
  EXPECT_TRUE(world_.Audit("approval").empty());
}

TEST_F(ConsentTest, ARequestThatWasChangedInTheBookIsNeitherApprovedNorAnswered) {
  const std::int64_t request = File();
  ASSERT_EQ(Approve(2, request), "ok");
  world_.door.reset();
  {
    const char* const migrations[] = {""};  // it is there already
    auto book =
        store::Database::Open("/vault/access.db", {.migrations = migrations, .vfs = &world_.vfs});
    ASSERT_TRUE(book.ok());
    ASSERT_TRUE(
        book->Execute("UPDATE request_vehicles SET ref = zeroblob(16) WHERE position = 0").ok());
  }
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(Run(request), "corrupt");
  EXPECT_EQ(world_.Code(2, {{"op", "requests"}}), "ok") << "it does not hide the others";
  EXPECT_EQ(Approve(3, request), "corrupt");
}

TEST_F(ConsentTest, AnApprovalLapsesAfterADay) {
  const std::int64_t request = File();
  ASSERT_EQ(Approve(2, request), "ok");
  world_.clock.Advance(Micros{24 * kHourMicros});
  EXPECT_EQ(Run(request), "refused");
  EXPECT_NE(world_.last_error.find("lapsed"), std::string::npos);
  EXPECT_EQ(Approve(3, request), "refused") << "it is asked anew";
  const std::int64_t again = File();
  ASSERT_EQ(Approve(2, again), "ok");
  world_.clock.Advance(Micros{24 * kHourMicros - 1});
  EXPECT_EQ(Run(again), "ok");
}

TEST_F(ConsentTest, TwoApproversAreTwoPeople) {
  const std::int64_t request = File("double", {1});
  ASSERT_EQ(Approve(2, request), "ok");
  ASSERT_EQ(Approve(2, request), "ok");
  EXPECT_TRUE(world_.Rows(1, {{"op", "run"}, {"request", request}}).empty());
  EXPECT_EQ(Approve(4, request), "refused") << "not a role that may approve this";
  ASSERT_EQ(Approve(3, request), "ok");
  EXPECT_EQ(world_.Rows(1, {{"op", "run"}, {"request", request}}).size(), 3u);
}

TEST_F(ConsentTest, ARefusedOrWithdrawnRequestIsOver) {
  std::int64_t request = File();
  EXPECT_EQ(world_.Code(5, {{"op", "refuse"}, {"request", request}}), "refused");
  EXPECT_EQ(world_.Code(2, {{"op", "refuse"}, {"request", request}}), "ok");
  EXPECT_EQ(Approve(3, request), "refused");
  request = File();
  EXPECT_EQ(world_.Code(1, {{"op", "refuse"}, {"request", request}}), "ok");
  EXPECT_EQ(Run(request), "refused");
  EXPECT_EQ(world_.Audit("request_refused")[0]["result"], "refused");
  EXPECT_EQ(world_.Audit("request_refused")[1]["result"], "withdrawn");
}

TEST_F(ConsentTest, WhoMayApproveSeesWhatWaitsAndOthersSeeTheirOwn) {
  File();
  EXPECT_EQ(world_.End(2, {{"op", "requests"}})["requests"].size(), 1u);
  EXPECT_EQ(world_.End(1, {{"op", "requests"}})["requests"].size(), 1u);
  EXPECT_EQ(world_.End(5, {{"op", "requests"}})["requests"].size(), 0u);
  const json shown = world_.End(2, {{"op", "requests"}})["requests"][0];
  EXPECT_EQ(shown["hash"], hash_);
  EXPECT_EQ(shown["vehicles"], (json{RefOf(1).ToHex(), RefOf(2).ToHex()}));
}

TEST_F(ConsentTest, AnActivatedPolicyHoldsAndItsEditorNeitherAsksNorApproves) {
  const std::int64_t request = File();
  std::string text(kTestPolicy);
  text += "# changed\n";
  EXPECT_EQ(world_.Code(1, {{"op", "policy_activate"}, {"text", text}}), "refused");
  EXPECT_EQ(world_.Code(4, Message({})), "ok") << "the editor of a policy to come may ask";
  EXPECT_EQ(world_.Code(4, {{"op", "policy_activate"}, {"text", text + "x: 1\n"}}), "invalid");
  ASSERT_EQ(world_.Code(4, {{"op", "policy_activate"}, {"text", text}}), "ok");
  EXPECT_EQ(world_.Code(4, Message({})), "refused");
  EXPECT_EQ(world_.Audit("refusal").back()["reason"], "policy_editor");
  EXPECT_EQ(Approve(4, request), "refused");
  EXPECT_EQ(Approve(2, request), "ok");
  const json entry = world_.Audit("policy").back();
  EXPECT_EQ(entry["person"], 4);
  EXPECT_EQ(entry["digest"], world_.door->policy_digest());
  EXPECT_EQ(*ReadWholeFile(world_.disk, "/vault/policy/" + world_.door->policy_digest() + ".yaml"),
            text);
  EXPECT_EQ(world_.End(1, {{"op", "policy_show"}})["text"], text);
  EXPECT_EQ(world_.End(1, {{"op", "policy_show"}})["editor"], 4);
  // Under a new number and name he is still the one.
  std::string renamed = text;
  renamed.replace(renamed.find("number: 4, name: D"), 18, "number: 9, name: X");
  ASSERT_EQ(world_.Code(4, {{"op", "policy_activate"}, {"text", renamed}}), "ok");
  EXPECT_EQ(world_.Code(4, Message({})), "refused");
}

TEST_F(ConsentTest, AnEditOfTheFileAloneChangesNothing) {
  const std::string digest = world_.door->policy_digest();
  ASSERT_TRUE(
      WriteFileDurably(world_.disk, "/policy.yaml", std::string(kTestPolicy) + "# x\n").ok());
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(world_.door->policy_digest(), digest);
}

TEST_F(ConsentTest, AVoteUnderAPolicyThatIsGoneDoesNotCountUnderTheNext) {
  const std::int64_t request = File();
  ASSERT_EQ(Approve(2, request), "ok");
  std::string text(kTestPolicy);
  const std::string person = "  - {number: 2, name: B, uids: [2], roles: [privacy]}\n";
  text.erase(text.find(person), person.size());
  ASSERT_EQ(world_.Code(4, {{"op", "policy_activate"}, {"text", text}}), "ok");
  EXPECT_EQ(Run(request), "refused");
  EXPECT_EQ(Approve(3, request), "ok");
  EXPECT_EQ(Run(request), "ok");
}

TEST(PolicyStartTest, WithoutAPolicyThatHoldsNobodyIsLetInAndTheVaultRuns) {
  for (const char* text : {"", "version: 1\n"}) {
    AccessWorld world(text);
    ASSERT_TRUE(world.Open().ok());
    EXPECT_EQ(world.Code(1, Message({})), "unavailable");
    EXPECT_NE(world.last_error.find("policy"), std::string::npos);
  }
  AccessWorld world;
  ASSERT_TRUE(world.disk.Remove("/policy.yaml").ok());
  ASSERT_TRUE(world.Open().ok());
  EXPECT_EQ(world.Code(1, Message({})), "unavailable");
  EXPECT_NE(world.last_error.find("write it"), std::string::npos);
  ASSERT_TRUE(WriteFileDurably(world.disk, "/policy.yaml", kTestPolicy).ok());
  EXPECT_EQ(world.Code(1, Message({})), "ok") << "and with one it opens";
  AccessWorld strict;
  strict.kind = "prod";
  ASSERT_TRUE(strict.Open().ok());
  EXPECT_EQ(strict.Code(1, Message({})), "unavailable") << "a trace without a second person";
}

TEST_F(ConsentTest, BreakGlassIsForOneVehicleAndADayAndRaisesAnAlarmAndAReview) {
  json asking = Message({.purpose = "double"});
  asking["break_glass"] = true;
  EXPECT_EQ(world_.Rows(1, asking).size(), 3u) << "no second person";
  EXPECT_EQ(world_.counters.Get("break_glass").value(), 1u);
  const auto entries = world_.Audit();
  EXPECT_EQ(entries[1]["event"], "break_glass");
  EXPECT_EQ(entries[2]["event"], "intent");
  EXPECT_EQ(entries[2]["break_glass"], true);
  json two = Message({.purpose = "double", .vehicles = {1, 2}});
  two["break_glass"] = true;
  EXPECT_EQ(world_.Code(1, two), "refused");
  json longer = Message({.purpose = "double", .hours = 25});
  longer["break_glass"] = true;
  EXPECT_EQ(world_.Code(1, longer), "refused");

  world_.clock.Advance(Micros{72 * kHourMicros - 1});
  EXPECT_EQ(world_.Code(1, asking), "ok");
  world_.clock.Advance(Micros{1});
  EXPECT_EQ(world_.Code(1, asking), "refused") << "a review is open too long";
  EXPECT_EQ(world_.Code(5, asking), "ok") << "of another person";
  const json review{{"op", "review"}, {"request", 1}, {"verdict", "justified"}};
  EXPECT_EQ(world_.Code(1, review), "refused");
  EXPECT_EQ(world_.End(2, {{"op", "requests"}})["reviews"].size(), 3u);
  EXPECT_EQ(world_.Code(2, review), "ok");
  EXPECT_EQ(world_.Code(2, review), "not_found");
  EXPECT_EQ(world_.Audit("review").back()["verdict"], "justified");
  EXPECT_EQ(world_.Code(1, asking), "ok");
}

TEST_F(ConsentTest, AHoldIsMadeWithTheSecondApprovalAndAClockIsConfirmedAtOnceWhereThePolicySays) {
  const json hold{{"op", "request"},
                  {"kind", "hold"},
                  {"vehicles", {RefOf(1).ToHex()}},
                  {"case", "court 5"},
                  {"params", {{"from_us", 1}}}};
  EXPECT_EQ(world_.Code(2, hold), "refused") << "no verb";
  const json filed = world_.End(1, hold);
  EXPECT_EQ(filed["state"], "waiting");
  hash_ = filed["hash"];
  EXPECT_EQ(Approve(2, filed["request"]), "ok");
  EXPECT_TRUE(world_.actions.ran.empty());
  const json done =
      world_.End(3, {{"op", "approve"}, {"request", filed["request"]}, {"hash", hash_}});
  EXPECT_EQ(done["state"], "done");
  EXPECT_EQ(done["hold"], 7);
  EXPECT_EQ(world_.actions.ran["hold"], 1);
  EXPECT_EQ(world_.Audit("intent").back()["op"], "hold");
  EXPECT_EQ(world_.End(1, {{"op", "request"}, {"kind", "clock_confirm"}, {"case", "c"}})["state"],
            "done");
  EXPECT_EQ(world_.actions.ran["clock_confirm"], 1);
}

TEST_F(ConsentTest, AnActionThatFailedMayBeTriedAgainByWhoAskedForIt) {
  world_.actions.fails = true;
  const json asked{{"op", "request"}, {"kind", "clock_confirm"}, {"case", "c"}};
  EXPECT_EQ(world_.Code(1, asked), "unavailable");
  EXPECT_EQ(world_.Audit("outcome").back()["result"], "unavailable");
  world_.actions.fails = false;
  EXPECT_EQ(world_.Code(1, {{"op", "run"}, {"request", 1}}), "ok");
  EXPECT_EQ(world_.actions.ran["clock_confirm"], 1);
}

}  // namespace
}  // namespace telltale::vault
