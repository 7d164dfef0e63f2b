// Our client against our server: who asks, large bodies, and what a handler refuses by itself.
#include "net/http_client.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "base/clock.h"
#include "base/disk.h"
#include "base/mutex.h"
#include "net/certificates.h"
#include "net/http_server.h"
#include "net/http_test_client.h"

namespace telltale::net {
namespace {

constexpr std::size_t kLargeMax = 1u << 20;

// Lets in who has the token "open-sesame" or a certificate.
class Door final : public HttpHandler {
 public:
  HttpRoute RouteOf(const std::string& path) override {
    if (path == "/none") return {{}};
    return {{HttpMethod::kGet, HttpMethod::kPut}, "", kLargeMax};
  }
  std::optional<HttpResponse> RefuseEarly(const HttpRequest& head) override {
    EXPECT_EQ(head.body, "");
    if (head.bearer == "open-sesame" || !head.peer.common_name.empty()) return std::nullopt;
    return HttpResponse{401, "application/json", "\"who\""};
  }
  HttpResponse Worded(HttpResponse refusal) override {
    refusal.body = "worded: " + refusal.body;
    return refusal;
  }
  HttpAnswer Serve(const HttpRequest& request) override {
    {
      MutexLock lock(mutex_);
      ++served_;
    }
    if (request.path == "/wait") let_go.get_future().wait();
    return HttpResponse{200, "text/plain",
                        std::string(HttpMethodName(request.method)) + " " +
                            request.peer.common_name + " " + std::to_string(request.body.size())};
  }
  int served() {
    MutexLock lock(mutex_);
    return served_;
  }
  std::promise<void> let_go;

 private:
  Mutex mutex_;
  int served_ GUARDED_BY(mutex_) = 0;
};

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClientTest() {
    std::string pattern = ::testing::TempDir() + "/http-client-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    const Micros now = SystemClock().NowUtc();
    const auto authority = *CertificateAuthority::Create("people", now);
    Write("ca.crt", authority.certificate_pem());
    Keep("server", *authority.IssueServer(now));
    Keep("ann", *authority.IssueClient("ann", now));
    Write("other.crt", CertificateAuthority::Create("others", now)->certificate_pem());
  }
  ~HttpClientTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileDurably(disk_, Path(name), text, 0600).ok());
  }
  void Keep(const std::string& name, const CertificateAndKey& pair) {
    Write(name + ".crt", pair.certificate_pem);
    Write(name + ".key", pair.key_pem);
  }
  void Start(HttpOptions options) {
    options.handler_authenticates = true;
    options.workers = 2;
    auto server = HttpServer::Start(options, door_, counters_);
    ASSERT_TRUE(server.ok()) << server.error().ToString();
    server_ = std::move(server).value();
  }
  void StartTls() {
    Start({.tls_certificate = Path("server.crt"),
           .tls_key = Path("server.key"),
           .tls_client_ca = Path("ca.crt"),
           .tls_client_optional = true});
  }
  std::string Url(const std::string& scheme = "http", const std::string& host = "127.0.0.1") {
    return scheme + "://" + host + ":" + std::to_string(server_->port());
  }
  HttpClientOptions Tls(const std::string& ca = "ca.crt") {
    return {.url = Url("https"), .ca = Path(ca)};
  }

  std::string folder_;
  PosixDisk disk_;
  Counters counters_;
  Door door_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpClientTest, TheHandlerSeesTheTokenAndRefusesBeforeABodyIsRead) {
  Start({});
  const auto in = AskHttp({.url = Url(), .token = "open-sesame"}, {});
  ASSERT_TRUE(in.ok()) << in.error().ToString();
  EXPECT_EQ(in->body, "GET  0");
  const std::string large(kLargeMax, 'b');
  const auto out =
      AskHttp({.url = Url(), .token = "wrong"}, {.method = HttpMethod::kPut, .body = large});
  ASSERT_TRUE(out.ok()) << out.error().ToString();
  EXPECT_EQ(out->status, 401u);
  EXPECT_EQ(out->body, "\"who\"");
  EXPECT_EQ(door_.served(), 1);
  HttpTestClient raw({.port = server_->port()});
  raw.Get("/");
  EXPECT_NE(raw.Until("\r\n\r\n").find("WWW-Authenticate: Bearer"), std::string::npos);
}

TEST_F(HttpClientTest, ALargeBodyArrivesWholeAndOneOverTheRoutesLimitDoesNot) {
  Start({});
  const HttpClientOptions in{.url = Url(), .token = "open-sesame"};
  const auto whole = AskHttp(in, {.method = HttpMethod::kPut, .body = std::string(kLargeMax, 'b')});
  ASSERT_TRUE(whole.ok()) << whole.error().ToString();
  EXPECT_EQ(whole->body, "PUT  " + std::to_string(kLargeMax));
  const auto more =
      AskHttp(in, {.method = HttpMethod::kPut, .body = std::string(kLargeMax + 1, 'b')});
  ASSERT_TRUE(more.ok()) << more.error().ToString();
  EXPECT_EQ(more->status, 413u);
  EXPECT_TRUE(more->body.starts_with("worded: ")) << more->body;
}

