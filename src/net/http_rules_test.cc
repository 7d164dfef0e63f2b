#include "net/http_rules.h"

#include <gtest/gtest.h>

#include "net/http_pull.h"

namespace telltale::net {
namespace {

TEST(HttpRulesTest, ARequestWhoseEndCanBeReadInTwoWaysIsRefused) {
  const std::pair<HttpHead, bool> table[] = {
      {{.method = "POST", .lengths = {"5"}}, true},
      {{.method = "POST", .codings = {"chunked"}}, true},
      {{.method = "POST", .codings = {"Chunked"}}, true},
      {{.method = "DELETE"}, true},
      {{.method = "GET", .lengths = {"0"}}, true},
      {{.method = "GET", .lengths = {"1"}}, false},
      {{.method = "GET", .codings = {"chunked"}}, false},
      {{.method = "POST", .lengths = {"5", "5"}}, false},
      {{.method = "POST", .lengths = {"5"}, .codings = {"chunked"}}, false},
      {{.method = "POST", .lengths = {"5, 5"}}, false},
      {{.method = "POST", .lengths = {"+5"}}, false},
      {{.method = "POST", .lengths = {""}}, false},
      {{.method = "POST", .lengths = {"18446744073709551616"}}, false},
      {{.method = "POST", .codings = {"gzip"}}, false},
      {{.method = "POST", .codings = {"gzip, chunked"}}, false},
      {{.method = "POST", .codings = {"chunked, identity"}}, false},
      {{.method = "POST", .codings = {"xchunked"}}, false},
      {{.method = "POST", .codings = {""}}, false},
      {{.method = "POST", .codings = {"chunked", "chunked"}}, false},
      {{.is_http_1_1 = false, .method = "POST", .codings = {"chunked"}}, false},
      {{.method = "POST", .hosts = 2}, false},
  };
  for (const auto& [head, is_taken] : table) {
    const auto refusal = RefuseFraming(head);
    EXPECT_EQ(!refusal, is_taken) << &head - &table[0].first;
    EXPECT_EQ(refusal ? refusal->status : 400u, 400u);
  }
}

TEST(HttpRulesTest, ARouteSaysWhatItTakes) {
  const HttpRoute both{{HttpMethod::kGet, HttpMethod::kPost}, "application/json"};
  const HttpRoute any{{HttpMethod::kPost}, ""};
  const std::string max = std::to_string(kHttpBodyBytesMax);
  const std::string more = std::to_string(kHttpBodyBytesMax + 1);
  const std::tuple<HttpHead, HttpRoute, unsigned> table[] = {
      {{.method = "GET"}, both, 0},
      {{.method = "POST"}, both, 0},
      {{.method = "DELETE"}, both, 405},
      {{.method = "get"}, both, 405},
      {{.method = "PUT"}, both, 405},
      {{.method = "PUT"}, {{HttpMethod::kPut}, ""}, 0},
      {{.method = "PUT", .lengths = {"1000000"}}, {{HttpMethod::kPut}, "", 1'000'000}, 0},
      {{.method = "PUT", .lengths = {"1000001"}}, {{HttpMethod::kPut}, "", 1'000'000}, 413},
      {{.method = "GET"}, {{}, ""}, 404},
      {{.method = "POST", .lengths = {max}, .content_type = "application/json"}, both, 0},
      {{.method = "POST", .lengths = {more}, .content_type = "application/json"}, both, 413},
      {{.method = "POST", .lengths = {"1"}, .content_type = "Application/JSON ; a=b"}, both, 0},
      {{.method = "POST", .lengths = {"1"}, .content_type = "application/jsonx"}, both, 415},
      {{.method = "POST", .lengths = {"1"}, .content_type = "text/plain"}, both, 415},
      {{.method = "POST", .lengths = {"1"}}, both, 415},
      {{.method = "POST", .codings = {"chunked"}}, both, 415},
      {{.method = "POST", .lengths = {"0"}}, both, 0},
      {{.method = "POST", .lengths = {"1"}, .content_type = "text/plain"}, any, 0},
      {{.method = "POST", .expect = "100-Continue"}, any, 0},
      {{.method = "POST", .expect = "tea"}, any, 417},
  };
  for (const auto& [head, route, status] : table) {
    HttpMethod method{};
    const auto refusal = RefuseByRoute(head, route, method);
    EXPECT_EQ(refusal ? refusal->status : 0, status) << head.method << " " << head.content_type;
    EXPECT_EQ(refusal ? head.method : HttpMethodName(method), head.method);
    if (status == 405) {
      EXPECT_EQ(refusal->fields, (HttpFields{{"Allow", "GET, POST"}}));
    }
  }
}

TEST(HttpRulesTest, AnAnswerThatWouldAddLinesOrABodyIsNotSent) {
  EXPECT_TRUE(CanBeSent({.status = 200, .body = "x", .fields = {{"A-b", "c: d"}, {"E", ""}}}));
  EXPECT_TRUE(CanBeSent({.status = 204}));
  EXPECT_FALSE(CanBeSent({.status = 204, .body = "x"}));
  EXPECT_FALSE(CanBeSent({.status = 100}));
  EXPECT_FALSE(CanBeSent({.status = 1000}));
  const HttpFields bad[] = {{{"A", "b\r\nC: d"}}, {{"A\r\n", "b"}}, {{"A b", "c"}},
                            {{"A:", "b"}},        {{"", "b"}},      {{"A", "\xc3\xa4"}}};
  for (const HttpFields& fields : bad) EXPECT_FALSE(CanBeSent({.fields = fields}));
}

TEST(HttpPullTest, ChunksAreFramedAndNoBytesAreNoChunk) {
  EXPECT_EQ(ToHttpChunk("hello, again, all"), "11\r\nhello, again, all\r\n");
  EXPECT_EQ(ToHttpChunk(""), "") << "an empty chunk would end the answer";
  EXPECT_EQ(ToLastHttpChunk({}), "0\r\n\r\n");
  EXPECT_EQ(ToLastHttpChunk({{"A", "b"}, {"C", "d"}}), "0\r\nA: b\r\nC: d\r\n\r\n");
}

}  // namespace
}  // namespace telltale::net
