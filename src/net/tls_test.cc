#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <future>

#include "base/clock.h"
#include "net/tls_identity.h"
#include "net/tls_listener.h"
#include "net/tls_test_peer.h"

namespace telltale::net {
namespace {

constexpr std::string_view kVin = "WVWZZZ1JZXW000001";

std::string MakeTemporaryFolder() {
  std::string path = "/tmp/telltale-net-XXXXXX";
  CHECK(mkdtemp(path.data()) != nullptr);
  return path;
}

// A server that sends back what it gets, on one loop or handed over to a second one.
class EchoServer {
 public:
  explicit EchoServer(const TlsContext& context, bool hands_over = false)
      : context_(context), hands_over_(hands_over) {
    auto listener = TlsListener::Listen(loop_, "127.0.0.1", 0, [this](int fd) { Accept(fd); });
    CHECK(listener.ok());
    listener_ = std::move(listener).value();
    threads_[0] = std::thread([this] { loop_.Run(); });
    threads_[1] = std::thread([this] { second_.Run(); });
  }
  ~EchoServer() {
    loop_.Post([this] {
      listener_.reset();
      if (!hands_over_) one_.reset();
      loop_.Stop();
    });
    threads_[0].join();
    second_.Post([this] {
      one_.reset();
      second_.Stop();
    });
    threads_[1].join();
  }
  std::uint16_t port() const { return listener_->port(); }
  std::string WhyRefused() { return Get(refused_).ToString(); }
  std::string Identity() { return Get(identity_); }
  void PauseReading() {
    loop_.Post([this] { one_->tls->PauseReading(); });
  }
  void ResumeReading() {
    loop_.Post([this] { one_->tls->ResumeReading(); });
  }
  std::atomic<std::size_t> bytes_received{0};

 private:
  template <typename T>
  static T Get(std::promise<T>& promise) {
    auto answer = promise.get_future();
    CHECK(answer.wait_for(TestPeer::kPatience) == std::future_status::ready);
    return answer.get();
  }
  struct One final : TlsConnection::Owner {
    explicit One(EchoServer& of) : server(of) {}
    void OnHandshake() override {
      const auto vin = VehicleIdentityOf(*tls);
      server.identity_.set_value(vin.ok() ? *vin : vin.error().ToString());
    }
    void OnBytes(ByteSpan bytes) override {
      server.bytes_received += bytes.size();
      tls->Write(AsText(bytes));
      if (!std::exchange(server.hands_over_now_, false)) return;
      tls->Detach();
      server.second_.Post([this] { CHECK(tls->Attach(server.second_, *this).ok()); });
    }
    void OnClosed(const Error& why) override {
      if (!std::exchange(told, true)) server.refused_.set_value(why);
    }
    EchoServer& server;
    std::unique_ptr<TlsConnection> tls;
    bool told = false;
  };
  void Accept(int fd) {
    one_ = std::make_unique<One>(*this);
    auto made = TlsConnection::Accepted(loop_, context_, fd, *one_);
    CHECK(made.ok());
    one_->tls = std::move(made).value();
    hands_over_now_ = hands_over_;
  }

  TlsContext context_;
  const bool hands_over_;
  bool hands_over_now_ = false;
  EventLoop loop_;
  EventLoop second_;
  std::unique_ptr<TlsListener> listener_;
  std::unique_ptr<One> one_;
  std::promise<Error> refused_;
  std::promise<std::string> identity_;
  std::thread threads_[2];
};

class TlsTest : public testing::Test {
 protected:
  ~TlsTest() override { std::filesystem::remove_all(folder_); }
  template <typename T>
  static T Take(Result<T> result) {
    EXPECT_TRUE(result.ok()) << result.error().ToString();
    return std::move(result).value();
  }