TEST_F(HttpClientTest, OnlyAFewLargeBodiesAreTakenAtOneTime) {
  Start({});
  const std::string head =
      "PUT / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer open-sesame\r\n"
      "Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n";
  std::vector<std::unique_ptr<HttpTestClient>> open;
  for (int n = 0; n < kHttpLargeBodiesMax; ++n) {
    open.push_back(
        std::make_unique<HttpTestClient>(HttpTestClientOptions{.port = server_->port()}));
    open.back()->Send(head);
    EXPECT_EQ(open.back()->Status(), "100");
  }
  HttpTestClient late({.port = server_->port()});
  late.Send(head);
  EXPECT_EQ(late.Status(), "503");
  // One that is answered makes room.
  open[0]->Send(std::string(100'000, 'x'));
  EXPECT_EQ(open[0]->Status(), "200");
  HttpTestClient next({.port = server_->port()});
  next.Send(head);
  EXPECT_EQ(next.Status(), "100");
}

TEST_F(HttpClientTest, ACertificateOrATokenOpensOneDoor) {
  StartTls();
  HttpClientOptions ann = Tls();
  ann.certificate = Path("ann.crt");
  ann.key = Path("ann.key");
  const auto by_certificate = AskHttp(ann, {});
  ASSERT_TRUE(by_certificate.ok()) << by_certificate.error().ToString();
  EXPECT_EQ(by_certificate->body, "GET ann 0");
  HttpClientOptions token = Tls();
  token.token = "open-sesame";
  const auto by_token = AskHttp(token, {});
  ASSERT_TRUE(by_token.ok()) << by_token.error().ToString();
  EXPECT_EQ(by_token->body, "GET  0");
  token.ca = Path("server.crt");
  EXPECT_TRUE(AskHttp(token, {}).ok()) << "its own certificate stands for itself";
  const auto by_none = AskHttp(Tls(), {});
  ASSERT_TRUE(by_none.ok()) << by_none.error().ToString();
  EXPECT_EQ(by_none->status, 401u);
}

TEST_F(HttpClientTest, AServerThatIsNotWhoItShouldBeGetsNoToken) {
  StartTls();
  HttpClientOptions stranger = Tls("other.crt");
  stranger.token = "open-sesame";
  const auto unknown = AskHttp(stranger, {});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, Code::kRefused) << unknown.error().ToString();
  // Its certificate is for 127.0.0.1, ::1 and localhost: any other name is another machine's.
  HttpClientOptions elsewhere = Tls();
  elsewhere.url = Url("https", "127.0.0.2");
  elsewhere.token = "open-sesame";
  const auto other_name = AskHttp(elsewhere, {});
  ASSERT_FALSE(other_name.ok());
  EXPECT_EQ(door_.served(), 0);
}

TEST_F(HttpClientTest, ATokenLeavesThisMachineOnlyEncrypted) {
  const auto sent = AskHttp({.url = "http://192.0.2.1:80", .token = "open-sesame"}, {});
  ASSERT_FALSE(sent.ok());
  EXPECT_EQ(sent.error().code, Code::kRefused);
  for (const char* url : {"", "ftp://x:1", "http://", "http://x", "http://x:y", "http://x:1/path",
                          "http://u@x:1", "http://x:999999", "http://a b:1"}) {
    const auto bad = AskHttp({.url = url}, {});
    ASSERT_FALSE(bad.ok()) << url;
    EXPECT_EQ(bad.error().code, Code::kInvalid) << url;
  }
}

TEST_F(HttpClientTest, AServerThatSaysNothingIsGivenUpInTime) {
  Start({});
  const auto late =
      AskHttp({.url = Url(), .token = "open-sesame", .timeout = std::chrono::milliseconds{50}},
              {.target = "/wait"});
  door_.let_go.set_value();
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Code::kUnavailable);
  const std::string url = Url();
  server_.reset();
  const auto nobody = AskHttp({.url = url}, {});
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(nobody.error().code, Code::kUnavailable);
}

TEST_F(HttpClientTest, WithoutClientsAuthorityATokenOfTheHandlersNeedsTlsBeyondLoopback) {
  const auto open = HttpServer::Start(
      {.section = "control", .listen = "0.0.0.0", .handler_authenticates = true}, door_, counters_);
  ASSERT_FALSE(open.ok());
  EXPECT_EQ(open.error().code, Code::kRefused);
  EXPECT_EQ(open.error().message.find("token_file"), std::string::npos) << open.error().message;
}

TEST(HttpClient, APartOfAPathIsEscaped) {
  EXPECT_EQ(EscapeForHttp("a-b_c.d~9"), "a-b_c.d~9");
  EXPECT_EQ(EscapeForHttp("a/b?c d\n\xff"), "a%2Fb%3Fc%20d%0A%FF");
}

}  // namespace
}  // namespace telltale::net
