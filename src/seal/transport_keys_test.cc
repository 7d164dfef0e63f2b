#include "seal/transport_keys.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"

namespace telltale::seal {
namespace {

constexpr Micros kNow{1'764'000'000'000'000};
constexpr Micros kDay = Micros::Seconds(86'400);

class TransportKeysTest : public testing::Test {
 protected:
  TransportKeysTest() { EXPECT_TRUE(disk_.MakeFolders("/t").ok()); }
  TransportKey Key(Micros from, Micros to) {
    return *MakeTransportKey(disk_, "/t", from, to, false);
  }
  std::string Signed(const TransportBundle& bundle) {
    return *SignBundle(EncodeUnsigned(bundle), offline_.private_raw);
  }
  TransportBundle TwoKeys() {
    return {7, kNow, {Key(kNow, kNow + kDay), Key(kNow + kDay, kNow + kDay + kDay)}};
  }

  SimDisk disk_;
  KeyPair offline_ = *MakeEd25519();
};

TEST_F(TransportKeysTest, ASignedBundleReadsBackAsItWasMade) {
  const TransportBundle bundle = TwoKeys();
  const auto opened = OpenBundle(AsBytes(Signed(bundle)), offline_.public_raw);
  ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  EXPECT_EQ(*opened, bundle);
}

TEST_F(TransportKeysTest, AnyChangedByteAndAnyCutIsRefused) {
  const std::string bundle = Signed(TwoKeys());
  for (std::size_t i = 0; i < bundle.size(); ++i) {
    std::string changed = bundle;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(OpenBundle(AsBytes(changed), offline_.public_raw).ok()) << "byte " << i;
    EXPECT_FALSE(OpenBundle(AsBytes(bundle).first(i), offline_.public_raw).ok()) << "cut " << i;
  }
  EXPECT_FALSE(OpenBundle(AsBytes(bundle + "x"), offline_.public_raw).ok());
}

TEST_F(TransportKeysTest, UnsignedOrSignedByAnotherItIsRefused) {
  const TransportBundle bundle = TwoKeys();
  const auto of_unsigned = OpenBundle(AsBytes(EncodeUnsigned(bundle)), offline_.public_raw);
  ASSERT_FALSE(of_unsigned.ok());
  EXPECT_EQ(of_unsigned.error().code, Code::kRefused);
  const auto of_other = OpenBundle(AsBytes(Signed(bundle)), MakeEd25519()->public_raw);
  ASSERT_FALSE(of_other.ok());
  EXPECT_EQ(of_other.error().code, Code::kRefused);
}

TEST_F(TransportKeysTest, ANewerFormatIsUnsupported) {
  std::string bundle = EncodeUnsigned(TwoKeys());
  bundle[5] = 99;
  EXPECT_EQ(ParseBundle(AsBytes(bundle)).error().code, Code::kUnsupported);
}

TEST_F(TransportKeysTest, TheNewestValidKeyIsChosenUpToItsLastMicrosecond) {
  TransportBundle bundle;
  bundle.keys = {Key(kNow, kNow + kDay + kDay), Key(kNow + kDay, kNow + kDay + Micros{10})};
  const auto id_at = [&](Micros now) {
    const TransportKey* key = bundle.NewestAt(now);
    return key == nullptr ? std::string("none") : HexEncode(key->id);
  };
  const std::string first = HexEncode(bundle.keys[0].id);
  const std::string second = HexEncode(bundle.keys[1].id);
  EXPECT_EQ(id_at(kNow - Micros{1}), "none");
  EXPECT_EQ(id_at(kNow), first);
  EXPECT_EQ(id_at(kNow + kDay), second);
  EXPECT_EQ(id_at(kNow + kDay + Micros{9}), second);
  EXPECT_EQ(id_at(kNow + kDay + Micros{10}), first);
  EXPECT_EQ(id_at(kNow + kDay + kDay), "none");
}

TEST_F(TransportKeysTest, CoverEndsWhereTheFirstGapBegins) {
  TransportBundle bundle;
  bundle.keys = {Key(kNow, kNow + kDay), Key(kNow + kDay, kNow + kDay + kDay),
                 Key(kNow + kDay + kDay + Micros{1}, kNow + kDay + kDay + kDay)};
  EXPECT_EQ(bundle.CoveredUntil(kNow), kNow + kDay + kDay);
  EXPECT_EQ(bundle.CoveredUntil(kNow - Micros{1}), kNow - Micros{1});
}

TEST_F(TransportKeysTest, ThePrivateHalfReadsBackAndNoChangedByteOfItDoes) {
  const TransportKey made = Key(kNow, kNow + kDay);
  const std::string file = *ReadWholeFile(disk_, "/t/" + HexEncode(made.id) + ".key");
  TransportPrivateKey key;
  ASSERT_TRUE(ParsePrivate(AsBytes(file), key).ok());
  EXPECT_EQ(key.id, made.id);
  EXPECT_EQ(key.not_after, made.not_after);
  EXPECT_FALSE(key.is_demo);
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::string changed = file;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    EXPECT_FALSE(ParsePrivateHead(AsBytes(changed)).ok()) << "byte " << i;
  }
}

// Names whichever key the test says.
class NamedKey final : public SealKeys {
 public:
  std::string PublicAt(Micros) const override { return key; }
  std::string key;
};

TEST_F(TransportKeysTest, ASealerTakesTheKeyOfTheMinuteAndWithoutOneSealsNothing) {
  ManualClock clock(kNow);
  NamedKey keys;
  const auto sealer = *Sealer::Make(keys, MakeEd25519()->private_raw, clock);
  std::string out;
  EXPECT_EQ(sealer->Seal({}, AsBytes("text"), out).error().code, Code::kUnavailable);
  EXPECT_TRUE(sealer->lacks_key());
  EXPECT_EQ(out, "");
  const auto sealed_for = [&] {
    out.clear();
    EXPECT_TRUE(sealer->Seal({}, AsBytes("text"), out).ok());
    return std::string(AsText(ParseHead(AsBytes(out))->vault_key_id));
  };
  const std::string first = MakeX25519()->public_raw;
  const std::string second = MakeX25519()->public_raw;
  keys.key = first;
  EXPECT_EQ(sealed_for(), KeyId(first));
  EXPECT_FALSE(sealer->lacks_key());
  keys.key = second;
  EXPECT_EQ(sealed_for(), KeyId(first)) << "the same minute";
  clock.Advance(Micros::Seconds(60));
  EXPECT_EQ(sealed_for(), KeyId(second));
  keys.key.clear();
  clock.Advance(Micros::Seconds(60));
  out.clear();
  EXPECT_FALSE(sealer->Seal({}, AsBytes("text"), out).ok());
  EXPECT_TRUE(sealer->lacks_key());
}

}  // namespace
}  // namespace telltale::seal
