// A listener that shakes hands only with who has a certificate of its clients' authority.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "base/clock.h"
#include "base/disk.h"
#include "base/ids.h"
#include "net/certificates.h"
#include "net/http_peer.h"
#include "net/http_server.h"
#include "net/http_test_client.h"
#include "net/tls_files.h"

namespace telltale::net {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

class Never final : public HttpSource {
 public:
  explicit Never(std::promise<void>* destroyed = nullptr) : destroyed_(destroyed) {}
  ~Never() override {
    if (destroyed_ != nullptr) destroyed_->set_value();
  }
  HttpPiece Pull(std::size_t, const Wake&) override { return {HttpPiece::State::kNotYet}; }

 private:
  std::promise<void>* const destroyed_;
};

// Says who asks.
class Who final : public HttpHandler {
 public:
  HttpRoute RouteOf(const std::string&) override {
    return {{HttpMethod::kGet, HttpMethod::kPost}, ""};
  }
  HttpAnswer Serve(const HttpRequest& request) override {
    if (request.path == "/never") return {HttpResponse{}, std::make_shared<Never>()};
    if (request.path == "/slow") {
      begun.set_value();
      let_go.get_future().wait();
      return {HttpResponse{}, std::make_shared<Never>(&destroyed)};
    }
    return HttpResponse{200, "text/plain",
                        request.peer.common_name + " " + request.peer.certificate_sha256 + "\n"};
  }

  std::promise<void> begun;
  std::promise<void> let_go;
  std::promise<void> destroyed;
};

class MovableClock final : public Clock {
 public:
  Micros NowUtc() const override { return Micros{now_}; }
  Micros NowMonotonic() const override { return Micros{now_}; }
  void Add(std::int64_t us) { now_ += us; }

 private:
  std::atomic<std::int64_t> now_{SystemClock().NowUtc().value};
};

class HttpClientCertificateTest : public ::testing::Test {
 protected:
  HttpClientCertificateTest()
      : authority_(*CertificateAuthority::Create("people", clock_.NowUtc())),
        other_(*CertificateAuthority::Create("others", clock_.NowUtc())) {
    std::string pattern = ::testing::TempDir() + "/http-mtls-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    Write("people.crt", authority_.certificate_pem());
    Write("other.crt", other_.certificate_pem());
    // The server's own is of another authority than its clients'.
    Keep("server", *other_.IssueServer(clock_.NowUtc()));
    Keep("ann", *authority_.IssueClient("ann", clock_.NowUtc()));
    Keep("bob", *authority_.IssueClient("bob", clock_.NowUtc()));
    Start();
  }
  ~HttpClientCertificateTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileDurably(disk_, Path(name), text, 0600).ok());
  }
  std::string Read(const std::string& name) {
    return *ReadWholeFile(disk_, Path(name), kTlsFileBytesMax);
  }
  void Keep(const std::string& name, const CertificateAndKey& pair) {
    Write(name + ".crt", pair.certificate_pem);
    Write(name + ".key", pair.key_pem);
  }
  HttpOptions Options() const {
    return {.section = "vault",
            .tls_certificate = Path("server.crt"),
            .tls_key = Path("server.key"),
            .tls_client_ca = Path("people.crt"),
            .tls_revocation_list = Path("people.crl"),
            .workers = 2,
            .clock = &clock_};
  }
  void Start() {
    auto server = HttpServer::Start(Options(), who_, counters_);
    ASSERT_TRUE(server.ok()) << server.error().ToString();
    server_ = std::move(server).value();
  }
  HttpTestClientOptions Named(const std::string& name) const {
    return {.port = server_->port(),
            .ca = Path("other.crt"),
            .certificate = name.empty() ? "" : Path(name + ".crt"),
            .key = name.empty() ? "" : Path(name + ".key")};
  }
  // What the server says of who asks, "" when it says nothing.
  static std::string Ask(HttpTestClient& client) {
    client.Get("/");
    client.Until("\r\n\r\n");
    return client.Until("\n");
  }
  std::string AskOnce(const HttpTestClientOptions& options) {
    HttpTestClient client(options);
    return Ask(client);
  }
  // "ann <SHA-256 of ann.crt>\n"
  std::string Expected(const std::string& name) {
    const std::unique_ptr<BIO, FreeWith<BIO_free>> in(
        BIO_new_file(Path(name + ".crt").c_str(), "r"));
    const std::unique_ptr<X509, FreeWith<X509_free>> certificate(
        PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    unsigned char digest[32];
    EXPECT_EQ(
        EVP_Digest(der, static_cast<std::size_t>(size), digest, nullptr, EVP_sha256(), nullptr), 1);
    OPENSSL_free(der);
    return name + " " + HexEncode(digest, sizeof(digest)) + "\n";
  }
  std::uint64_t refused() { return counters_.Drops("http", Reason::kTlsHandshake).value(); }
  std::uint64_t ended() { return counters_.Get("http_certificates_ended_total").value(); }
  void Revoke(const std::string& name) {
    const std::string list = disk_.Exists(Path("people.crl")) ? Read("people.crl") : "";
    Write("people.crl", *authority_.Revoke(list, Read(name + ".crt"), clock_.NowUtc()));
  }

  MovableClock clock_;
  PosixDisk disk_;
  CertificateAuthority authority_;
  CertificateAuthority other_;
  std::string folder_;
  Who who_;
  Counters counters_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpClientCertificateTest, ARequestSaysWhoAsksOnEachRequestOfAConnection) {
  HttpTestClient ann(Named("ann"));
  HttpTestClient bob(Named("bob"));
  ASSERT_NE(Expected("ann"), Expected("bob"));
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(Ask(ann), Expected("ann"));
    EXPECT_EQ(Ask(bob), Expected("bob"));
    ann.Post("/", "body that says it is bob", "X-Forwarded-For: bob\r\n");
    ann.Until("\r\n\r\n");
    EXPECT_EQ(ann.Until("\n"), Expected("ann"));
  }
  EXPECT_EQ(refused(), 0u);
}

