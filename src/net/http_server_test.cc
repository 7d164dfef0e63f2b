#include "net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mutex.h"
#include "net/http_target.h"

namespace telltale::net {
namespace {

// Serves numbered events that a test adds.
class Numbers final : public HttpHandler {
 public:
  HttpResponse Handle(const HttpRequest& request) override {
    if (request.path == "/hello") {
      const auto name = request.query.find("name");
      return {200, "text/plain", "hello " + (name == request.query.end() ? "" : name->second)};
    }
    return {404, "text/plain", "no\n"};
  }
  std::string_view stream_path() const override { return "/events"; }
  std::string_view stream_event_name() const override { return "number"; }
  Result<std::uint64_t> NewestId() override {
    MutexLock lock(mutex_);
    return std::uint64_t{count_};
  }
  Result<std::vector<StreamEvent>> EventsAfter(std::uint64_t after, std::size_t bytes) override {
    MutexLock lock(mutex_);
    std::vector<StreamEvent> events;
    std::size_t size = 0;
    for (std::uint64_t id = after + 1; id <= count_ && size < bytes; ++id) {
      events.push_back({id, std::string(width_, 'x')});
      size += width_;
    }
    return events;
  }
  void Add(std::uint64_t count, std::size_t width = 10) {
    MutexLock lock(mutex_);
    count_ += count;
    width_ = width;
  }

