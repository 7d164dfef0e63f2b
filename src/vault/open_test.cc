#include "vault/open.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"

namespace telltale::vault {
namespace {

class OpenTest : public testing::Test {
 protected:
  OpenTest() {
    EXPECT_TRUE(disk_.MakeFolders("/gateways").ok());
    Register(gateway_);
    EXPECT_TRUE(gateways_.Reload().ok());
    binding_.vehicle.bytes.fill(9);
    binding_.boot = {4, 44};
    binding_.first_seq = 100;
    binding_.contract_number = 1;
  }
  void Register(const seal::KeyPair& pair) {
    const std::string path = "/gateways/" + HexEncode(seal::KeyId(pair.public_raw)) + ".pub";
    EXPECT_TRUE(seal::StoreKey(disk_, path, pair.public_raw, false).ok());
  }
  std::unique_ptr<seal::Sealer> SealerOf(const seal::KeyPair& gateway) {
    return *seal::Sealer::Make(vault_.public_raw, gateway.private_raw, clock_);
  }
  std::string Sealed(seal::Sealer& sealer) {
    std::string out;
    EXPECT_TRUE(sealer.Seal(binding_, AsBytes(kText), out).ok());
    return out;
  }
  std::unique_ptr<Opener> NewOpener() {
    return *Opener::Make(vault_.private_raw, gateways_, clock_);
  }

  static constexpr std::string_view kText = "exact place of one batch";
  SimDisk disk_;
  ManualClock clock_{Micros{1'764'000'000'000'000}};
  seal::KeyPair vault_ = *seal::MakeX25519();
  seal::KeyPair gateway_ = *seal::MakeEd25519();
  GatewayKeys gateways_{disk_, "/gateways"};
  seal::Binding binding_;
};

TEST_F(OpenTest, WhatTheDoorSealedOpensInAnyOrderAndAcrossMinutes) {
  const auto sealer = SealerOf(gateway_);
  std::vector<std::string> envelopes;
  for (int i = 0; i < 5; ++i) {
    envelopes.push_back(Sealed(*sealer));
    clock_.Advance(Micros::Seconds(31));
  }
  const auto opener = NewOpener();
  for (auto it = envelopes.rbegin(); it != envelopes.rend(); ++it) {
    const auto plain = opener->Open(binding_, AsBytes(*it));
    ASSERT_TRUE(plain.ok()) << plain.error().ToString();
    EXPECT_EQ(*plain, kText);
  }
}

TEST_F(OpenTest, AnEmptyPlaintextOpensToo) {
  const auto sealer = SealerOf(gateway_);
  std::string out;
  ASSERT_TRUE(sealer->Seal(binding_, {}, out).ok());
  EXPECT_EQ(*NewOpener()->Open(binding_, AsBytes(out)), "");
}

TEST_F(OpenTest, AChangeOfAnyByteOrAnyCutKeepsItShut) {
  const auto sealer = SealerOf(gateway_);
  const std::string envelope = Sealed(*sealer);
  const auto opener = NewOpener();
  ASSERT_TRUE(opener->Open(binding_, AsBytes(envelope)).ok());
  for (std::size_t i = 0; i < envelope.size(); ++i) {
    std::string changed = envelope;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(opener->Open(binding_, AsBytes(changed)).ok()) << "byte " << i;
    EXPECT_NE(opener->reason(), Reason::kNone);
    EXPECT_FALSE(opener->Open(binding_, AsBytes(envelope).first(i)).ok()) << "cut at " << i;
  }
  EXPECT_FALSE(opener->Open(binding_, AsBytes(envelope + "x")).ok());
  EXPECT_TRUE(opener->Open(binding_, AsBytes(envelope)).ok());
}

TEST_F(OpenTest, MovedToAnotherVehicleBootPlaceContractOrKindItStaysShut) {
  const auto sealer = SealerOf(gateway_);
  const std::string envelope = Sealed(*sealer);
  const auto opener = NewOpener();
  std::vector<seal::Binding> others(7, binding_);
  others[0].vehicle.bytes[0] ^= 1;
  others[1].boot.counter ^= 1;
  others[2].boot.random ^= 1;
  others[3].first_seq ^= 1;
  others[4].contract_number ^= 1;
  others[5].kind = seal::Binding::Kind::kQuarantine;
  others[6].kind = seal::Binding::Kind::kUnknown;
  for (const seal::Binding& other : others) {
    const auto plain = opener->Open(other, AsBytes(envelope));
    ASSERT_FALSE(plain.ok());
    EXPECT_EQ(plain.error().code, Code::kCorrupt);
    EXPECT_EQ(opener->reason(), Reason::kUnsealFailed);
  }
}

TEST_F(OpenTest, AGatewayThatIsNotRegisteredIsRefusedUntilItIs) {
  const seal::KeyPair stranger = *seal::MakeEd25519();
  const auto sealer = SealerOf(stranger);
  const std::string envelope = Sealed(*sealer);
  const auto opener = NewOpener();
  EXPECT_EQ(opener->Open(binding_, AsBytes(envelope)).error().code, Code::kRefused);
  EXPECT_EQ(opener->reason(), Reason::kSignatureInvalid);
  Register(stranger);
  clock_.Advance(Micros::Seconds(2));
  EXPECT_TRUE(opener->Open(binding_, AsBytes(envelope)).ok());
}

TEST_F(OpenTest, AKeyFileNamedAfterAnotherKeyIsIgnoredAndReported) {
  const seal::KeyPair other = *seal::MakeEd25519();
  ASSERT_TRUE(
      seal::StoreKey(disk_, "/gateways/0011223344556677.pub", other.public_raw, false).ok());
  EXPECT_FALSE(gateways_.Reload().ok());
  EXPECT_EQ(gateways_.size(), 1u);
  const auto sealer = SealerOf(other);
  EXPECT_FALSE(NewOpener()->Open(binding_, AsBytes(Sealed(*sealer))).ok());
}

TEST_F(OpenTest, AnotherVaultsEnvelopeStaysShut) {
  const auto sealer = SealerOf(gateway_);
  const std::string envelope = Sealed(*sealer);
  const seal::KeyPair other = *seal::MakeX25519();
  const auto opener = *Opener::Make(other.private_raw, gateways_, clock_);
  EXPECT_EQ(opener->Open(binding_, AsBytes(envelope)).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace telltale::vault
