#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/check.h"
#include "base/local_socket.h"
#include "contract/config_wire.h"
#include "control/config_record.h"
#include "control/release.h"
#include "internal/v1/local.pb.h"
#include "seal/seal.h"

namespace telltale::control {
namespace {

using namespace std::chrono_literals;

std::string Digest(char c) { return std::string(64, c); }

class ControlTest : public testing::Test {
 protected:
  ControlTest() : folder_(MakeFolder()), paths_(folder_ + "/dir") {
    std::filesystem::copy_file(TELLTALE_BUILD_DIR "/share/telltale/contract.desc",
                               folder_ + "/contract.desc");
    Write("rules.yaml", "rules: []\n");
    Write("worker", "a program");
  }
  ~ControlTest() override { std::filesystem::remove_all(folder_); }

  static std::string MakeFolder() {
    std::string pattern = testing::TempDir() + "/control-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    return pattern;
  }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ + "/" + name) << content;
  }
  ReleaseFiles Files() const {
    return {folder_ + "/contract.desc", folder_ + "/rules.yaml", folder_ + "/worker"};
  }
  Release MustInstall() {
    auto installed = InstallRelease(disk_, Files(), paths_);
    EXPECT_TRUE(installed.ok()) << installed.error().ToString();
    return std::move(installed).value();
  }

  PosixDisk disk_;
  std::string folder_;
  Paths paths_;
};

TEST_F(ControlTest, AManifestIsTheseBytesAndNoOthers) {
  const Components components = {
      {"rules", Digest('a')}, {"contract", Digest('b')}, {"engine", Digest('c')}};
  EXPECT_EQ(CanonicalManifest(components),
            "{\"components\":{\"contract\":\"" + Digest('b') + "\",\"engine\":\"" + Digest('c') +
                "\",\"rules\":\"" + Digest('a') + "\"},\"format\":1}");
  const auto parsed = ParseManifest(CanonicalManifest(components));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, components);
}

TEST_F(ControlTest, WhatIsNoManifestIsCorruptAndANewerOneUnsupported) {
  for (const std::string text :
       {"", "[]", "{}", "{\"format\":1}", "{\"components\":{},\"format\":\"1\"}",
        "{\"components\":{\"rules\":7},\"format\":1}",
        "{\"components\":{\"rules\":\"x\"},\"format\":1}", "{\"components\":{},\"format\":1"}) {
    const auto parsed = ParseManifest(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, Code::kCorrupt);
  }
  EXPECT_EQ(ParseManifest("{\"components\":{},\"format\":2}").error().ToString(),
            "unsupported: the release manifest: made by format version 2, needs a reader of "
            "version 2; this telltale reads up to 1: use a newer telltale");
}

TEST_F(ControlTest, InstallingTwiceIsOneReleaseAndAChangedComponentIsAnother) {
  const Release first = MustInstall();
  EXPECT_EQ(MustInstall().id, first.id);
  Write("worker", "another program");
  EXPECT_NE(MustInstall().id, first.id);
  EXPECT_EQ(disk_.List(paths_.releases())->size(), 2u);
  const auto loaded = LoadRelease(disk_, paths_, first.id);
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  EXPECT_EQ(loaded->components, first.components);
}

TEST_F(ControlTest, AReleaseWithAChangedByteIsCorrupt) {
  const Release release = MustInstall();
  const std::string rules = paths_.releases() + "/" + release.id + "/rules.yaml";
  const std::string contract =
      paths_.contracts() + "/" + release.components.at("contract") + ".desc";
  const std::string manifest = paths_.releases() + "/" + release.id + "/manifest.json";
  for (const std::string& path : {rules, contract, manifest}) {
    const std::string before = *ReadWholeFile(disk_, path);
    std::ofstream(path) << before << " ";
    const auto loaded = LoadRelease(disk_, paths_, release.id);
    ASSERT_FALSE(loaded.ok()) << path;
    EXPECT_EQ(loaded.error().code, Code::kCorrupt);
    std::ofstream(path) << before;
  }
  EXPECT_TRUE(LoadRelease(disk_, paths_, release.id).ok());
  EXPECT_EQ(LoadRelease(disk_, paths_, Digest('0')).error().code, Code::kNotFound);
  EXPECT_EQ(LoadRelease(disk_, paths_, "../x").error().code, Code::kInvalid);
}

TEST_F(ControlTest, AMissingOrBrokenPartInstallsNothing) {
  Write("contract.desc", "not a descriptor set");
  EXPECT_EQ(InstallRelease(disk_, Files(), paths_).error().code, Code::kInvalid);
  ReleaseFiles files = Files();
  files.engine = folder_ + "/nowhere";
  EXPECT_FALSE(InstallRelease(disk_, files, paths_).ok());
  EXPECT_FALSE(disk_.Exists(paths_.releases()));
}

class ConfigRecordTest : public ControlTest {
 protected:
  static InForce First() {
    return {.config_seq = ConfigSeq{1},
            .environment = "local",
            .contract_number = 1,
            .contract_digest = Digest('d'),
            .stable_release = Digest('e'),
            .created_at = Micros{123},
            .next_contract = {}};
  }
  seal::KeyPair key_ = *seal::MakeEd25519();
};

TEST_F(ConfigRecordTest, ASignedConfigSaysWhatWasSigned) {
  const auto bytes = SignConfig(First(), key_);
  ASSERT_TRUE(bytes.ok());
  const auto read = VerifyConfig(*bytes, key_.public_raw);
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->config_seq, ConfigSeq{1});
  EXPECT_EQ(read->environment, "local");
  EXPECT_EQ(read->contract_number, 1u);
  EXPECT_EQ(read->contract_digest, Digest('d'));
  EXPECT_EQ(read->stable_release, Digest('e'));
  EXPECT_EQ(read->created_at, Micros{123});
}