 private:
  Mutex mutex_;
  std::uint64_t count_ GUARDED_BY(mutex_) = 0;
  std::size_t width_ GUARDED_BY(mutex_) = 10;
};

// A client that knows nothing of the server's code.
class Client {
 public:
  explicit Client(std::uint16_t port, int receive_buffer = 0)
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (receive_buffer > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(const std::string& text) {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  void Get(const std::string& target, const std::string& headers = "") {
    Send("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  }
  // Everything up to and with `mark`; what was read so far when the server hung up or 10 s passed.
  std::string Until(const std::string& mark) {
    while (true) {
      const std::size_t at = text_.find(mark);
      if (at != std::string::npos) {
        const std::string taken = text_.substr(0, at + mark.size());
        text_.erase(0, at + mark.size());
        return taken;
      }
      char piece[4096];
      const ssize_t got = recv(fd_, piece, sizeof(piece), 0);
      if (got <= 0) return std::exchange(text_, "");
      text_.append(piece, static_cast<std::size_t>(got));
    }
  }
  // True when the server hangs up within the limit; counts what it sent before.
  bool HungUp() {
    char piece[65536];
    while (true) {
      const ssize_t got = recv(fd_, piece, sizeof(piece), 0);
      if (got == 0 || (got < 0 && errno == ECONNRESET)) return true;
      if (got < 0) return false;
    }
  }

 private:
  int fd_;
  std::string text_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpOptions options = {}) {
    auto server = HttpServer::Start(options, numbers_, counters_);
    ASSERT_TRUE(server.ok()) << server.error().ToString();
    server_ = std::move(server).value();
  }
  Numbers numbers_;
  Counters counters_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersRequestsOneAfterAnotherOnAConnection) {
  Start();
  Client client(server_->port());
  client.Get("/hello?name=a%20b");
  const std::string first = client.Until("hello a b");
  EXPECT_NE(first.find("HTTP/1.1 200"), std::string::npos) << first;
  client.Get("/nothing");
  EXPECT_NE(client.Until("no\n").find("HTTP/1.1 404"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesWhatItDoesNotServe) {
  Start();
  const std::pair<const char*, const char*> table[] = {
      {"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405"},
      {"GET /hello?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /events?after=-1 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /events?after=99999999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: x\r\n\r\n", "400"},
      {"nonsense\r\n\r\n", "400"},
  };
  for (const auto& [request, status] : table) {
    Client client(server_->port());
    client.Send(request);
    EXPECT_EQ(client.Until("\r\n").substr(0, 12), std::string("HTTP/1.1 ") + status) << request;
  }
  Client big(server_->port());
  big.Get("/hello", "X: " + std::string(kHttpHeaderBytesMax, 'y') + "\r\n");
  const std::string answer = big.Until("\r\n");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 400");
}

TEST_F(HttpServerTest, AStreamGivesEachEventOnceInOrderAndGoesOnFromAnId) {
  Start();
  numbers_.Add(2);
  Client client(server_->port());
  client.Get("/events?after=0");
  EXPECT_NE(client.Until("\r\n\r\n").find("text/event-stream"), std::string::npos);
  const std::string start = client.Until("id: 2\nevent: number\ndata: xxxxxxxxxx\n\n");
  EXPECT_NE(start.find("id: 1\nevent: number\ndata: xxxxxxxxxx\n\n"), std::string::npos);
  numbers_.Add(1);
  server_->Notify();
  EXPECT_EQ(client.Until("\n\n"), "id: 3\nevent: number\ndata: xxxxxxxxxx\n\n");

  Client again(server_->port());
  again.Get("/events?after=0", "Last-Event-ID: 2\r\n");
  const std::string resumed = again.Until("\ndata: xxxxxxxxxx\n\n");
  EXPECT_NE(resumed.find("id: 3\n"), std::string::npos);
  EXPECT_EQ(resumed.find("id: 2\n"), std::string::npos) << "the header wins";
}

TEST_F(HttpServerTest, AStreamThatNamesNoIdStartsNow) {
  Start();
  numbers_.Add(5);
  Client client(server_->port());
  client.Get("/events");
  client.Until("alert feed\n\n");
  numbers_.Add(1);
  server_->Notify();
  EXPECT_EQ(client.Until("\n\n").substr(0, 6), "id: 6\n");
}

TEST_F(HttpServerTest, AQuietStreamBeats) {
  Start({.heartbeat = std::chrono::milliseconds{20}});
  Client client(server_->port());
  client.Get("/events");
  client.Until("alert feed\n\n");
  EXPECT_EQ(client.Until("\n\n"), ": still here\n\n");
  EXPECT_EQ(client.Until("\n\n"), ": still here\n\n");
  numbers_.Add(1);
  server_->Notify();
  EXPECT_NE(client.Until("data: xxxxxxxxxx\n\n").find("id: 1\n"), std::string::npos);
}

TEST_F(HttpServerTest, AReaderThatTakesNothingIsDisconnectedAndOthersAreServed) {
  Start({.write_timeout = std::chrono::milliseconds{100}});
  Client slow(server_->port(), 4096);
  slow.Get("/events?after=0");
  numbers_.Add(400, 60'000);  // 24 MB: more than any socket buffer
  server_->Notify();
  Client other(server_->port());
  other.Get("/hello");
  EXPECT_NE(other.Until("hello ").find("200"), std::string::npos);
  // Reading starts only when the server has given up: its count says so.
  Counter& given_up = counters_.Get("http_slow_readers_total");
  for (int n = 0; n < 1'000'000 && given_up.value() == 0; ++n) {
    other.Get("/hello");
    other.Until("hello ");
  }
  EXPECT_EQ(given_up.value(), 1u);
  EXPECT_TRUE(slow.HungUp());
}

TEST_F(HttpServerTest, ConnectionsOverTheLimitAreToldSo) {
  Start();
  std::vector<std::unique_ptr<Client>> streams;
  for (std::size_t n = 0; n < kHttpConnectionsMax; ++n) {
    streams.push_back(std::make_unique<Client>(server_->port()));
    streams.back()->Get("/events");
    streams.back()->Until("alert feed\n\n");
  }
  Client one_more(server_->port());
  one_more.Get("/hello");
  EXPECT_NE(one_more.Until("\r\n").find("503"), std::string::npos);
  EXPECT_EQ(counters_.Get("http_connections_refused_total").value(), 1u);
}

TEST_F(HttpServerTest, EndsWithStreamsOpen) {
  Start();
  Client client(server_->port());
  client.Get("/events");
  client.Until("alert feed\n\n");
  server_.reset();
  EXPECT_TRUE(client.HungUp());
}

TEST_F(HttpServerTest, ListensOnLoopbackOnly) {
  for (const char* address : {"0.0.0.0", "::", "192.0.2.1"}) {
    const auto server = HttpServer::Start({.listen = address}, numbers_, counters_);
    ASSERT_FALSE(server.ok()) << address;
    EXPECT_EQ(server.error().code, Code::kRefused);
    EXPECT_NE(server.error().message.find("loopback"), std::string::npos);
  }
  EXPECT_FALSE(HttpServer::Start({.listen = "localhost:80"}, numbers_, counters_).ok());
  Start();
  const auto taken = HttpServer::Start({.port = server_->port()}, numbers_, counters_);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, Code::kUnavailable);
}

TEST(HttpTargetTest, TakesTargetsApart) {
  const auto target = ParseTarget("/a/b?x=1&y=%2F+z&x=2&empty&=v");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/a/b");
  EXPECT_EQ(target->query,
            (std::map<std::string, std::string>{{"x", "2"}, {"y", "/ z"}, {"empty", ""}}));
  for (const char* bad : {"", "a", "*", "http://x/", "/?a=%", "/?a=%4", "/?%g0=1", "/?a=%-1"}) {
    EXPECT_FALSE(ParseTarget(bad)) << bad;
  }
  EXPECT_EQ(ParseNumber("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "-1", "+1", "1 ", "18446744073709551616", "0x1"}) {
    EXPECT_FALSE(ParseNumber(bad)) << bad;
  }
}

}  // namespace
}  // namespace telltale::net
