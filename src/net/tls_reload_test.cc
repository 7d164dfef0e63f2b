#include "net/tls_reload.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstdlib>
#include <deque>
#include <filesystem>

#include "base/clock.h"
#include "net/tls_listener.h"
#include "net/tls_test_peer.h"

namespace telltale::net {
namespace {

constexpr const char* kVin = "WVWZZZ1JZXW000001";
constexpr const char* kOtherVin = "WVWZZZ1JZXW000002";
constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;

std::string MakeTemporaryFolder() {
  std::string path = "/tmp/telltale-reload-XXXXXX";
  CHECK(mkdtemp(path.data()) != nullptr);
  return path;
}

// Accepts each connection with what `context` gives then, and sends back what it gets.
class TestDoor {
 public:
  struct Outcome {
    bool is_open = false;
    bool is_resumed = false;
    Error why{Code::kNotFound, ""};
  };

  explicit TestDoor(std::function<TlsContext()> context) : context_(std::move(context)) {
    auto listener = TlsListener::Listen(loop_, "127.0.0.1", 0, [this](int fd) { Accept(fd); });
    CHECK(listener.ok());
    listener_ = std::move(listener).value();
    thread_ = std::thread([this] { loop_.Run(); });
  }
  ~TestDoor() {
    loop_.Post([this] {
      listener_.reset();
      all_.clear();
      loop_.Stop();
    });
    thread_.join();
  }
  std::uint16_t port() const { return listener_->port(); }

  // How the next handshake ended, in the order of their ends.
  Outcome Next() {
    std::unique_lock lock(mutex_);
    CHECK(changed_.wait_for(lock, TestPeer::kPatience, [this] { return !outcomes_.empty(); }));
    const Outcome next = outcomes_.front();
    outcomes_.pop_front();
    return next;
  }
  // Of the connection that was accepted last.
  bool IsRevoked(const TlsContext& context) {
    std::promise<bool> answer;
    loop_.Post([&] { answer.set_value(context.IsRevoked(*all_.back()->tls)); });
    return answer.get_future().get();
  }

 private:
  struct One final : TlsConnection::Owner {
    explicit One(TestDoor& of) : door(of) {}
    void OnHandshake() override {
      is_open = true;
      door.Tell({true, tls->is_resumed(), {Code::kNotFound, ""}});
    }
    void OnBytes(ByteSpan bytes) override { tls->Write(AsText(bytes)); }
    void OnClosed(const Error& why) override {
      if (!is_open) door.Tell({false, false, why});
    }
    TestDoor& door;
    std::unique_ptr<TlsConnection> tls;
    bool is_open = false;
  };
  void Accept(int fd) {
    all_.push_back(std::make_unique<One>(*this));
    auto made = TlsConnection::Accepted(loop_, context_(), fd, *all_.back());
    CHECK(made.ok());
    all_.back()->tls = std::move(made).value();
  }
  void Tell(const Outcome& outcome) {
    std::lock_guard lock(mutex_);
    outcomes_.push_back(outcome);
    changed_.notify_all();
  }

  const std::function<TlsContext()> context_;
  EventLoop loop_;
  std::unique_ptr<TlsListener> listener_;
  std::vector<std::unique_ptr<One>> all_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Outcome> outcomes_;
  std::thread thread_;
};

// Each with TLS 1.2 and 1.3: their tickets are different things.
class TlsReloadTest : public testing::TestWithParam<int> {
 protected:
  TlsReloadTest() {
    files_.revocation_list = folder_ + "/ours/vehicles.crl";
    Load();
  }
  ~TlsReloadTest() override { std::filesystem::remove_all(folder_); }

  void Load() {
    auto made =
        ReloadableTlsContext::ForServer(files_, {.tickets = keys_, .clock = &certificates_at_});
    CHECK(made.ok());
    tls_ = std::move(made).value();
  }
  TlsContext Client(TlsFiles files) {
    files.ca = ours_.ca();
    auto made = TlsContext::ForClient(files);
    CHECK(made.ok());
    SSL_CTX_set_max_proto_version(made->get(), GetParam());
    return *made;
  }
  // A visit that must succeed; what it was given to come back with.
  TlsSession Visit(TestDoor& door, const TlsContext& client, bool resumes,
                   TlsSession session = nullptr) {
    TestPeer car(client, door.port(), std::move(session));
    car.Send("hello");
    EXPECT_TRUE(car.WaitBytes(5)) << car.why_closed().ToString();
    const TestDoor::Outcome outcome = door.Next();
    EXPECT_TRUE(outcome.is_open) << outcome.why.ToString();
    EXPECT_EQ(outcome.is_resumed, resumes);
    return car.TakeSession();
  }
  Error Refusal(TestDoor& door, const TlsContext& client, TlsSession session = nullptr) {
    TestPeer car(client, door.port(), std::move(session));
    const TestDoor::Outcome outcome = door.Next();
    EXPECT_FALSE(outcome.is_open);
    return outcome.why;
  }
  std::string Text(const std::string& path) {
    PosixDisk disk;
    return *ReadWholeFile(disk, path);
  }
  void Revoke(const TlsFiles& car, Micros at) {
    PosixDisk disk;
    const Status done =
        ours_.authority().RevokeIn(disk, folder_ + "/ours", Text(car.certificate), at);
    CHECK(done.ok());
  }
  void MustReload() {
    const auto changed = tls_->ReloadIfChanged();
    ASSERT_TRUE(changed.ok()) << changed.error().ToString();
    EXPECT_TRUE(*changed);
  }
  std::function<TlsContext()> Current() {
    return [this] { return tls_->current(); };
  }