  const std::string folder_ = MakeTemporaryFolder();
  SystemClock clock_;  // certificates are checked against the real time
  TestCertificates ours_{folder_ + "/ours", clock_.NowUtc()};
  TestCertificates foreign_{folder_ + "/foreign", clock_.NowUtc()};
  TlsContext server_ = Take(TlsContext::ForServer(ours_.server()));
};

TEST_F(TlsTest, BothEndsAreWhoTheirCertificatesSay) {
  EchoServer server(server_);
  TestPeer car(Take(TlsContext::ForClient(ours_.Vehicle(std::string(kVin)))), server.port());
  ASSERT_TRUE(car.WaitHandshake());
  EXPECT_EQ(server.Identity(), kVin);
  car.Send("hello");
  ASSERT_TRUE(car.WaitBytes(5));
  EXPECT_EQ(car.received(), "hello");
}

TEST_F(TlsTest, TheCommonNameCountsWhereThereIsNoUri) {
  EchoServer server(server_);
  const TlsFiles files = ours_.Vehicle(std::string(kVin), VinPlace::kCommonName);
  TestPeer car(Take(TlsContext::ForClient(files)), server.port());
  EXPECT_EQ(server.Identity(), kVin);
}

TEST_F(TlsTest, NoCertificateIsRefused) {
  EchoServer server(server_);
  TestPeer stranger(Take(TlsContext::ForClientWithoutCertificate(ours_.ca())), server.port());
  EXPECT_TRUE(server.WhyRefused().starts_with("refused: TLS handshake failed"));
  EXPECT_TRUE(stranger.WaitClosed());
}

TEST_F(TlsTest, ACertificateOfAnotherAuthorityIsRefused) {
  EchoServer server(server_);
  TlsFiles files = foreign_.Vehicle(std::string(kVin));
  files.ca = ours_.ca();
  TestPeer stranger(Take(TlsContext::ForClient(files)), server.port());
  EXPECT_TRUE(server.WhyRefused().starts_with("refused: TLS handshake failed"));
  EXPECT_TRUE(stranger.WaitClosed());
}

TEST_F(TlsTest, ACarRefusesAServerOfAnotherAuthority) {
  EchoServer server(server_);
  TlsFiles files = ours_.Vehicle(std::string(kVin));
  files.ca = foreign_.ca();
  TestPeer car(Take(TlsContext::ForClient(files)), server.port());
  EXPECT_FALSE(car.WaitHandshake());
  EXPECT_EQ(car.why_closed().code, Code::kRefused);
}

TEST_F(TlsTest, OlderThanTls12IsRefused) {
  EchoServer server(server_);
  const TlsContext old = Take(TlsContext::ForClient(ours_.Vehicle(std::string(kVin))));
  SSL_CTX_set_min_proto_version(old.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old.get(), TLS1_1_VERSION);
  SSL_CTX_set_security_level(old.get(), 0);
  TestPeer car(old, server.port());
  EXPECT_FALSE(car.WaitHandshake());
}

TEST_F(TlsTest, Tls12Works) {
  EchoServer server(server_);
  const TlsContext older = Take(TlsContext::ForClient(ours_.Vehicle(std::string(kVin))));
  SSL_CTX_set_max_proto_version(older.get(), TLS1_2_VERSION);
  TestPeer car(older, server.port());
  car.Send("hello");
  ASSERT_TRUE(car.WaitBytes(5));
}

TEST_F(TlsTest, AMegabyteComesBackWholeAndInOrder) {
  EchoServer server(server_);
  TestPeer car(Take(TlsContext::ForClient(ours_.Vehicle(std::string(kVin)))), server.port());
  ASSERT_TRUE(car.WaitHandshake());
  std::string sent;
  for (int i = 0; sent.size() < (3u << 20); ++i) sent += std::to_string(i) + ",";
  for (std::size_t at = 0; at < sent.size(); at += 50'000) car.Send(sent.substr(at, 50'000));
  ASSERT_TRUE(car.WaitBytes(sent.size()));
  EXPECT_TRUE(car.received() == sent);
}

TEST_F(TlsTest, AConnectionMovesToAnotherLoopWithoutLosingAByte) {
  EchoServer server(server_, true);
  TestPeer car(Take(TlsContext::ForClient(ours_.Vehicle(std::string(kVin)))), server.port());
  std::string sent;
  for (int i = 0; i < 20'000; ++i) sent += std::to_string(i) + ",";
  for (std::size_t at = 0; at < sent.size(); at += 1'000) car.Send(sent.substr(at, 1'000));
  ASSERT_TRUE(car.WaitBytes(sent.size()));
  EXPECT_TRUE(car.received() == sent);
}

TEST_F(TlsTest, WhoDoesNotReadItsAnswersIsNotServedMore) {
  EchoServer server(server_);
  TestPeer car(Take(TlsContext::ForClient(ours_.Vehicle(std::string(kVin)))), server.port());
  ASSERT_TRUE(car.WaitHandshake());
  car.PauseReading();
  constexpr std::size_t kSent = 64u << 20;
  std::string sent(kSent, 'x');
  car.Send(std::move(sent));
  // What the server takes is bounded by its own marks and the kernel's socket buffers.
  std::size_t before = 1;
  for (int calm = 0; calm < 3;) {
    const std::size_t now = server.bytes_received;
    calm = now == before && now > 0 ? calm + 1 : 0;
    before = now;
    EventLoop waiting;
    Timer timer(waiting);
    timer.After(std::chrono::milliseconds(100), [&] { waiting.Stop(); });
    waiting.Run();
  }
  EXPECT_LT(server.bytes_received, kSent / 2);
}

TEST_F(TlsTest, FilesThatAreMissingOrWrongAreNamed) {
  TlsFiles files = ours_.server();
  files.key = folder_ + "/nowhere.key";
  const auto missing = TlsContext::ForServer(files);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_NE(missing.error().message.find("nowhere.key"), std::string::npos);
  files.key = foreign_.server().key;
  const auto wrong = TlsContext::ForServer(files);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, Code::kInvalid);
  EXPECT_NE(wrong.error().message.find("foreign/server.key"), std::string::npos);
}