TEST_F(HttpClientCertificateTest, WhoHasNoCertificateForThisIsNotShakenHandsWith) {
  Keep("stranger", *other_.IssueClient("ann", clock_.NowUtc()));
  Keep("late", *authority_.IssueClient("ann", Micros{clock_.NowUtc().value - 400 * kDayUs}));
  Keep("early", *authority_.IssueClient("ann", Micros{clock_.NowUtc().value + 2 * kDayUs}));
  Keep("for-servers", *authority_.IssueServer(clock_.NowUtc()));
  // Another authority of the same name.
  const auto double_ = *CertificateAuthority::Create("people", clock_.NowUtc());
  Keep("forged", *double_.IssueClient("ann", clock_.NowUtc()));
  Revoke("bob");
  ASSERT_TRUE(*server_->ReloadTls());
  for (const char* name : {"", "stranger", "late", "early", "for-servers", "forged", "bob"}) {
    EXPECT_EQ(AskOnce(Named(name)), "") << name;
  }
  EXPECT_EQ(AskOnce(Named("ann")), Expected("ann"));
  EXPECT_EQ(refused(), 7u);
}

TEST_F(HttpClientCertificateTest, OnlyTls13IsSpoken) {
  auto options = Named("ann");
  options.tls_version_max = TLS1_2_VERSION;
  EXPECT_FALSE(HttpTestClient(options).shook_hands());
  HttpTestClient in_the_clear({.port = server_->port()});
  in_the_clear.Get("/");
  EXPECT_EQ(in_the_clear.Status(), "");
  EXPECT_EQ(AskOnce(Named("ann")), Expected("ann"));
}

TEST_F(HttpClientCertificateTest, NoSessionIsResumedSoIdentityIsOfTheHandshake) {
  HttpTestClient ann(Named("ann"));
  EXPECT_EQ(Ask(ann), Expected("ann"));  // a ticket would have come by now
  const std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>> session(
      SSL_get1_session(ann.ssl()));
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(SSL_SESSION_has_ticket(session.get()), 0);
  EXPECT_EQ(SSL_SESSION_is_resumable(session.get()), 0);
  // A client that tries all the same is who its certificate says, or nobody.
  auto options = Named("bob");
  options.session = session.get();
  HttpTestClient bob(options);
  EXPECT_EQ(Ask(bob), Expected("bob"));
  EXPECT_EQ(SSL_session_reused(bob.ssl()), 0);
  options = Named("");
  options.session = session.get();
  EXPECT_EQ(AskOnce(options), "");
}

TEST_F(HttpClientCertificateTest, ARevokedClientsOpenConnectionsEndAndOthersStay) {
  HttpTestClient ann(Named("ann"));
  HttpTestClient bob(Named("bob"));
  HttpTestClient streaming(Named("bob"));
  EXPECT_EQ(Ask(ann), Expected("ann"));
  EXPECT_EQ(Ask(bob), Expected("bob"));
  streaming.Get("/never");
  EXPECT_EQ(streaming.Status(), "200");
  EXPECT_FALSE(*server_->ReloadTls()) << "nothing has changed";
  Revoke("bob");
  EXPECT_TRUE(*server_->ReloadTls());
  EXPECT_EQ(bob.Rest(), "");
  EXPECT_EQ(streaming.Rest(), "") << "no last chunk";
  EXPECT_EQ(Ask(ann), Expected("ann"));
  EXPECT_EQ(AskOnce(Named("bob")), "");
  EXPECT_EQ(ended(), 2u);
}

