#include "seal/seal.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "base/sim_disk.h"
#include "seal/derive.h"
#include "seal/locked.h"

namespace telltale::seal {
namespace {

std::string Raw(std::string_view hex) { return *HexDecode(hex); }

Binding SomeBinding() {
  Binding binding;
  binding.vehicle.bytes.fill(7);
  binding.boot = {3, 99};
  binding.first_seq = 1000;
  binding.contract_number = 1;
  return binding;
}

constexpr std::int64_t kStart = 1'764'000'000'000'000;

class SealerTest : public testing::Test {
 protected:
  std::unique_ptr<Sealer> NewSealer() {
    return *Sealer::Make(vault_.public_raw, gateway_.private_raw, clock_);
  }
  EnvelopeHead HeadOf(Sealer& sealer) {
    std::string out;
    EXPECT_TRUE(sealer.Seal(SomeBinding(), AsBytes("text"), out).ok());
    return *ParseHead(AsBytes(out));
  }

  ManualClock clock_{Micros{kStart}};
  KeyPair vault_ = *MakeX25519();
  KeyPair gateway_ = *MakeEd25519();
};

TEST(KeysTest, X25519AgreesAsInRfc7748) {
  SecretKey shared;
  ASSERT_TRUE(AgreeX25519(Raw("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                          Raw("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
                          shared)
                  .ok());
  EXPECT_EQ(HexEncode(shared.data(), shared.size()),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

TEST(KeysTest, APublicKeyOfLowOrderIsRefused) {
  SecretKey shared;
  const KeyPair mine = *MakeX25519();
  EXPECT_FALSE(AgreeX25519(mine.private_raw, std::string(32, '\0'), shared).ok());
  ManualClock clock(Micros{kStart});
  EXPECT_FALSE(Sealer::Make(std::string(32, '\0'), MakeEd25519()->private_raw, clock).ok());
}

TEST(KeysTest, HkdfDerivesAsInRfc5869) {
  std::string okm(42, '\0');
  ASSERT_TRUE(HkdfSha256(AsBytes(std::string(22, '\x0b')), Raw("000102030405060708090a0b0c"),
                         Raw("f0f1f2f3f4f5f6f7f8f9"),
                         {reinterpret_cast<std::uint8_t*>(okm.data()), okm.size()})
                  .ok());
  EXPECT_EQ(HexEncode(okm),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

TEST(KeysTest, Ed25519SignsAsInRfc8032) {
  const std::string signature =
      *SignEd25519(Raw("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), "");
  EXPECT_EQ(HexEncode(signature),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e"
            "39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
  const std::string key = Raw("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  EXPECT_TRUE(VerifyEd25519(key, "", signature));
  EXPECT_FALSE(VerifyEd25519(key, "x", signature));
  EXPECT_FALSE(VerifyEd25519(key, "", signature.substr(1)));
  EXPECT_FALSE(VerifyEd25519("short", "", signature));
}

TEST(KeysTest, AKeyFileGivesBackTheKeyAndAPrivateOneIsTheOwnersAlone) {
  char folder[] = "/tmp/telltale-seal-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  PosixDisk disk;
  const KeyPair pair = *MakeX25519();
  const std::string path = std::string(folder) + "/seal.key";
  ASSERT_TRUE(StoreKey(disk, path, pair.private_raw, true).ok());
  EXPECT_EQ(*LoadKey(disk, path), pair.private_raw);
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  std::filesystem::remove_all(folder);
}

TEST(KeysTest, TheDemoMarkLiesInTheKeyFileAndGoesWhereverItIsCopied) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/k").ok());
  const KeyPair pair = *MakeEd25519();
  ASSERT_TRUE(StoreKey(disk, "/k/real", pair.private_raw, true).ok());
  ASSERT_TRUE(
      StoreKey(disk, "/k/demo", pair.private_raw, {.is_private = true, .is_demo = true}).ok());
  EXPECT_FALSE(*IsDemoKey(disk, "/k/real"));
  ASSERT_TRUE(WriteFileDurably(disk, "/k/copy", *ReadWholeFile(disk, "/k/demo")).ok());
  EXPECT_TRUE(*IsDemoKey(disk, "/k/copy"));
  EXPECT_EQ(*LoadKey(disk, "/k/copy"), pair.private_raw);
  EXPECT_EQ(IsDemoKey(disk, "/k/none").error().code, Code::kNotFound);
}

TEST(KeysTest, AFileThatIsNoKeyIsRefusedAndNamed) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/k").ok());
  EXPECT_EQ(LoadKey(disk, "/k/none").error().code, Code::kNotFound);
  for (const std::string& content :
       {std::string(), std::string(64, 'a'), std::string(64, 'x') + "\n", std::string(66, 'a'),
        std::string(64, 'a') + " dem\n", std::string(64, 'a') + " demo"}) {
    ASSERT_TRUE(WriteFileDurably(disk, "/k/bad", content).ok());
    const auto loaded = LoadKey(disk, "/k/bad");
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.error().code, Code::kInvalid);
    EXPECT_NE(loaded.error().message.find("/k/bad"), std::string::npos);
  }
  EXPECT_FALSE(StoreKey(disk, "/k/short", "too short", false).ok());
}

TEST(EntriesTest, EntriesComeBackAsTheyWereAndACutOneIsCorrupt) {
  std::string plain;
  AppendEntry(plain, {7, Micros{-5}, "abc"});
  AppendEntry(plain, {8, Micros{kStart}, ""});
  const auto entries = *ParseEntries(AsBytes(plain));
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].seq, 7u);
  EXPECT_EQ(entries[0].event_time, Micros{-5});
  EXPECT_EQ(entries[0].fields, "abc");
  EXPECT_EQ(entries[1].fields, "");
  const std::size_t first_ends = plain.size() - 20;
  for (std::size_t size = 1; size < plain.size(); ++size) {
    const auto cut = ParseEntries(AsBytes(plain).first(size));
    EXPECT_EQ(cut.ok(), size == first_ends) << size;
  }
}

TEST(BindingTest, EveryPartChangesTheBoundBytes) {
  const Binding base = SomeBinding();
  std::set<std::string> encodings{base.Encode()};
  Binding other = base;
  other.vehicle.bytes[15] ^= 1;
  encodings.insert(other.Encode());
  other = base;
  other.boot.counter++;
  encodings.insert(other.Encode());
  other = base;
  other.boot.random++;
  encodings.insert(other.Encode());
  other = base;
  other.first_seq++;
  encodings.insert(other.Encode());
  other = base;
  other.contract_number++;
  encodings.insert(other.Encode());
  other = base;
  other.kind = Binding::Kind::kQuarantine;
  encodings.insert(other.Encode());
  other.kind = Binding::Kind::kUnknown;
  encodings.insert(other.Encode());
  EXPECT_EQ(encodings.size(), 8u);
  EXPECT_EQ(base.Encode().size(), kBindingBytes);
}

TEST_F(SealerTest, TheHeadNamesVaultGatewayAndMinuteAndIsSignedByTheGateway) {
  const auto sealer = NewSealer();
  const EnvelopeHead head = HeadOf(*sealer);
  EXPECT_EQ(head.version, kEnvelopeVersion);
  EXPECT_EQ(AsText(head.vault_key_id), KeyId(vault_.public_raw));
  EXPECT_EQ(AsText(head.gateway_id), KeyId(gateway_.public_raw));
  EXPECT_EQ(head.minute, static_cast<std::uint64_t>(kStart / 60'000'000));
  EXPECT_TRUE(VerifyEd25519(gateway_.public_raw, SignedPart(head), AsText(head.signature)));
}

TEST_F(SealerTest, NoKeyAndNonceRepeatWithinAMinuteAcrossMinutesOrAcrossRestarts) {
  std::set<std::pair<std::string, std::uint64_t>> used;
  std::set<std::string> keys;
  for (int restart = 0; restart < 3; ++restart) {
    const auto sealer = NewSealer();
    for (int i = 0; i < 40; ++i) {
      const EnvelopeHead head = HeadOf(*sealer);
      const std::string key(AsText(head.ephemeral_public));
      EXPECT_TRUE(used.insert({key, head.counter}).second);
      keys.insert(key);
      // Forward over a minute's edge, and once backwards.
      clock_.JumpUtc(Micros::Seconds(i == 20 ? -300 : 7));
    }
  }
  EXPECT_GT(keys.size(), 12u);
}

TEST_F(SealerTest, TheKeyStaysWithinItsMinute) {
  const auto sealer = NewSealer();
  clock_.JumpUtc(Micros{60'000'000 - kStart % 60'000'000});
  const EnvelopeHead first = HeadOf(*sealer);
  clock_.JumpUtc(Micros{59'999'999});
  const EnvelopeHead second = HeadOf(*sealer);
  EXPECT_EQ(first.ephemeral_public, second.ephemeral_public);
  EXPECT_EQ(second.counter, first.counter + 1);
  clock_.JumpUtc(Micros{1});
  EXPECT_NE(HeadOf(*sealer).ephemeral_public, first.ephemeral_public);
}

TEST_F(SealerTest, ThePlaintextIsNowhereInTheEnvelopeAndWhatStoodInOutStays) {
  const auto sealer = NewSealer();
  const std::string secret = "the very place: 48.137154 11.576124";
  std::string out = "before";
  ASSERT_TRUE(sealer->Seal(SomeBinding(), AsBytes(secret), out).ok());
  EXPECT_TRUE(out.starts_with("before"));
  EXPECT_EQ(out.find(secret.substr(0, 8)), std::string::npos);
  EXPECT_EQ(out.size(), 6 + HeadBytes() + secret.size() + kTagBytes);
  // After warm-up sealing into a buffer with room takes none of its own.
  out.reserve(4096);
  const std::size_t room = out.capacity();
  ASSERT_TRUE(sealer->Seal(SomeBinding(), AsBytes(secret), out).ok());
  EXPECT_EQ(out.capacity(), room);
}

TEST_F(SealerTest, ABrokenHeadIsNamedForWhatItIs) {
  const auto sealer = NewSealer();
  std::string out;
  ASSERT_TRUE(sealer->Seal(SomeBinding(), AsBytes("text"), out).ok());
  for (std::size_t size = 0; size < HeadBytes() + kTagBytes; ++size) {
    EXPECT_EQ(ParseHead(AsBytes(out).first(size)).error().code, Code::kCorrupt);
  }
  std::string newer = out;
  newer[2] = 3;  // version
  newer[3] = 2;  // minimum reader
  EXPECT_EQ(ParseHead(AsBytes(newer)).error().ToString(),
            "unsupported: a sealed envelope: made by format version 3, needs a reader of version "
            "2; this telltale reads up to 1: use a newer telltale");
  std::string version = out;
  version[2] = 2;  // newer, but this build may read it
  EXPECT_TRUE(ParseHead(AsBytes(version)).ok());
  std::string flags = out;
  flags[6] = 1;
  EXPECT_EQ(ParseHead(AsBytes(flags)).error().code, Code::kCorrupt);
  std::string longer = out;
  longer[5] = 1;  // head bytes + 256: past the end
  EXPECT_EQ(ParseHead(AsBytes(longer)).error().code, Code::kCorrupt);
}

TEST_F(SealerTest, KeysOfTheWrongSizeAreRefused) {
  EXPECT_EQ(Sealer::Make("short", gateway_.private_raw, clock_).error().code, Code::kInvalid);
  EXPECT_EQ(Sealer::Make(vault_.public_raw, "short", clock_).error().code, Code::kInvalid);
}

TEST(LockedTest, KeysLieInLockedMemoryAndTheProcessLeavesNoCore) {
  ASSERT_TRUE(ForbidDumps().ok());
  ASSERT_TRUE(LockKeysInMemory().ok());
  ASSERT_TRUE(LockKeysInMemory().ok()) << "again changes nothing";
  const std::size_t before = CRYPTO_secure_used();
  {
    const SecretKey key;
    EXPECT_EQ(CRYPTO_secure_allocated(key.data()), 1);
    EXPECT_GT(CRYPTO_secure_used(), before);
  }
  EXPECT_EQ(CRYPTO_secure_used(), before) << "given back";
  EXPECT_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // a leak checker at the end of the program needs it
}

}  // namespace
}  // namespace telltale::seal