// A certificate with this common name (may be empty) and these URIs; nobody signed it.
std::unique_ptr<X509, void (*)(X509*)> CertificateOf(const std::string& common_name,
                                                     const std::string& names) {
  std::unique_ptr<X509, void (*)(X509*)> made(X509_new(), X509_free);
  if (!common_name.empty()) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.data()),
                               static_cast<int>(common_name.size()), -1, 0);
  }
  if (!names.empty()) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    CHECK(extension != nullptr);
    X509_add_ext(made.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  return made;
}

TEST(VehicleIdentityTest, OurUriDecidesAndOtherwiseTheCommonName) {
  const std::string vin(kVin);
  const std::string other = "WVWZZZ1JZXW000002";
  const std::string urn = "URI:urn:telltale:vin:";
  const struct {
    const char* what;
    std::string common_name;
    std::string names;
    std::string identity;  // empty: refused
  } cases[] = {
      {"URI", "anything", urn + vin, vin},
      {"URI before a common name that is a VIN too", other, urn + vin, vin},
      {"common name without any URI", vin, "", vin},
      {"common name beside URIs of others", vin, "URI:https://a.example/x,DNS:b.example", vin},
      {"our URI among others", "", "URI:https://a.example/x," + urn + vin, vin},
      {"the same URI twice", "", urn + vin + "," + urn + vin, vin},
      {"our URI without a VIN does not fall back", vin, urn + "X", ""},
      {"two VINs", "", urn + vin + "," + urn + other, ""},
      {"lower case", "", "URI:urn:telltale:vin:wvwzzz1jzxw000001", ""},
      {"common name that is no VIN", "localhost", "", ""},
      {"common name with a byte behind the VIN", vin + '\0', "", ""},
      {"no name at all", "", "", ""},
      {"VIN as DNS name only", "", "DNS:" + vin, ""},
  };
  for (const auto& test : cases) {
    const auto certificate = CertificateOf(test.common_name, test.names);
    const auto identity = VehicleIdentityOfCertificate(certificate.get());
    EXPECT_EQ(identity.ok() ? *identity : "", test.identity) << test.what;
    if (identity.ok()) continue;
    EXPECT_EQ(identity.error().code, Code::kRefused) << test.what;
    EXPECT_EQ(identity.error().message.find("WVWZZZ"), std::string::npos) << test.what;
  }
}

TEST(IsVinTest, SeventeenLettersAndDigitsWithoutTheThreeThatLookLikeDigits) {
  EXPECT_TRUE(IsVin(kVin));
  for (const char* bad :
       {"", "WVWZZZ1JZXW00000", "WVWZZZ1JZXW0000011", "WVWZZZ1JZXW00000I", "WVWZZZ1JZXW00000O",
        "WVWZZZ1JZXW00000Q", "wVWZZZ1JZXW000001", "WVWZZZ1JZXW 00001"}) {
    EXPECT_FALSE(IsVin(bad)) << bad;
  }
}

TEST(EventLoopTest, RunsTasksInOrderAndTimersAtTheirTime) {
  EventLoop loop;
  std::string order;
  int turns = 0;
  loop.SetOnTurn([&] { ++turns; });
  Timer timer(loop);
  Timer never(loop);
  never.After(std::chrono::milliseconds(1), [&] { order += "never"; });
  int beats = 0;
  loop.Post([&] { order += "a"; });
  loop.Post([&] {
    order += "b";
    never.Cancel();
    timer.Every(std::chrono::milliseconds(1), [&] {
      if (++beats == 3) loop.Stop();
    });
  });
  loop.Run();
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(beats, 3);
  EXPECT_GE(turns, 2);
}

}  // namespace
}  // namespace telltale::net
