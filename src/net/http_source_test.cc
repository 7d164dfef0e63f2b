// Answers that are made while they are sent, and work on other threads.
#include "net/http_source.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>

#include "base/clock.h"
#include "base/disk.h"
#include "net/certificates.h"
#include "net/http_server.h"
#include "net/http_test_client.h"

namespace telltale::net {
namespace {

constexpr std::chrono::seconds kPatience{20};

// What a test and the threads of a server tell each other.
class Board {
 public:
  void Do(const std::function<void()>& change) {
    std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  // False: it did not come to pass in kPatience.
  bool Wait(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

// Everything under the board's lock.
struct Script {
  Board board;
  std::deque<HttpPiece> pieces;  // then kNotYet
  bool is_endless = false;       // the last piece again and again
  bool blocks = false;           // Pull() waits for Cancel()
  HttpSource::Wake wake;
  std::size_t pulls = 0;
  std::size_t bytes_pulled = 0;
  int cancelled = 0;
  int destroyed = 0;
};

class Scripted final : public HttpSource {
 public:
  explicit Scripted(Script& script) : script_(script) {}
  ~Scripted() override {
    script_.board.Do([&] { ++script_.destroyed; });
  }
  HttpPiece Pull(std::size_t bytes_max, const Wake& wake) override {
    EXPECT_EQ(bytes_max, kHttpPieceBytesMax);
    HttpPiece piece{.state = HttpPiece::State::kNotYet};
    bool blocks = false;
    script_.board.Do([&] {
      ++script_.pulls;
      script_.wake = wake;
      blocks = script_.blocks;
      if (script_.pieces.empty()) return;
      piece = script_.pieces.front();
      if (!script_.is_endless) script_.pieces.pop_front();
      script_.bytes_pulled += piece.bytes.size();
    });
    if (blocks) {
      EXPECT_TRUE(script_.board.Wait([&] { return script_.cancelled > 0; }));
    }
    return piece;
  }
  void Cancel() override {
    script_.board.Do([&] { ++script_.cancelled; });
  }

 private:
  Script& script_;
};

class Pages final : public HttpHandler {
 public:
  explicit Pages(Script& script) : script_(script) {}
  HttpAnswer Serve(const HttpRequest& request) override {
    if (request.path == "/pull") {
      return {{.content_type = "text/plain", .fields = {{"X-A", "b"}}},
              std::make_shared<Scripted>(script_)};
    }
    if (request.path == "/block") {
      script_.board.Do([&] { ++blocked_; });
      EXPECT_TRUE(script_.board.Wait([&] { return let_go_; }));
    }
    return HttpResponse{200, "text/plain", "done\n"};
  }
  void LetGo() {
    script_.board.Do([&] { let_go_ = true; });
  }
  bool WaitBlocked(int count) {
    return script_.board.Wait([&] { return blocked_ == count; });
  }

 private:
  Script& script_;
  int blocked_ = 0;
  bool let_go_ = false;
};

HttpPiece More(std::string bytes) { return {HttpPiece::State::kMore, std::move(bytes)}; }

// On the server's thread, and on workers.
class HttpSourceTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  void Start(HttpOptions options = {}) {
    options.workers = GetParam();
    auto server = HttpServer::Start(options, pages_, counters_);
    CHECK(server.ok());
    server_ = std::move(server).value();
  }
  bool WaitDestroyed() {
    return script_.board.Wait([&] { return script_.destroyed == 1; });
  }
  std::uint64_t Count(const std::string& name) { return counters_.Get(name).value(); }

  Script script_;
  Pages pages_{script_};
  Counters counters_;
  std::unique_ptr<HttpServer> server_;
};

INSTANTIATE_TEST_SUITE_P(Workers, HttpSourceTest, ::testing::Values(0, 2));

TEST_P(HttpSourceTest, PiecesAreChunksAndTheEndIsTheLastOne) {
  script_.pieces = {More("abc"),
                    More(""),
                    More(std::string(17, 'd')),
                    {HttpPiece::State::kEnd, "e", {{"X-Rows", "3"}}}};
  Start();
  HttpTestClient client({.port = server_->port()});
  client.Get("/pull");
  const std::string head = client.Until("\r\n\r\n");
  EXPECT_NE(head.find("200 OK"), std::string::npos);
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("X-A: b\r\n"), std::string::npos);
  EXPECT_NE(head.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(client.Rest(),
            "3\r\nabc\r\n11\r\n" + std::string(17, 'd') + "\r\n1\r\ne\r\n0\r\nX-Rows: 3\r\n\r\n");
  EXPECT_TRUE(WaitDestroyed());
  EXPECT_EQ(script_.cancelled, 0);
  EXPECT_EQ(Count("http_answers_abandoned_total"), 0u);
}

TEST_P(HttpSourceTest, ASourceThatHasNothingYetIsAskedAgainWhenItWakes) {
  Start();
  HttpTestClient client({.port = server_->port()});
  client.Get("/pull");
  client.Until("\r\n\r\n");
  for (const std::string text : {"a", "b", "c"}) {
    HttpSource::Wake wake;
    ASSERT_TRUE(script_.board.Wait([&] { return script_.wake != nullptr; }));
    script_.board.Do([&] {
      script_.pieces = {More(text)};
      wake = std::exchange(script_.wake, nullptr);
    });
    // Often, and maybe while the source says that it has nothing.
    for (int n = 0; n < 100; ++n) wake();
    EXPECT_EQ(client.Until("\r\n" + text + "\r\n"), "1\r\n" + text + "\r\n");
  }
  script_.board.Do([&] { script_.pieces = {{HttpPiece::State::kEnd}}; });
  ASSERT_TRUE(script_.board.Wait([&] { return script_.wake != nullptr; }));
  script_.wake();
  EXPECT_EQ(client.Rest(), "0\r\n\r\n");
}

TEST_P(HttpSourceTest, AFailedSourceGivesNoLastChunk) {
  HttpPiece bad_trailer{HttpPiece::State::kEnd, "", {{"A", "b\r\n\r\n"}}};
  for (const HttpPiece& end : {HttpPiece{HttpPiece::State::kFailed}, bad_trailer}) {
    script_.pieces = {More("abc"), end};
    script_.destroyed = 0;
    Start();
    HttpTestClient client({.port = server_->port()});
    client.Get("/pull");
    EXPECT_EQ(client.Status(), "200");
    EXPECT_EQ(client.Rest(), "3\r\nabc\r\n");
    EXPECT_TRUE(WaitDestroyed());
    server_.reset();
  }
  EXPECT_EQ(script_.cancelled, 0);
  EXPECT_EQ(Count("http_answers_failed_total"), 2u);
}

TEST_P(HttpSourceTest, AReaderThatTakesNothingCostsOnePieceAndIsDisconnected) {
  script_.pieces = {More(std::string(kHttpPieceBytesMax, 'x'))};
  script_.is_endless = true;
  Start({.write_timeout = std::chrono::milliseconds{100}});
  HttpTestClient client({.port = server_->port(), .receive_buffer = 4096});
  client.Get("/pull");
  ASSERT_TRUE(WaitDestroyed());
  const std::string taken = client.Rest();
  // What was pulled is what the kernel had taken, the piece that was stuck, and no more.
  EXPECT_LE(script_.bytes_pulled, taken.size() + 2 * kHttpPieceBytesMax);
  EXPECT_EQ(taken.find("\r\n0\r\n"), std::string::npos);
  EXPECT_EQ(script_.cancelled, 1);
  EXPECT_EQ(Count("http_slow_readers_total"), 1u);
}

TEST_P(HttpSourceTest, AClientThatHangsUpCancelsItsSource) {
  Start();
  {
    HttpTestClient client({.port = server_->port()});
    client.Get("/pull");
    client.Until("\r\n\r\n");
    ASSERT_TRUE(script_.board.Wait([&] { return script_.pulls == 1; }));
  }
  EXPECT_TRUE(WaitDestroyed());
  EXPECT_EQ(script_.cancelled, 1);
  EXPECT_EQ(Count("http_answers_abandoned_total"), 1u);
  script_.wake();  // it may come late
}

TEST_P(HttpSourceTest, TheServersEndCancelsSourcesAndAWakeMayComeAfterIt) {
  script_.blocks = GetParam() > 0;  // a Pull() under way returns by Cancel()
  Start();
  HttpTestClient client({.port = server_->port()});
  client.Get("/pull");
  client.Until("\r\n\r\n");
  ASSERT_TRUE(script_.board.Wait([&] { return script_.pulls == 1; }));
  server_.reset();
  EXPECT_EQ(script_.cancelled, 1);
  EXPECT_EQ(script_.destroyed, 1);
  EXPECT_EQ(client.Rest(), "");
  script_.wake();
}

TEST_P(HttpSourceTest, AnOlderClientIsToldThatItCannotHaveThisAnswer) {
  script_.pieces = {{HttpPiece::State::kEnd}};
  Start();
  HttpTestClient client({.port = server_->port()});
  client.Send("GET /pull HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.Status(), "505");
  EXPECT_TRUE(WaitDestroyed());
}

class HttpBusyTest : public HttpSourceTest {
 protected:
  // The server notifies nobody of a count: requests that it answers itself pass the time.
  bool WaitFull(Counter& full) {
    for (int n = 0; n < 100'000 && full.value() == 0; ++n) {
      HttpTestClient client({.port = server_->port()});
      client.Send("PUT / HTTP/1.1\r\nHost: x\r\n\r\n");
      client.Status();
    }
    return full.value() == 1;
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, HttpBusyTest, ::testing::Values(2));

TEST_P(HttpBusyTest, WorkThatBlocksDoesNotStopTheServerAndAFullQueueSaysSo) {
  Start({.work_queue_max = 1});
  std::deque<HttpTestClient> blocked;
  for (std::size_t n = 0; n < GetParam(); ++n) {
    blocked.emplace_back(HttpTestClientOptions{.port = server_->port()}).Get("/block");
    ASSERT_TRUE(pages_.WaitBlocked(static_cast<int>(n) + 1));
  }
  HttpTestClient first({.port = server_->port()});
  HttpTestClient second({.port = server_->port()});
  first.Get("/page");
  second.Get("/page");
  // One of them waits in the queue; the other is told at once and may ask again.
  Counter& full = counters_.Get("http_workers_full_total");
  ASSERT_TRUE(WaitFull(full));
  HttpTestClient third({.port = server_->port()});
  third.Get("/page");
  const std::string head = third.Until("\r\n\r\n");
  EXPECT_NE(head.find("503"), std::string::npos);
  EXPECT_NE(head.find("Retry-After: 1\r\n"), std::string::npos) << head;
  third.Until("again\n");
  pages_.LetGo();
  for (HttpTestClient& client : blocked) EXPECT_EQ(client.Status(), "200");
  const std::string statuses = first.Status() + second.Status();
  EXPECT_TRUE(statuses == "200503" || statuses == "503200") << statuses;
  third.Get("/page");
  EXPECT_EQ(third.Status(), "200");
}

TEST_P(HttpBusyTest, AnAnswerThatIsUnderWayGoesOnPastAFullQueue) {
  Start({.work_queue_max = 1});
  HttpTestClient client({.port = server_->port()});
  client.Get("/pull");
  client.Until("\r\n\r\n");
  ASSERT_TRUE(script_.board.Wait([&] { return script_.pulls == 1; }));
  std::deque<HttpTestClient> blocked;
  for (std::size_t n = 0; n < GetParam(); ++n) {
    blocked.emplace_back(HttpTestClientOptions{.port = server_->port()}).Get("/block");
    ASSERT_TRUE(pages_.WaitBlocked(static_cast<int>(n) + 1));
  }
  // One fills the queue, the other finds it full.
  blocked.emplace_back(HttpTestClientOptions{.port = server_->port()}).Get("/page");
  blocked.emplace_back(HttpTestClientOptions{.port = server_->port()}).Get("/page");
  Counter& full = counters_.Get("http_workers_full_total");
  ASSERT_TRUE(WaitFull(full));
  script_.board.Do([&] { script_.pieces = {{HttpPiece::State::kEnd, "abc"}}; });
  script_.wake();
  pages_.LetGo();
  EXPECT_EQ(client.Rest(), "3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(full.value(), 1u);
}

// The same over TLS: the end is said twice, by the last chunk and by TLS.
TEST_P(HttpSourceTest, OverTlsTheEndIsSaidAndACutIsNot) {
  std::string folder = ::testing::TempDir() + "/http-source-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const Micros now = SystemClock().NowUtc();
  const auto authority = CertificateAuthority::Create("test", now);
  const auto pair = authority->IssueServer(now);
  PosixDisk disk;
  for (const auto& [name, text] : {std::pair{"/ca", &authority->certificate_pem()},
                                   {"/crt", &pair->certificate_pem},
                                   {"/key", &pair->key_pem}}) {
    ASSERT_TRUE(WriteFileDurably(disk, folder + name, *text, 0600).ok());
  }
  Start({.tls_certificate = folder + "/crt", .tls_key = folder + "/key"});
  for (const auto state : {HttpPiece::State::kEnd, HttpPiece::State::kFailed}) {
    const bool is_whole = state == HttpPiece::State::kEnd;
    const std::string big(kHttpPieceBytesMax, 'x');
    script_.pieces = {More(big), More(big), {state}};
    HttpTestClient client({.port = server_->port(), .ca = folder + "/ca"});
    client.Get("/pull");
    EXPECT_EQ(client.Status(), "200");
    const std::string chunk = "40000\r\n" + big + "\r\n";
    EXPECT_TRUE(client.Rest() == chunk + chunk + (is_whole ? "0\r\n\r\n" : ""));
    EXPECT_EQ(client.WasToldTheEnd(), is_whole);
  }
  server_.reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace telltale::net
