#include "app/control_webhook.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/sim_disk.h"

namespace telltale::app {
namespace {

using nlohmann::json;

class EventPlane final : public control::Plane {
 public:
  Result<json> Do(const control::Actor&, std::string_view, const json&) override {
    return json::object();
  }
  Status Tick() override { return Ok(); }
  Result<std::vector<json>> Events(std::size_t most) override {
    std::vector<json> first(waiting.begin(), waiting.end());
    if (first.size() > most) first.resize(most);
    return first;
  }
  Status KeepEvent(const json& event, control::EventFate fate) override {
    if (fate == control::EventFate::kAgain) {
      waiting.front() = event;
      return Ok();
    }
    if (fate == control::EventFate::kDead) dead.push_back(event);
    waiting.pop_front();
    return Ok();
  }
  std::deque<json> waiting;
  std::vector<json> dead;
};

class WebhookTest : public ::testing::Test {
 protected:
  WebhookTest() : clock_(Micros::Seconds(1'796'000'000)) {
    EXPECT_TRUE(disk_.MakeFolders("/keys").ok());
    EXPECT_TRUE(WriteFileDurably(disk_, "/keys/secret", "0123456789abcdef\n").ok());
  }
  ControlWebhook Make() {
    return ControlWebhook(
        {plane_, disk_, clock_, counters_,
         [this](const net::HttpClientOptions& options, const net::HttpQuestion& question) {
           asked_.emplace_back(options, question);
           return answer_;
         }},
        {.url = "http://127.0.0.1:9/in?x=1", .secret_file = "/keys/secret"});
  }
  void Add(int number) {
    plane_.waiting.push_back({{"number", number},
                              {"event", "rollout.halted"},
                              {"rollout", "prod-1"},
                              {"tries", 0},
                              {"last_error", ""}});
  }

  SimDisk disk_;
  ManualClock clock_;
  Counters counters_;
  EventPlane plane_;
  Result<net::HttpResponse> answer_ = net::HttpResponse{.status = 204};
  std::vector<std::pair<net::HttpClientOptions, net::HttpQuestion>> asked_;
};

TEST_F(WebhookTest, AnEventIsToldOnceAndSigned) {
  Add(7);
  ControlWebhook webhook = Make();
  webhook.Look();
  webhook.Look();
  ASSERT_EQ(asked_.size(), 1u);
  const auto& [options, question] = asked_[0];
  EXPECT_EQ(options.url, "http://127.0.0.1:9");
  EXPECT_EQ(question.target, "/in?x=1");
  EXPECT_EQ(json::parse(question.body),
            (json{{"number", 7}, {"event", "rollout.halted"}, {"rollout", "prod-1"}}));
  EXPECT_EQ(question.headers[3].second,
            WebhookSignature("0123456789abcdef", 1'796'000'000, question.body));
  EXPECT_TRUE(plane_.waiting.empty());
}

TEST_F(WebhookTest, TheSignatureIsTheOneOfTheStandard) {
  // printf 1.{} | openssl dgst -sha256 -hmac key
  EXPECT_EQ(WebhookSignature("key", 1, "{}"),
            "sha256=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224");
  EXPECT_NE(WebhookSignature("key", 1, "{}"), WebhookSignature("key", 2, "{}"));
  EXPECT_NE(WebhookSignature("key", 1, "{}"), WebhookSignature("yek", 1, "{}"));
}

TEST_F(WebhookTest, WhatIsNotTakenIsToldAgainLaterAndInOrder) {
  Add(1);
  Add(2);
  answer_ = net::HttpResponse{.status = 500};
  ControlWebhook webhook = Make();
  webhook.Look();
  webhook.Look();  // not due
  EXPECT_EQ(asked_.size(), 1u);
  answer_ = net::HttpResponse{.status = 200};
  clock_.Advance(Micros::Seconds(1));
  webhook.Look();
  ASSERT_EQ(asked_.size(), 3u);
  EXPECT_EQ(json::parse(asked_[1].second.body).at("number"), 1);
  EXPECT_EQ(json::parse(asked_[2].second.body).at("number"), 2);
}

TEST_F(WebhookTest, NobodyThereForLongIsADeadLetterAndTheNextOneIsTold) {
  Add(1);
  Add(2);
  answer_ = Error{Code::kUnavailable, "nobody answers"};
  ControlWebhook webhook = Make();
  for (int i = 0; i < kWebhookTriesMax; ++i) {
    webhook.Look();
    clock_.Advance(kWebhookPauseMax);
  }
  ASSERT_EQ(plane_.dead.size(), 1u);
  EXPECT_EQ(plane_.dead[0].at("number"), 1);
  EXPECT_EQ(plane_.dead[0].at("tries"), kWebhookTriesMax);
  EXPECT_EQ(counters_.Get("webhook_dead").value(), 1u);
}

TEST_F(WebhookTest, WithoutASecretNothingLeavesAndNothingIsLost) {
  Add(1);
  EXPECT_TRUE(WriteFileDurably(disk_, "/keys/secret", "short\n").ok());
  ControlWebhook webhook = Make();
  webhook.Look();
  EXPECT_TRUE(asked_.empty());
  ASSERT_EQ(plane_.waiting.size(), 1u);
  EXPECT_EQ(plane_.waiting[0].at("last_error").get<std::string>().find("short"), std::string::npos);
}

}  // namespace
}  // namespace telltale::app
