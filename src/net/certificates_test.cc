#include "net/certificates.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>

#include "net/tls_identity.h"

namespace telltale::net {
namespace {

constexpr Micros kNow = Micros::Seconds(1'800'000'000);
constexpr const char* kVin = "WVWZZZ1KZAW000001";

std::shared_ptr<X509> Parse(const std::string& pem) {
  const std::unique_ptr<BIO, int (*)(BIO*)> in(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return {PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), X509_free};
}

// As the other end of a connection would judge `leaf` at `at`.
bool Trusts(const CertificateAuthority& authority, const CertificateAndKey& leaf, int purpose,
            Micros at) {
  const std::shared_ptr<X509> root = Parse(authority.certificate_pem());
  const std::shared_ptr<X509> certificate = Parse(leaf.certificate_pem);
  const std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
  X509_STORE_add_cert(store.get(), root.get());
  const std::shared_ptr<X509_STORE_CTX> check(X509_STORE_CTX_new(), X509_STORE_CTX_free);
  X509_STORE_CTX_init(check.get(), store.get(), certificate.get(), nullptr);
  X509_STORE_CTX_set_purpose(check.get(), purpose);
  X509_STORE_CTX_set_time(check.get(), 0, at.value / 1'000'000);
  return X509_verify_cert(check.get()) == 1;
}

class CertificatesTest : public testing::Test {
 protected:
  CertificateAuthority ours_ = *CertificateAuthority::Create("ours", kNow);
  CertificateAuthority other_ = *CertificateAuthority::Create("other", kNow);
};

TEST_F(CertificatesTest, AVehicleIsTrustedByItsOwnAuthorityAsAClientOnly) {
  const auto vehicle = ours_.IssueVehicle(kVin, kNow);
  ASSERT_TRUE(vehicle.ok()) << vehicle.error().ToString();
  EXPECT_TRUE(Trusts(ours_, *vehicle, X509_PURPOSE_SSL_CLIENT, kNow));
  EXPECT_FALSE(Trusts(ours_, *vehicle, X509_PURPOSE_SSL_SERVER, kNow));
  EXPECT_FALSE(Trusts(other_, *vehicle, X509_PURPOSE_SSL_CLIENT, kNow));
}

TEST_F(CertificatesTest, TheDoorReadsTheVinFromEitherPlace) {
  for (const VinPlace place : {VinPlace::kUriSan, VinPlace::kCommonName}) {
    const auto vehicle = ours_.IssueVehicle(kVin, kNow, place);
    ASSERT_TRUE(vehicle.ok());
    const auto identity = VehicleIdentityOfCertificate(Parse(vehicle->certificate_pem).get());
    ASSERT_TRUE(identity.ok()) << identity.error().ToString();
    EXPECT_EQ(*identity, kVin);
  }
}

TEST_F(CertificatesTest, WhatIsNoVinGetsNoCertificate) {
  for (const char* vin : {"", "SHORT", "WVWZZZ1KZAW00000,", "WVWZZZ1KZAW00000I"}) {
    EXPECT_EQ(ours_.IssueVehicle(vin, kNow).error().code, Code::kInvalid);
  }
}

TEST_F(CertificatesTest, AServerIsGoodForItsNamesAndForTwoYears) {
  const auto server = ours_.IssueServer(kNow);
  ASSERT_TRUE(server.ok()) << server.error().ToString();
  const auto certificate = Parse(server->certificate_pem);
  EXPECT_EQ(X509_check_host(certificate.get(), "localhost", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_host(certificate.get(), "example.org", 0, 0, nullptr), 0);
  EXPECT_TRUE(Trusts(ours_, *server, X509_PURPOSE_SSL_SERVER, kNow));
  constexpr std::int64_t kYear = 365 * 86'400;
  EXPECT_FALSE(Trusts(ours_, *server, X509_PURPOSE_SSL_SERVER, kNow + Micros::Seconds(3 * kYear)));
}

TEST_F(CertificatesTest, AStoredAuthorityIssuesAfterLoadingAndItsKeyIsPrivate) {
  std::string pattern = testing::TempDir() + "/ca-XXXXXX";
  const std::string folder = mkdtemp(pattern.data());
  PosixDisk disk;
  ASSERT_TRUE(ours_.Store(disk, folder).ok());
  const auto loaded = CertificateAuthority::Load(disk, folder);
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  EXPECT_TRUE(Trusts(ours_, *loaded->IssueVehicle(kVin, kNow), X509_PURPOSE_SSL_CLIENT, kNow));
  const auto permissions = std::filesystem::status(folder + "/ca.key").permissions();
  EXPECT_EQ(static_cast<unsigned>(permissions) & 0777u, 0600u);
  std::filesystem::remove_all(folder);
}

std::shared_ptr<X509_CRL> ParseList(const std::string& pem) {
  const std::unique_ptr<BIO, int (*)(BIO*)> in(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return {PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr), X509_CRL_free};
}

std::int64_t NumberOf(X509_CRL* list) {
  const std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)> number(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list, NID_crl_number, nullptr, nullptr)),
      ASN1_INTEGER_free);
  std::int64_t value = -1;
  ASN1_INTEGER_get_int64(&value, number.get());
  return value;
}

TEST_F(CertificatesTest, ARevocationListKeepsItsEntriesAndItsNumberRises) {
  const auto first = ours_.IssueVehicle(kVin, kNow);
  const auto second = ours_.IssueVehicle(kVin, kNow);
  std::string list;
  std::int64_t number = 0;
  for (const auto* revoked : {&first, &second, &first}) {
    const auto next = ours_.Revoke(list, (*revoked)->certificate_pem, kNow);
    ASSERT_TRUE(next.ok()) << next.error().ToString();
    list = *next;
    EXPECT_EQ(NumberOf(ParseList(list).get()), ++number);
  }
  const auto parsed = ParseList(list);
  EXPECT_EQ(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(parsed.get())), 2);
  EXPECT_EQ(X509_CRL_verify(parsed.get(), X509_get0_pubkey(Parse(ours_.certificate_pem()).get())),
            1);
}

TEST_F(CertificatesTest, OnlyItsOwnCertificatesAndListsAreTakenForRevoking) {
  const auto foreign = other_.IssueVehicle(kVin, kNow);
  EXPECT_EQ(ours_.Revoke("", foreign->certificate_pem, kNow).error().code, Code::kInvalid);
  const auto ours = ours_.IssueVehicle(kVin, kNow);
  const auto foreign_list = other_.Revoke("", foreign->certificate_pem, kNow);
  for (const std::string& list : {std::string("torn"), *foreign_list}) {
    EXPECT_EQ(ours_.Revoke(list, ours->certificate_pem, kNow).error().code, Code::kCorrupt);
  }
}

TEST_F(CertificatesTest, KeyAndCertificateOfDifferentAuthoritiesAreRefused) {
  const auto server = ours_.IssueServer(kNow);
  EXPECT_EQ(CertificateAuthority::FromPem({ours_.certificate_pem(), server->key_pem}).error().code,
            Code::kInvalid);
  EXPECT_EQ(CertificateAuthority::FromPem({"x", "y"}).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace telltale::net
