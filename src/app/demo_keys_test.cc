#include "app/demo_keys.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"
#include "net/certificates.h"
#include "seal/transport_keys.h"

namespace telltale::app {
namespace {

constexpr Micros kNow{1'764'000'000'000'000};

class DemoKeysTest : public testing::Test {
 protected:
  DemoKeysTest() {
    for (const std::string& folder :
         {paths_.keys(), paths_.ca(), paths_.certs(), paths_.vault() + "/keys/transport",
          paths_.root + "/offline", paths_.vault() + "/gateways"}) {
      EXPECT_TRUE(disk_.MakeFolders(folder).ok());
    }
    for (const std::string& file : KeyFiles()) Store(file, false);
    Certify("Telltale local authority");
  }

  std::vector<std::string> KeyFiles() const {
    return {paths_.keys() + "/gateway.key",
            paths_.keys() + "/gateway.pub",
            paths_.keys() + "/control.key",
            paths_.keys() + "/control.pub",
            paths_.keys() + "/vault_seal.pub",
            paths_.keys() + "/vault_offline.pub",
            paths_.root + "/offline/vault_offline.key",
            paths_.vault() + "/keys/seal.key",
            paths_.vault() + "/gateways/0011223344556677.pub"};
  }
  void Store(const std::string& file, bool is_demo) {
    ASSERT_TRUE(seal::StoreKey(disk_, file, std::string(32, 'k'), {.is_demo = is_demo}).ok());
  }
  void Certify(std::string_view name) {
    const auto authority = net::CertificateAuthority::Create(std::string(name), kNow);
    ASSERT_TRUE(authority.ok());
    ASSERT_TRUE(authority->Store(disk_, paths_.ca()).ok());
    const auto server = authority->IssueServer(kNow);
    ASSERT_TRUE(server.ok());
    ASSERT_TRUE(
        WriteFileDurably(disk_, paths_.certs() + "/server.crt", server->certificate_pem).ok());
  }
  Status Check(bool demo) { return CheckDemoKeys(disk_, paths_, config_, demo); }

  SimDisk disk_;
  const Paths paths_{"/t"};
  Config config_;
};

TEST_F(DemoKeysTest, KeysOfAnOrdinaryInstallationAreServedEverywhere) {
  for (const char* kind : {"dev", "staging", "prod"}) {
    config_.environment_kind = kind;
    EXPECT_TRUE(Check(false).ok()) << kind;
  }
}

TEST_F(DemoKeysTest, APrivateTransportKeyHasTheMarkToo) {
  const std::string folder = paths_.vault() + "/keys/transport";
  ASSERT_TRUE(seal::MakeTransportKey(disk_, folder, kNow, kNow + Micros{1}, false).ok());
  EXPECT_TRUE(Check(false).ok());
  ASSERT_TRUE(seal::MakeTransportKey(disk_, folder, kNow, kNow + Micros{1}, true).ok());
  EXPECT_FALSE(Check(false).ok());
}

TEST_F(DemoKeysTest, EachKeyAloneIsFoundWithItsName) {
  for (const std::string& file : KeyFiles()) {
    Store(file, true);
    const Status refused = Check(false);
    ASSERT_FALSE(refused.ok()) << file;
    EXPECT_EQ(refused.error().code, Code::kRefused);
    EXPECT_TRUE(refused.error().message.starts_with(file)) << refused.error().message;
    EXPECT_NE(refused.error().message.find("telltale serve --demo"), std::string::npos);
    EXPECT_TRUE(Check(true).ok());
    Store(file, false);
  }
}

TEST_F(DemoKeysTest, AnAuthorityOfADemonstrationIsFoundAndSoIsAServerItCertified) {
  Certify(kDemoAuthority);
  const auto found = FindDemoKeys(disk_, paths_, config_);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found,
            (std::vector<std::string>{paths_.ca() + "/ca.crt", paths_.certs() + "/server.crt"}));
  EXPECT_EQ(Check(false).error().code, Code::kRefused);
}

TEST_F(DemoKeysTest, TheAuthorityIsLookedForWhereTheConfigSaysAndInAWholeBundle) {
  const std::string ours = *ReadWholeFile(disk_, paths_.ca() + "/ca.crt");
  const auto demo = net::CertificateAuthority::Create(std::string(kDemoAuthority), kNow);
  ASSERT_TRUE(demo.ok());
  ASSERT_TRUE(WriteFileDurably(disk_, "/bundle.pem", ours + demo->certificate_pem()).ok());
  config_.mqtt_client_ca = "/bundle.pem";
  EXPECT_EQ(Check(false).error().code, Code::kRefused);
}

TEST_F(DemoKeysTest, ProductionRefusesThemWhateverIsAskedFor) {
  Store(paths_.keys() + "/gateway.key", true);
  config_.environment_kind = "prod";
  for (const bool demo : {false, true}) {
    const Status refused = Check(demo);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kRefused);
    EXPECT_NE(refused.error().message.find("kind prod never runs on them"), std::string::npos);
  }
}

TEST_F(DemoKeysTest, WhatIsMovedOffTheMachineIsNoFaultAndABrokenFileIs) {
  ASSERT_TRUE(disk_.Remove(paths_.keys() + "/control.key").ok());
  EXPECT_TRUE(Check(false).ok());
  ASSERT_TRUE(WriteFileDurably(disk_, paths_.keys() + "/gateway.key", "nonsense").ok());
  const Status broken = Check(false);
  ASSERT_FALSE(broken.ok());
  EXPECT_NE(broken.error().message.find("gateway.key"), std::string::npos);
}

}  // namespace
}  // namespace telltale::app