TEST_F(ConfigRecordTest, ANextContractAndItsCohortComeThrough) {
  InForce config = First();
  VehicleRef ref;
  ref.bytes[3] = 9;
  config.next_contract = NextContract{2, Digest('f'), {500, "spring", {ref}, {VehicleRef{}}}};
  const auto read = VerifyConfig(*SignConfig(config, key_), key_.public_raw);
  ASSERT_TRUE(read.ok() && read->next_contract);
  EXPECT_EQ(read->next_contract->number, 2u);
  EXPECT_EQ(read->next_contract->digest, Digest('f'));
  EXPECT_EQ(read->next_contract->cohort.per_10000, 500u);
  EXPECT_EQ(read->next_contract->cohort.salt, "spring");
  EXPECT_EQ(read->next_contract->cohort.always, std::vector<VehicleRef>{ref});
  EXPECT_EQ(read->next_contract->cohort.never, std::vector<VehicleRef>{VehicleRef{}});
}

internal::v1::ConfigRecord RecordIn(const std::string& bytes) {
  return contract::ParseConfig(bytes).value();
}

// A release whose safety path an earlier one has: for readers that know of no speakers nothing is
// under way, and who computes the alerts is stable.
TEST_F(ConfigRecordTest, WhoSpeaksStandsWhereOlderReadersLook) {
  InForce config = First();
  config.rollout = Rollout{.candidate = Digest('f'), .speaker = Digest('e'), .shadow_lots = 7};
  std::string bytes = *SignConfig(config, key_);
  EXPECT_FALSE(RecordIn(bytes).has_rollout());
  auto read = VerifyConfig(bytes, key_.public_raw);
  ASSERT_TRUE(read.ok() && read->rollout);
  EXPECT_EQ(*read->rollout, *config.rollout);
  EXPECT_EQ(read->SpeakerOfCandidate(), Digest('e'));

  config.rollout.reset();
  config.stable_release = Digest('f');
  config.stable_speaker = Digest('e');
  config.previous_release = Digest('9');
  config.previous_speaker = Digest('8');
  bytes = *SignConfig(config, key_);
  EXPECT_EQ(RecordIn(bytes).stable_release(), Digest('e'));
  EXPECT_EQ(RecordIn(bytes).previous_release(), Digest('8'));
  EXPECT_EQ(contract::StableInForce(RecordIn(bytes)), Digest('f'));
  read = VerifyConfig(bytes, key_.public_raw);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->stable_release + read->stable_speaker, Digest('f') + Digest('e'));
  EXPECT_EQ(read->previous_release + read->previous_speaker, Digest('9') + Digest('8'));

  config.rollout = Rollout{.candidate = Digest('a')};  // one that decides otherwise
  bytes = *SignConfig(config, key_);
  EXPECT_EQ(RecordIn(bytes).rollout().candidate(), Digest('a'));
  EXPECT_EQ(VerifyConfig(bytes, key_.public_raw)->SpeakerOfCandidate(), Digest('a'));
  config.rollout->speaker = Digest('b');
  EXPECT_EQ(SignConfig(config, key_).error().code, Code::kInvalid);
}

TEST_F(ConfigRecordTest, NoChangedByteIsAccepted) {
  const std::string bytes = *SignConfig(First(), key_);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x01);
    EXPECT_FALSE(VerifyConfig(changed, key_.public_raw).ok()) << "byte " << i;
    EXPECT_FALSE(VerifyConfig(bytes.substr(0, i), key_.public_raw).ok()) << "cut at " << i;
  }
}

TEST_F(ConfigRecordTest, AnotherKeyIsRefused) {
  const std::string bytes = *SignConfig(First(), *seal::MakeEd25519());
  EXPECT_EQ(VerifyConfig(bytes, key_.public_raw).error().code, Code::kRefused);
}

TEST_F(ConfigRecordTest, ConfigSeqZeroIsNeverSigned) {
  InForce nothing = First();
  nothing.config_seq = ConfigSeq{0};
  EXPECT_EQ(SignConfig(nothing, key_).error().code, Code::kInvalid);
}

TEST_F(ConfigRecordTest, SendingPassesTheBytesOnAndReportsTheAnswer) {
  const std::string path = folder_ + "/append.sock";
  auto listener = LocalListener::Listen(path, 0600);
  ASSERT_TRUE(listener.ok());
  std::string received;
  std::thread owner([&] {
    for (const bool ok : {true, false}) {
      auto peer = listener->Accept(5s);
      ASSERT_TRUE(peer.ok() && peer->has_value());
      received = **(*peer)->Receive(5s);
      internal::v1::AppendReply reply;
      reply.set_ok(ok);
      if (!ok) reply.mutable_failure()->set_code("refused");
      ASSERT_TRUE((*peer)->Send(reply.SerializeAsString()).ok());
    }
  });
  const std::string bytes = *SignConfig(First(), key_);
  EXPECT_TRUE(SendConfig(path, bytes, 5s).ok());
  EXPECT_EQ(received, bytes);
  const Status refused = SendConfig(path, bytes, 5s);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  owner.join();
}

TEST_F(ConfigRecordTest, NoOwnerIsUnavailable) {
  EXPECT_EQ(SendConfig(folder_ + "/nobody.sock", "x", 1s).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace telltale::control
