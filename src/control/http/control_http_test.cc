// The door over a socket: who is let in, what is asked of the plane, and what comes back.
#include "control/http/control_http.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "control/http/http_testing.h"
#include "control/http/openapi_document.h"
#include "control/http/yaml_json.h"
#include "net/http_client.h"

namespace telltale::control {
namespace {

using net::HttpMethod;
using nlohmann::json;

class StoppedClock final : public Clock {
 public:
  Micros NowUtc() const override { return Micros{now_us}; }
  Micros NowMonotonic() const override { return Micros{now_us}; }
  std::atomic<std::int64_t> now_us{1'800'000'000'000'000};
};

class ControlHttpTest : public ::testing::Test {
 protected:
  ControlHttpTest() {
    tokens_.Set({{"ann", TokenDigest("token-of-ann"), Micros{}}});
    tokens_.SetLocal("token-of-here", "local:7");
    auto http = ControlHttp::Make(plane_, tokens_, clock_);
    CHECK(http.ok());
    http_ = std::move(http).value();
    auto server = net::HttpServer::Start(
        {.section = "control", .handler_authenticates = true, .workers = 2}, *http_, counters_);
    CHECK(server.ok());
    server_ = std::move(server).value();
  }
  net::HttpResponse Ask(HttpMethod method, const std::string& target, const std::string& body = "",
                        const std::string& token = "token-of-ann",
                        const std::string& type = "application/json") {
    auto answer =
        net::AskHttp({.url = "http://127.0.0.1:" + std::to_string(server_->port()), .token = token},
                     {.method = method, .target = target, .body = body, .content_type = type});
    CHECK(answer.ok());
    return std::move(answer).value();
  }
  static std::string CodeIn(const net::HttpResponse& answer) {
    const json body = json::parse(answer.body, nullptr, false);
    if (!body.is_object() || !body.contains("error")) return "no error: " + answer.body;
    const json& error = body["error"];
    EXPECT_FALSE(error.value("message", "").empty()) << answer.body;
    EXPECT_FALSE(error.value("next", "").empty()) << answer.body;
    return error.value("code", "");
  }