TEST_F(HttpClientCertificateTest, WhoIsRevokedDuringTheWorkGetsNoAnswer) {
  HttpTestClient bob(Named("bob"));
  bob.Get("/slow");
  who_.begun.get_future().wait();
  Revoke("bob");
  EXPECT_TRUE(*server_->ReloadTls());
  EXPECT_EQ(bob.Rest(), "");
  who_.let_go.set_value();
  who_.destroyed.get_future().wait();
  EXPECT_EQ(ended(), 1u);
  EXPECT_EQ(AskOnce(Named("ann")), Expected("ann"));
}

TEST_F(HttpClientCertificateTest, ACertificateThatExpiresEndsItsConnection) {
  HttpTestClient ann(Named("ann"));
  EXPECT_EQ(Ask(ann), Expected("ann"));
  clock_.Add(182 * kDayUs);
  EXPECT_EQ(Ask(ann), Expected("ann"));
  clock_.Add(2 * kDayUs);
  EXPECT_EQ(Ask(ann), "");
  EXPECT_EQ(ended(), 1u);
}

TEST_F(HttpClientCertificateTest, RenewedFilesAreInForceAndBrokenOnesAreNot) {
  HttpTestClient before(Named("ann"));
  EXPECT_EQ(Ask(before), Expected("ann"));
  const std::string good = Read("server.crt");
  Write("server.crt", good.substr(0, good.size() / 2));
  EXPECT_FALSE(server_->ReloadTls().ok());
  EXPECT_EQ(AskOnce(Named("ann")), Expected("ann"));
  Keep("server", *other_.IssueServer(clock_.NowUtc()));
  EXPECT_TRUE(*server_->ReloadTls());
  HttpTestClient after(Named("ann"));
  EXPECT_EQ(Ask(after), Expected("ann"));
  EXPECT_NE(
      X509_cmp(SSL_get0_peer_certificate(after.ssl()), SSL_get0_peer_certificate(before.ssl())), 0);
  EXPECT_EQ(Ask(before), Expected("ann"));
  // Clients' authorities follow as well.
  Write("people.crt", other_.certificate_pem());
  EXPECT_TRUE(*server_->ReloadTls());
  EXPECT_EQ(AskOnce(Named("ann")), "");
}

TEST_F(HttpClientCertificateTest, SettingsThatCannotBeMeantAreRefused) {
  const auto error_of = [&](auto change) {
    HttpOptions options = Options();
    change(options);
    const auto server = HttpServer::Start(options, who_, counters_);
    return server.ok() ? Error{Code::kNotFound, "started"} : server.error();
  };
  EXPECT_EQ(error_of([](HttpOptions& options) { options.listen = "0.0.0.0"; }).message, "started")
      << "certificates stand for the token";
  EXPECT_EQ(
      error_of([](HttpOptions& options) { options.tls_certificate = options.tls_key = ""; }).code,
      Code::kInvalid);
  EXPECT_NE(error_of([&](HttpOptions& options) {
              options.tls_client_ca = Path("missing.crt");
            }).message.find("missing.crt"),
            std::string::npos);
  EXPECT_EQ(error_of([&](HttpOptions& options) { options.tls_client_ca = Path("ann.key"); }).code,
            Code::kInvalid);
  EXPECT_EQ(error_of([](HttpOptions& options) { options.workers = kHttpWorkersMax + 1; }).code,
            Code::kInvalid);
}

TEST(HttpPeerTest, ACertificateThatDoesNotNameOneIsNobodys) {
  const std::pair<std::vector<std::string>, bool> table[] = {
      {{"ann"}, true},    {{"Änne"}, true},
      {{}, false},        {{"ann", "bob"}, false},
      {{"ann\n"}, false}, {{std::string("ann\0bob", 7)}, false},
      {{"\x7f"}, false},  {{std::string(64, 'x')}, true},
  };
  for (const auto& [names, is_taken] : table) {
    const std::unique_ptr<X509, FreeWith<X509_free>> certificate(X509_new());
    const std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
    for (const std::string& name : names) {
      ASSERT_EQ(X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                                           MBSTRING_UTF8,
                                           reinterpret_cast<const unsigned char*>(name.data()),
                                           static_cast<int>(name.size()), -1, 0),
                1);
    }
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    const auto peer = HttpPeerOf(certificate.get());
    EXPECT_EQ(peer.ok(), is_taken) << (names.empty() ? "none" : names[0]);
    if (peer.ok()) {
      EXPECT_EQ(peer->common_name, names[0]);
      EXPECT_EQ(peer->certificate_sha256.size(), 64u);
    }
  }
}

}  // namespace
}  // namespace telltale::net