  const std::string folder_ = MakeTemporaryFolder();
  // Clients judge the server by the real time, so certificates start there.
  const Micros now_ = SystemClock().NowUtc();
  ManualClock certificates_at_{now_};
  ManualClock keys_at_{now_};
  TestCertificates ours_{folder_ + "/ours", now_};
  TestCertificates foreign_{folder_ + "/foreign", now_};
  TlsFiles files_ = ours_.server();
  std::shared_ptr<TicketKeys> keys_ = std::make_shared<TicketKeys>(keys_at_);
  std::unique_ptr<ReloadableTlsContext> tls_;
};

TEST_P(TlsReloadTest, ABundleLetsInTheVehiclesOfEachOfItsAuthorities) {
  TestDoor door(Current());
  const TlsContext theirs = Client(foreign_.Vehicle(kOtherVin));
  EXPECT_FALSE(TlsErrorIsRevoked(Refusal(door, theirs)));
  ours_.Write("ca.crt", Text(ours_.ca()) + Text(foreign_.ca()));
  MustReload();
  Visit(door, theirs, false);
  Visit(door, Client(ours_.Vehicle(kVin)), false);
}

TEST_P(TlsReloadTest, ANewServerCertificateDropsNoConnection) {
  TestDoor door(Current());
  TestPeer car(Client(ours_.Vehicle(kVin)), door.port());
  ASSERT_TRUE(car.WaitHandshake());
  EXPECT_TRUE(door.Next().is_open);
  const TlsContext former = tls_->current();
  const auto server = ours_.authority().IssueServer(now_);
  ours_.Write("server.crt", server->certificate_pem);
  ours_.Write("server.key", server->key_pem);
  MustReload();
  EXPECT_FALSE(*tls_->ReloadIfChanged());
  EXPECT_NE(X509_cmp(SSL_CTX_get0_certificate(former.get()),
                     SSL_CTX_get0_certificate(tls_->current().get())),
            0);
  Visit(door, Client(ours_.Vehicle(kOtherVin)), false);
  car.Send("still here");
  EXPECT_TRUE(car.WaitBytes(10));
}

TEST_P(TlsReloadTest, BrokenNewFilesKeepTheFormerAndAreNamed) {
  TestDoor door(Current());
  const std::string key = Text(files_.key);
  ours_.Write("server.key", Text(foreign_.server().key));
  for (int i = 0; i < 2; ++i) {
    const auto changed = tls_->ReloadIfChanged();
    ASSERT_FALSE(changed.ok());
    EXPECT_EQ(changed.error().code, Code::kInvalid);
    EXPECT_NE(changed.error().message.find("ours/server.key"), std::string::npos);
  }
  ours_.Write("server.key", key);
  const auto list = foreign_.authority().Revoke("", Text(foreign_.Vehicle(kVin).certificate), now_);
  ours_.Write("vehicles.crl", *list);
  EXPECT_EQ(tls_->ReloadIfChanged().error().code, Code::kInvalid);
  Visit(door, Client(ours_.Vehicle(kVin)), false);
}

TEST_P(TlsReloadTest, ARevokedVehicleIsRefusedAlsoWithItsTicketAndFoundAmongTheOpen) {
  TestDoor door(Current());
  const TlsFiles files = ours_.Vehicle(kVin);
  const TlsContext client = Client(files);
  const TlsSession session = Visit(door, client, false);
  ASSERT_NE(session, nullptr);
  TestPeer open(client, door.port(), session);
  ASSERT_TRUE(open.WaitHandshake());
  EXPECT_TRUE(door.Next().is_resumed);
  EXPECT_FALSE(door.IsRevoked(tls_->current()));
  Revoke(files, now_);
  MustReload();
  EXPECT_TRUE(door.IsRevoked(tls_->current()));
  EXPECT_TRUE(TlsErrorIsRevoked(Refusal(door, client)));
  EXPECT_TRUE(TlsErrorIsRevoked(Refusal(door, client, session)));
  Visit(door, Client(ours_.Vehicle(kOtherVin)), false);
}

TEST_P(TlsReloadTest, AListThatCannotBeRightKeepsTheFormer) {
  TestDoor door(Current());
  const TlsFiles files = ours_.Vehicle(kVin);
  Revoke(files, now_);
  MustReload();
  const std::string good = Text(files_.revocation_list);
  const auto expired = ours_.authority().Revoke("", Text(ours_.Vehicle(kOtherVin).certificate),
                                                now_ - Micros::Seconds(40 * kDay));
  const struct {
    std::string text;
    Code code;
  } cases[] = {{"", Code::kInvalid},  // opened for writing, nothing written yet
               {good.substr(0, good.size() / 2), Code::kInvalid},
               {*expired, Code::kRefused}};
  for (const auto& test : cases) {
    ours_.Write("vehicles.crl", test.text);
    const auto changed = tls_->ReloadIfChanged();
    ASSERT_FALSE(changed.ok());
    EXPECT_EQ(changed.error().code, test.code) << changed.error().ToString();
    EXPECT_NE(changed.error().message.find("vehicles.crl"), std::string::npos);
    EXPECT_TRUE(TlsErrorIsRevoked(Refusal(door, Client(files))));
  }
  std::filesystem::remove(files_.revocation_list);
  EXPECT_EQ(tls_->ReloadIfChanged().error().code, Code::kRefused);
  EXPECT_TRUE(TlsErrorIsRevoked(Refusal(door, Client(files))));
  ours_.Write("vehicles.crl", good);
  EXPECT_FALSE(*tls_->ReloadIfChanged());
  Revoke(ours_.Vehicle(kOtherVin), now_);
  MustReload();
}

TEST_P(TlsReloadTest, AnAuthorityLeavesTheBundleWithItsList) {
  Revoke(ours_.Vehicle(kVin), now_);
  MustReload();
  const TlsContext theirs = Client(foreign_.Vehicle(kVin));  // it knows the server by our ca.crt
  std::filesystem::remove(files_.revocation_list);
  ours_.Write("ca.crt", Text(foreign_.ca()));
  MustReload();
  TestDoor door(Current());
  Visit(door, theirs, false);
}

TEST_P(TlsReloadTest, AListThatExpiresInForceStillCountsAndIsTold) {
  const TlsFiles files = ours_.Vehicle(kVin);
  Revoke(files, now_ - Micros::Seconds(40 * kDay));
  Load();
  TestDoor door(Current());
  ours_.Write("ca.crt", Text(ours_.ca()) + Text(foreign_.ca()));
  MustReload();  // an old list does not hold up the other files
  EXPECT_TRUE(tls_->current().has_stale_list(now_));
  EXPECT_TRUE(TlsErrorIsRevoked(Refusal(door, Client(files))));
  Visit(door, Client(ours_.Vehicle(kOtherVin)), false);
}

TEST_P(TlsReloadTest, ATicketIsGoodAcrossAReload) {
  TestDoor door(Current());
  const TlsContext client = Client(ours_.Vehicle(kVin));
  TlsSession session = Visit(door, client, false);
  Revoke(ours_.Vehicle(kOtherVin), now_);
  MustReload();
  session = Visit(door, client, true, session);
  Visit(door, client, true, session);
}

TEST_P(TlsReloadTest, ATicketOfAnExpiredCertificateLetsNobodyIn) {
  TestDoor door(Current());
  const TlsContext client = Client(ours_.Vehicle(kVin));
  const TlsSession session = Visit(door, client, false);
  certificates_at_.JumpUtc(Micros::Seconds(11 * 366 * kDay));
  const Error why = Refusal(door, client, session);
  EXPECT_FALSE(TlsErrorIsRevoked(why));
  EXPECT_NE(why.message.find("expired"), std::string::npos) << why.message;
}

TEST_P(TlsReloadTest, ATicketOfAnAuthorityThatLeftTheBundleLetsNobodyIn) {
  const std::string own = Text(ours_.ca());
  ours_.Write("ca.crt", own + Text(foreign_.ca()));
  MustReload();
  TestDoor door(Current());
  const TlsContext theirs = Client(foreign_.Vehicle(kVin));
  const TlsSession session = Visit(door, theirs, false);
  Visit(door, theirs, true, session);
  ours_.Write("ca.crt", own);
  MustReload();
  EXPECT_EQ(Refusal(door, theirs, session).code, Code::kRefused);
}

TEST_P(TlsReloadTest, AnUnknownTicketCostsAWholeHandshake) {
  TestDoor door(Current());
  const TlsContext client = Client(ours_.Vehicle(kVin));
  const TlsSession session = Visit(door, client, false);
  keys_ = std::make_shared<TicketKeys>(keys_at_);
  Load();  // as a restart
  Visit(door, client, false, session);
}

TEST_P(TlsReloadTest, AKeyIsReplacedWithoutANewFileAndItsTicketsAreGone) {
  TestDoor door(Current());
  const TlsContext client = Client(ours_.Vehicle(kVin));
  const TlsSession former = Visit(door, client, false);
  keys_at_.Advance(Micros::Seconds(11 * kHour));
  ASSERT_TRUE(tls_->ReloadIfChanged().ok());
  Visit(door, client, true, former);
  keys_at_.Advance(Micros::Seconds(2 * kHour));
  const auto changed = tls_->ReloadIfChanged();
  ASSERT_TRUE(changed.ok());
  EXPECT_FALSE(*changed);  // no file has
  const TlsSession session = Visit(door, client, false, former);
  Visit(door, client, true, session);
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsReloadTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

}  // namespace
}  // namespace telltale::net
