// Methods, bodies and what is no request, over a socket.
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "base/random.h"
#include "net/http_server.h"
#include "net/http_test_client.h"

namespace telltale::net {
namespace {

// /echo gives back method, type and body; /read can only be read.
class Echo final : public HttpHandler {
 public:
  HttpRoute RouteOf(const std::string& path) override {
    if (path == "/echo") return {{HttpMethod::kGet, HttpMethod::kPost, HttpMethod::kDelete}};
    if (path == "/any") return {{HttpMethod::kPost}, ""};
    if (path == "/read") return {};
    return {{}};
  }
  HttpAnswer Serve(const HttpRequest& request) override {
    MutexLock lock(mutex_);
    ++served_;
    EXPECT_TRUE(request.peer.common_name.empty());
    if (request.query.contains("bad")) return HttpResponse{.fields = {{"A", "b\r\nC: d"}}};
    if (request.query.contains("none")) return HttpResponse{.status = 204};
    std::string text(HttpMethodName(request.method));
    return HttpResponse{200,
                        "text/plain",
                        text + "|" + request.content_type + "|" + request.body + "\n",
                        {{"X-Served", "yes"}}};
  }
  int served() {
    MutexLock lock(mutex_);
    return served_;
  }

 private:
  Mutex mutex_;
  int served_ GUARDED_BY(mutex_) = 0;
};

// On the server's thread, and on workers.
class HttpMethodsTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  HttpMethodsTest() { Start({}); }
  void Start(HttpOptions options) {
    options.workers = GetParam();
    server_.reset();
    auto server = HttpServer::Start(options, echo_, counters_);
    CHECK(server.ok());
    server_ = std::move(server).value();
  }
  // The status of the answer to `text` on a connection of its own.
  std::string StatusOf(const std::string& text) {
    HttpTestClient client({.port = server_->port()});
    client.Send(text);
    return client.Status();
  }

