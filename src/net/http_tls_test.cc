// A listener with TLS and a token, spoken to by a client that knows nothing of the server's code.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "base/clock.h"
#include "net/certificates.h"
#include "net/http_server.h"
#include "net/http_token.h"

namespace telltale::net {
namespace {

const std::string kToken = "0123456789abcdef0123456789abcdef";

class Pages final : public HttpHandler {
 public:
  HttpResponse Handle(const HttpRequest& request) override {
    if (request.path == "/hello") return {200, "text/plain", "hello"};
    return {404, "text/plain", "nothing"};
  }
};

class Stream final : public HttpHandler {
 public:
  HttpResponse Handle(const HttpRequest&) override { return {404, "text/plain", "nothing"}; }
  std::string_view stream_path() const override { return "/events"; }
  std::string_view stream_event_name() const override { return "number"; }
  Result<std::uint64_t> NewestId() override { return count_.load(); }
  Result<std::vector<StreamEvent>> EventsAfter(std::uint64_t after, std::size_t) override {
    std::vector<StreamEvent> events;
    for (std::uint64_t id = after + 1; id <= count_; ++id) events.push_back({id, "x"});
    return events;
  }
  void Add() { ++count_; }

 private:
  std::atomic<std::uint64_t> count_{0};
};

// Checks the server's certificate against `ca`; speaks in the clear when `ca` is empty.
class Client {
 public:
  Client(std::uint16_t port, const std::string& ca) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    if (ca.empty()) return;
    context_.reset(SSL_CTX_new(TLS_client_method()));
    EXPECT_EQ(SSL_CTX_load_verify_locations(context_.get(), ca.c_str(), nullptr), 1);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd_);
    shook_hands_ = SSL_connect(ssl_.get()) == 1;
  }
  ~Client() {
    ssl_.reset();
    close(fd_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool shook_hands() const { return shook_hands_; }
  void Get(const std::string& target, const std::string& headers = "") {
    const std::string text = "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
    const int size = static_cast<int>(text.size());
    EXPECT_EQ(ssl_ ? SSL_write(ssl_.get(), text.data(), size)
                   : static_cast<int>(send(fd_, text.data(), text.size(), MSG_NOSIGNAL)),
              size);
  }
  // Everything up to and with `mark`; what was read so far when the server hung up.
  std::string Until(const std::string& mark) {
    while (text_.find(mark) == std::string::npos) {
      const int got = Read();
      if (got <= 0) return std::exchange(text_, "");
      text_.append(piece_, static_cast<std::size_t>(got));
    }
    const std::size_t end = text_.find(mark) + mark.size();
    const std::string taken = text_.substr(0, end);
    text_.erase(0, end);
    return taken;
  }
  // Whether the server said that the stream ends here, after anything else it said.
  bool SaidGoodbye() {
    while (Read() > 0) {
    }
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }

 private:
  int Read() {
    return ssl_ ? SSL_read(ssl_.get(), piece_, sizeof(piece_))
                : static_cast<int>(recv(fd_, piece_, sizeof(piece_), 0));
  }
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  int fd_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  bool shook_hands_ = false;
  char piece_[4096];
  std::string text_;
};

class HttpTlsTest : public ::testing::Test {
 protected:
  HttpTlsTest() {
    std::string pattern = ::testing::TempDir() + "/http-tls-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    const Micros now = SystemClock().NowUtc();
    auto authority = CertificateAuthority::Create("test", now);
    EXPECT_TRUE(authority.ok());
    const auto server = authority->IssueServer(now);
    EXPECT_TRUE(server.ok());
    Write("ca.crt", authority->certificate_pem());
    Write("server.crt", server->certificate_pem);
    Write("server.key", server->key_pem);
  }
  ~HttpTlsTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text, std::uint32_t mode = 0600) {
    EXPECT_TRUE(WriteFileDurably(disk_, Path(name), text, mode).ok());
    EXPECT_EQ(chmod(Path(name).c_str(), mode), 0);
  }
  HttpOptions Secured() const {
    return {.section = "operations",
            .tls_certificate = Path("server.crt"),
            .tls_key = Path("server.key"),
            .token = kToken};
  }
  std::unique_ptr<HttpServer> Start(const HttpOptions& options, HttpHandler& handler) {
    auto server = HttpServer::Start(options, handler, counters_);
    EXPECT_TRUE(server.ok()) << server.error().ToString();
    return std::move(server).value();
  }

  std::string folder_;
  PosixDisk disk_;
  Pages pages_;
  Counters counters_;
};

TEST_F(HttpTlsTest, AnswersWhoHasTheTokenAndSaysGoodbye) {
  const auto server = Start(Secured(), pages_);
  Client client(server->port(), Path("ca.crt"));
  ASSERT_TRUE(client.shook_hands());
  client.Get("/hello", "Authorization: Bearer " + kToken + "\r\n");
  EXPECT_EQ(client.Until("hello").substr(0, 12), "HTTP/1.1 200");
  client.Get("/hello", "authorization: bearer " + kToken + "\r\nConnection: close\r\n");
  EXPECT_EQ(client.Until("hello").substr(0, 12), "HTTP/1.1 200");
  EXPECT_TRUE(client.SaidGoodbye());
  EXPECT_EQ(counters_.Get("http_unauthorized_total").value(), 0u);
}

TEST_F(HttpTlsTest, AnyOtherTokenGets401AndIsCounted) {
  const auto server = Start(Secured(), pages_);
  std::string last_differs = kToken;
  last_differs.back() = 'x';
  const std::string table[] = {"",
                               "Authorization: " + kToken + "\r\n",
                               "Authorization: Basic " + kToken + "\r\n",
                               "Authorization: Bearer\r\n",
                               "Authorization: Bearer " + last_differs + "\r\n",
                               "Authorization: Bearer " + kToken + "x\r\n",
                               "Authorization: Bearer " + kToken.substr(1) + "\r\n"};
  for (const std::string& headers : table) {
    for (const char* target : {"/hello", "/nothing"}) {
      Client client(server->port(), Path("ca.crt"));
      client.Get(target, headers);
      const std::string answer = client.Until("\r\n\r\n");
      EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 401") << headers;
      EXPECT_NE(answer.find("WWW-Authenticate: Bearer\r\n"), std::string::npos) << answer;
    }
  }
  EXPECT_EQ(counters_.Get("http_unauthorized_total").value(), 2 * std::size(table));
}

TEST_F(HttpTlsTest, ATokenIsAskedForInTheClearToo) {
  const auto server = Start({.token = kToken}, pages_);
  Client stranger(server->port(), "");
  stranger.Get("/hello");
  EXPECT_EQ(stranger.Until("\r\n").substr(0, 12), "HTTP/1.1 401");
  Client client(server->port(), "");
  client.Get("/hello", "Authorization: Bearer " + kToken + "\r\n");
  EXPECT_EQ(client.Until("hello").substr(0, 12), "HTTP/1.1 200");
}

TEST_F(HttpTlsTest, WhoSpeaksInTheClearToTlsIsHungUpOnAndCounted) {
  const auto server = Start(Secured(), pages_);
  Client client(server->port(), "");
  client.Get("/hello", "Authorization: Bearer " + kToken + "\r\n");
  EXPECT_EQ(client.Until("hello").find("hello"), std::string::npos);
  EXPECT_EQ(counters_.Drops("http", Reason::kTlsHandshake).value(), 1u);
}

TEST_F(HttpTlsTest, AStreamGoesOverTlsAndEndsWithTheServer) {
  Stream stream;
  HttpOptions options = Secured();
  options.heartbeat = std::chrono::milliseconds{20};
  auto server = Start(options, stream);
  Client client(server->port(), Path("ca.crt"));
  client.Get("/events", "Authorization: Bearer " + kToken + "\r\n");
  EXPECT_NE(client.Until("alert feed\n\n").find("200"), std::string::npos);
  EXPECT_EQ(client.Until("\n\n"), ": still here\n\n");
  stream.Add();
  server->Notify();
  EXPECT_NE(client.Until("data: x\n\n").find("id: 1\n"), std::string::npos);
  server.reset();
  EXPECT_EQ(client.Until("id: 2").find("id: 2"), std::string::npos);
}

TEST_F(HttpTlsTest, ListensElsewhereOnlyWithCertificateKeyAndToken) {
  const auto reached_from_elsewhere = [&](auto change) {
    HttpOptions options = Secured();
    options.listen = "0.0.0.0";
    change(options);
    return HttpServer::Start(options, pages_, counters_);
  };
  const auto refused = [&](auto change, const std::string& key) {
    const auto server = reached_from_elsewhere(change);
    ASSERT_FALSE(server.ok());
    EXPECT_EQ(server.error().code, Code::kRefused);
    EXPECT_NE(server.error().message.find(key), std::string::npos) << server.error().message;
    EXPECT_EQ(server.error().message.find(kToken), std::string::npos);
  };
  refused([](HttpOptions& options) { options.tls_certificate = ""; }, "operations.tls_certificate");
  refused([](HttpOptions& options) { options.tls_key = ""; }, "operations.tls_key");
  refused([](HttpOptions& options) { options.token = ""; }, "operations.token_file");
  const auto server = reached_from_elsewhere([](HttpOptions&) {});
  ASSERT_TRUE(server.ok()) << server.error().ToString();
  EXPECT_TRUE(Client((*server)->port(), Path("ca.crt")).shook_hands());
}

TEST_F(HttpTlsTest, FilesThatAreNoPairAreRefusedByName) {
  const auto error_of = [&](const HttpOptions& options) {
    const auto server = HttpServer::Start(options, pages_, counters_);
    EXPECT_FALSE(server.ok());
    return server.ok() ? Error{} : server.error();
  };
  HttpOptions options = Secured();
  options.tls_key = "";
  EXPECT_EQ(error_of(options).code, Code::kInvalid);
  options.tls_key = Path("missing.key");
  EXPECT_EQ(error_of(options).code, Code::kNotFound);
  EXPECT_NE(error_of(options).message.find("missing.key"), std::string::npos);
  options.tls_key = Path("ca.crt");
  EXPECT_EQ(error_of(options).code, Code::kInvalid);
  EXPECT_NE(error_of(options).message.find("ca.crt"), std::string::npos);
}

TEST_F(HttpTlsTest, ATokenFileIsPrivateAndLongEnough) {
  EXPECT_EQ(*LoadHttpToken(""), "");
  EXPECT_EQ(LoadHttpToken(Path("token")).error().code, Code::kNotFound);
  Write("token", kToken + "\n");
  EXPECT_EQ(*LoadHttpToken(Path("token")), kToken);
  Write("token", kToken, 0640);
  EXPECT_TRUE(LoadHttpToken(Path("token")).ok());
  const std::pair<std::string, std::uint32_t> table[] = {
      {kToken, 0644},
      {kToken, 0602},
      {kToken, 0620},
      {kToken.substr(1), 0600},
      {"", 0600},
      {kToken + " " + kToken, 0600},
      {kToken + "\n" + kToken, 0600},
      {std::string(kHttpTokenCharactersMax + 10, 'x'), 0600}};
  for (const auto& [text, mode] : table) {
    Write("token", text, mode);
    const auto loaded = LoadHttpToken(Path("token"));
    ASSERT_FALSE(loaded.ok()) << text << " " << mode;
    EXPECT_EQ(loaded.error().code, Code::kInvalid);
    EXPECT_EQ(loaded.error().message.find(kToken.substr(1)), std::string::npos);
  }
}

}  // namespace
}  // namespace telltale::net