  StoppedClock clock_;
  Counters counters_;
  FakePlane plane_;
  TokenBook tokens_;
  std::unique_ptr<ControlHttp> http_;
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(ControlHttpTest, AnOperationGetsItsKeysItsQueryAndItsBody) {
  EXPECT_EQ(Ask(HttpMethod::kGet, "/v1/status").status, 200u);
  EXPECT_EQ(Ask(HttpMethod::kPut, "/v1/environments/prod/pin", R"({"release":"ab"})").status, 200u);
  EXPECT_EQ(Ask(HttpMethod::kGet, "/v1/rollouts?environment=prod", "", "token-of-here").status,
            200u);
  EXPECT_EQ(Ask(HttpMethod::kPost, "/v1/environments/prod/rollback").status, 200u);
  EXPECT_EQ(Ask(HttpMethod::kGet, "/v1/releases/aa/diff/bb").status, 200u);
  EXPECT_EQ(Ask(HttpMethod::kDelete, "/v1/role-bindings/ops").status, 204u);
  const auto asked = plane_.asked();
  ASSERT_EQ(asked.size(), 6u);
  EXPECT_EQ(asked[0].subject, "token:ann");
  EXPECT_EQ(asked[0].operation, "status");
  EXPECT_EQ(asked[1].operation, "pin.put");
  EXPECT_EQ(asked[1].arguments, json({{"key", "prod"}, {"body", {{"release", "ab"}}}}));
  EXPECT_EQ(asked[2].subject, "local:7");
  EXPECT_EQ(asked[2].arguments, json({{"environment", "prod"}}));
  EXPECT_EQ(asked[3].arguments, json({{"key", "prod"}, {"body", json::object()}}));
  EXPECT_EQ(asked[4].arguments, json({{"key", "aa"}, {"other", "bb"}}));
  EXPECT_EQ(asked[5].operation, "role-bindings.delete");
}

TEST_F(ControlHttpTest, AStrangerIsToldHowToComeInAndNothingIsAsked) {
  for (const char* token : {"", "token-of-an", "token-of-anna"}) {
    const auto answer = Ask(HttpMethod::kGet, "/v1/status", "", token);
    EXPECT_EQ(answer.status, 401u) << token;
    EXPECT_EQ(CodeIn(answer), "refused");
    EXPECT_EQ(answer.body.find("token-of"), std::string::npos);
  }
  EXPECT_TRUE(plane_.asked().empty());
  tokens_.Set({});
  EXPECT_EQ(Ask(HttpMethod::kGet, "/v1/status").status, 401u) << "revoked";
  EXPECT_EQ(Ask(HttpMethod::kGet, "/openapi.json", "", "").status, 200u);
  const auto page = Ask(HttpMethod::kGet, "/", "", "");
  EXPECT_EQ(page.status, 200u);
  EXPECT_TRUE(page.content_type.starts_with("text/html")) << page.content_type;
}

TEST_F(ControlHttpTest, EveryKindOfErrorHasItsStatusAndSaysWhatToDoNext) {
  const std::pair<Code, unsigned> table[] = {
      {Code::kInvalid, 400},       {Code::kNotFound, 404},   {Code::kExists, 409},
      {Code::kTooBig, 413},        {Code::kOverloaded, 503}, {Code::kUnavailable, 503},
      {Code::kRefused, 403},       {Code::kCorrupt, 500},    {Code::kUnsupported, 501},
      {Code::kOutcomeUnknown, 500}};
  for (const auto& [code, status] : table) {
    plane_.answer = [kind = code](const std::string&) -> Result<json> {
      return Error{kind, "so it is \xff"};
    };
    const auto answer = Ask(HttpMethod::kGet, "/v1/status");
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(CodeIn(answer), CodeName(code));
  }
}

TEST_F(ControlHttpTest, WhatTheServerRefusesByItselfIsAnErrorInJsonToo) {
  EXPECT_EQ(CodeIn(Ask(HttpMethod::kGet, "/v1/nothing")), "not_found");
  EXPECT_EQ(Ask(HttpMethod::kGet, "/v1/cohorts/a%2Fb").status, 404u);
  EXPECT_EQ(Ask(HttpMethod::kGet, "/v1/cohorts/").status, 404u);
  EXPECT_EQ(Ask(HttpMethod::kGet, "/v1/status/").status, 404u);
  const auto method = Ask(HttpMethod::kPost, "/v1/status", "{}");
  EXPECT_EQ(method.status, 405u);
  EXPECT_EQ(CodeIn(method), "invalid");
  EXPECT_EQ(Ask(HttpMethod::kPut, "/v1/cohorts/a", "salt: x", "token-of-ann", "text/yaml").status,
            415u);
  EXPECT_EQ(Ask(HttpMethod::kPut, "/v1/cohorts/a", std::string(kObjectBytesMax + 1, ' ')).status,
            413u);
  EXPECT_TRUE(plane_.asked().empty());
}

TEST_F(ControlHttpTest, ABodyThatIsNoShallowObjectIsRefused) {
  std::string deep(60'000, '[');
  for (const std::string& body :
       {std::string("[]"), std::string("{"), std::string("1"), std::string("{\"a\":\"\xff\"}"),
        deep, "{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}"}) {
    const auto answer = Ask(HttpMethod::kPut, "/v1/cohorts/a", body);
    EXPECT_EQ(answer.status, 400u) << body.substr(0, 20);
    EXPECT_EQ(CodeIn(answer), "invalid");
  }
  EXPECT_EQ(Ask(HttpMethod::kGet, "/v1/status?body=1").status, 400u) << "no member comes that way";
  EXPECT_EQ(Ask(HttpMethod::kGet, "/v1/audit?after=%ff").status, 400u);
  EXPECT_TRUE(plane_.asked().empty());
}

TEST_F(ControlHttpTest, ABlobGoesThroughToTheByte) {
  std::string bytes(200'000, 'x');
  for (std::size_t n = 0; n < bytes.size(); ++n) bytes[n] = static_cast<char>(n * 7);
  plane_.answer = [&](const std::string&) -> Result<json> {
    return json::binary({bytes.begin(), bytes.end()});
  };
  const auto put =
      Ask(HttpMethod::kPut, "/v1/blobs/ab", bytes, "token-of-ann", "application/octet-stream");
  EXPECT_EQ(put.status, 204u);
  const json body = plane_.asked().at(0).arguments["body"];
  EXPECT_EQ(std::string(body.get_binary().begin(), body.get_binary().end()), bytes);
  const auto got = Ask(HttpMethod::kGet, "/v1/blobs/ab");
  EXPECT_EQ(got.body, bytes);
  EXPECT_EQ(got.content_type, "application/octet-stream");
}

TEST_F(ControlHttpTest, WhoAsksTooOftenWaitsAndNobodyElseDoes) {
  net::HttpRequest head{.path = "/v1/status", .bearer = "token-of-ann"};
  for (std::int64_t n = 0; n < kRequestsBurstMax; ++n) ASSERT_FALSE(http_->RefuseEarly(head));
  const auto refused = http_->RefuseEarly(head);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 429u);
  EXPECT_FALSE(http_->RefuseEarly({.path = "/v1/status", .bearer = "token-of-here"}));
  clock_.now_us += 1'000'000;
  for (std::int64_t n = 0; n < kRequestsPerSMax; ++n) ASSERT_FALSE(http_->RefuseEarly(head));
  EXPECT_TRUE(http_->RefuseEarly(head));
}

TEST(OpenApiTest, EveryPathOfTheDocumentIsServedAndEveryServedOneIsInIt) {
  const auto document = JsonOfYaml(std::string(OpenApiYaml()));
  ASSERT_TRUE(document.ok()) << document.error().ToString();
  std::set<std::string> told;
  for (const auto& [path, methods] : (*document)["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::string name = method;
      for (char& c : name) c = static_cast<char>(std::toupper(c));
      told.insert(name + " " + path);
    }
  }
  std::set<std::string> served = {"GET /openapi.json"};
  for (const Route& route : Routes()) {
    const std::string name(net::HttpMethodName(route.method));
    EXPECT_TRUE(served.insert(name + " " + std::string(route.path)).second) << route.path;
  }
  EXPECT_EQ(told, served);
}

TEST(OpenApiTest, EveryOperationOfThePlaneHasAPathAndEveryPathAnOperation) {
  std::set<std::string> asked;
  for (const Route& route : Routes()) asked.emplace(route.operation);
  std::set<std::string> known;
  for (const Operation& operation : Operations()) known.emplace(operation.name);
  EXPECT_EQ(asked, known);
}

}  // namespace
}  // namespace telltale::control