  Echo echo_;
  Counters counters_;
  std::unique_ptr<HttpServer> server_;
};

INSTANTIATE_TEST_SUITE_P(Workers, HttpMethodsTest, ::testing::Values(0, 2));

TEST_P(HttpMethodsTest, ABodyArrivesWithItsTypeAndTheConnectionGoesOn) {
  HttpTestClient client({.port = server_->port()});
  const std::string big(kHttpBodyBytesMax, 'b');
  for (const std::string& body : {std::string("{\"a\":1}"), std::string(), big}) {
    client.Post("/echo", body, "Content-Type: application/json; charset=utf-8\r\n");
    const std::string answer = client.Until("|" + body + "\n");
    EXPECT_NE(answer.find("X-Served: yes\r\n"), std::string::npos);
    EXPECT_NE(answer.find("\r\n\r\nPOST|application/json; charset=utf-8|" + body + "\n"),
              std::string::npos);
  }
  client.Send(
      "DELETE /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n");
  EXPECT_NE(client.Until("abcde\n").find("DELETE|"), std::string::npos);
  client.Get("/echo");
  EXPECT_NE(client.Until("GET||\n").find("200"), std::string::npos);
  client.Get("/echo?none");
  EXPECT_EQ(client.Status(), "204");
  EXPECT_EQ(echo_.served(), 6);
}

TEST_P(HttpMethodsTest, ABodyWaitsForTheGoAheadWhereTheClientWantsIt) {
  HttpTestClient client({.port = server_->port()});
  client.Send("POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Status(), "100");
  client.Send("ab");
  EXPECT_NE(client.Until("ab\n").find("POST||ab"), std::string::npos);
  client.Send(
      "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Status(), "405") << "refused before the body was sent";
}

TEST_P(HttpMethodsTest, WhatAPathDoesNotTakeIsRefusedByWords) {
  HttpTestClient client({.port = server_->port()});
  client.Send("DELETE /read HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.Rest();
  EXPECT_EQ(answer.substr(9, 3), "405");
  EXPECT_NE(answer.find("Allow: GET\r\n"), std::string::npos) << answer;
  EXPECT_EQ(StatusOf("POST /none HTTP/1.1\r\nHost: x\r\n\r\n"), "404");
  EXPECT_EQ(StatusOf("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
                     "Content-Length: 1\r\n\r\na"),
            "415");
  EXPECT_EQ(StatusOf("GET /echo?bad HTTP/1.1\r\nHost: x\r\n\r\n"), "500");
  EXPECT_EQ(echo_.served(), 1);
}

TEST_P(HttpMethodsTest, ABodyOverTheLimitIsRefusedAndTheClientHearsWhy) {
  // All of it is sent before the answer is read: it must not be lost to a reset.
  for (const bool is_chunked : {false, true}) {
    HttpTestClient client({.port = server_->port()});
    const std::string body(kHttpBodyBytesMax + 1, 'b');
    if (is_chunked) {
      client.Send("POST /any HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n" +
                  body.substr(0, 0x8000) + "\r\n8001\r\n" + body.substr(0, 0x8001) +
                  "\r\n0\r\n\r\n");
    } else {
      client.Post("/any", body);
    }
    EXPECT_EQ(client.Status(), "413") << is_chunked;
  }
  EXPECT_EQ(StatusOf("POST /any HTTP/1.1\r\nHost: x\r\n"
                     "Content-Length: 18446744073709551615\r\n\r\n"),
            "413");
  EXPECT_EQ(StatusOf("POST /any HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "7fffffffffffffff\r\n"),
            "413");
  EXPECT_EQ(echo_.served(), 0);
}

TEST_P(HttpMethodsTest, ARequestInsideARequestIsNeverServed) {
  const std::string inner = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string size = std::to_string(inner.size());
  const std::string heads[] = {
      "Content-Length: " + size + "\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: " + size + "\r\n",
      "Content-Length: 0\r\nContent-Length: " + size + "\r\n",
      "Content-Length: " + size + "\r\nContent-Length: " + size + "\r\n",
      "Content-Length: 0, " + size + "\r\n",
      "Content-Length: -1\r\n",
      "Content-Length: 0x10\r\n",
      "Content-Length : " + size + "\r\n",
      "Transfer-Encoding : chunked\r\n",
      "Transfer-Encoding: xchunked\r\n",
      "Transfer-Encoding: gzip, chunked\r\n",
      "Transfer-Encoding: chunked, gzip\r\n",
      "Transfer-Encoding: identity\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
      "Transfer-Encoding: \x0b"
      "chunked\r\n",
      "Transfer-Encoding:\r\n gzip\r\n",
      "X: y\nContent-Length: " + size + "\r\n",
      "Host: y\r\n",
  };
  for (const std::string& head : heads) {
    HttpTestClient client({.port = server_->port()});
    client.Send("POST /any HTTP/1.1\r\nHost: x\r\n" + head + "\r\n" + inner);
    const std::string answer = client.Rest();
    EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 400") << head;
    EXPECT_EQ(answer.find("HTTP/1.1", 12), std::string::npos) << head << answer;
  }
  EXPECT_EQ(StatusOf("POST /any HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "1\r\nabc\r\n0\r\n\r\n"),
            "400");
  EXPECT_EQ(StatusOf("POST /any HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "10000000000000000\r\nabc\r\n0\r\n\r\n"),
            "400");
  const std::string long_text(kHttpHeaderBytesMax + 1, 'x');
  for (const std::string& body :
       {"1;" + long_text + "\r\na\r\n0\r\n\r\n", "1\r\na\r\n0\r\nT: " + long_text + "\r\n\r\n"}) {
    EXPECT_EQ(
        StatusOf("POST /any HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body),
        "400");
  }
  EXPECT_EQ(StatusOf("GET /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"), "400");
  EXPECT_EQ(echo_.served(), 0);
}

TEST_P(HttpMethodsTest, RequestsSentTogetherAreAnsweredOneAfterAnother) {
  HttpTestClient client({.port = server_->port()});
  client.Send(
      "POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
      "POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb"
      "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answers = client.Rest();
  const std::size_t a = answers.find("POST||a\n");
  const std::size_t b = answers.find("POST||b\n");
  EXPECT_LT(a, b);
  EXPECT_LT(b, answers.find("GET||\n"));
}

TEST_P(HttpMethodsTest, AHalfSentRequestIsGivenUpInTime) {
  Start({.request_timeout = std::chrono::milliseconds{50}});
  for (const char* part :
       {"", "POST /any HT", "POST /any HTTP/1.1\r\nHost: x\r\nContent-Le",
        "POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc",
        "POST /any HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5"}) {
    HttpTestClient client({.port = server_->port()});
    client.Send(part);
    EXPECT_EQ(client.Rest(), "") << part;
  }
  EXPECT_EQ(echo_.served(), 0);
}

TEST_P(HttpMethodsTest, AByteNowAndThenDoesNotKeepARequestOpen) {
  Start({.request_timeout = std::chrono::milliseconds{50}});
  HttpTestClient client({.port = server_->port()});
  client.Send("POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
  // As fast as a client of its own connection is answered: many bytes within the time.
  HttpTestClient other({.port = server_->port()});
  bool is_open = true;
  for (int n = 0; n < 50'000 && is_open; ++n) {
    is_open = client.Send("x");
    other.Get("/echo");
    if (other.Until("GET||\n").empty()) break;  // its own time, when the machine is slow
  }
  EXPECT_EQ(client.Rest(), "");
}

TEST_P(HttpMethodsTest, HostileBytesNeverEndTheServer) {
  SeededRandom random(20'240'611);
  const std::string good =
      "POST /any?a=%41 HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n"
      "\r\n4;e=\"f\"\r\nabcd\r\n0\r\nTrailer: t\r\n\r\n";
  for (int n = 0; n < 300; ++n) {
    std::string text = good;
    const std::uint64_t changes = 1 + random.Below(4);
    for (std::uint64_t change = 0; change < changes; ++change) {
      const std::size_t at = random.Below(text.size());
      if (random.Below(3) == 0) {
        text.erase(at, random.Below(8));
      } else {
        text[at] = static_cast<char>(random.Below(256));
      }
    }
    HttpTestClient client({.port = server_->port()});
    client.Send(text.substr(0, 1 + random.Below(text.size())));
  }
  HttpTestClient client({.port = server_->port()});
  client.Get("/echo");
  EXPECT_NE(client.Until("GET||\n").find("200"), std::string::npos);
}

}  // namespace
}  // namespace telltale::net
