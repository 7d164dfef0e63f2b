// What may come in force: the additive check in the way of every config record.
#include "gateway/config_store.h"

#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/sim_disk.h"
#include "internal/v1/internal.pb.h"
#include "seal/seal.h"

namespace telltale::gateway {
namespace {

namespace pb = google::protobuf;
using Edit = std::function<void(pb::DescriptorProto& report)>;

class ConfigStoreTest : public ::testing::Test {
 protected:
  ConfigStoreTest() {
    CHECK(disk_.MakeFolders("/contracts").ok());
    const auto bytes = ReadWholeFile(posix_, TELLTALE_BUILD_DIR "/share/telltale/contract.desc");
    CHECK(bytes.ok() && shipped_.ParseFromString(*bytes));
    shipped_digest_ = Install([](pb::DescriptorProto&) {});
  }
  // The shipped contract with `edit` done to Report; its digest.
  std::string Install(const Edit& edit, const std::string& approvals = "") {
    pb::FileDescriptorSet files = shipped_;
    for (pb::FileDescriptorProto& file : *files.mutable_file()) {
      for (pb::DescriptorProto& message : *file.mutable_message_type()) {
        if (file.package() == "telltale.v1" && message.name() == "Report") edit(message);
      }
    }
    const std::string bytes = files.SerializeAsString();
    const std::string digest = HexEncode(seal::Sha256(bytes));
    CHECK(WriteFileDurably(disk_, "/contracts/" + digest + ".desc", bytes).ok());
    if (approvals.empty()) return digest;
    CHECK(WriteFileDurably(disk_, "/contracts/" + digest + ".approvals.yaml", approvals).ok());
    return digest;
  }
  std::string WithoutSpeed() {
    return Install([](pb::DescriptorProto& report) {
      for (pb::FieldDescriptorProto& field : *report.mutable_field()) {
        if (field.name() == "speed_kmh") field.set_number(8'000);
      }
    });
  }
  // FieldSpec with a class and a unit.
  static Edit AddField(const std::string& name, int number, char privacy) {
    return [=](pb::DescriptorProto& report) {
      pb::FieldDescriptorProto* field = report.add_field();
      field->set_name(name);
      field->set_number(number);
      field->set_type(pb::FieldDescriptorProto::TYPE_FLOAT);
      field->set_label(pb::FieldDescriptorProto::LABEL_OPTIONAL);
      field->set_proto3_optional(true);
      field->set_oneof_index(report.oneof_decl_size());
      report.add_oneof_decl()->set_name("_" + name);
      field->mutable_options()->mutable_unknown_fields()->AddLengthDelimited(50710,
                                                                             std::string("\x0a\x03"
                                                                                         "Cel"
                                                                                         "\x20") +
                                                                                 privacy);
    };
  }
  internal::v1::ConfigRecord Record(std::uint64_t seq, std::uint32_t number,
                                    const std::string& digest) {
    internal::v1::ConfigRecord record;
    record.set_config_seq(seq);
    record.set_contract_number(number);
    record.set_contract_digest(digest);
    return record;
  }
  std::string Sign(const internal::v1::ConfigRecord& record) {
    internal::v1::SignedConfig envelope;
    envelope.set_record(record.SerializeAsString());
    envelope.set_signature(*seal::SignEd25519(control_.private_raw, envelope.record()));
    envelope.set_key_id(seal::KeyId(control_.public_raw));
    return envelope.SerializeAsString();
  }
  Status Put(const internal::v1::ConfigRecord& record) {
    ASSIGN_OR_RETURN(const CheckedConfig config, store_.Check(Sign(record)));
    return store_.Keep(config);
  }
  Status Put(std::uint64_t seq, std::uint32_t number, const std::string& digest) {
    return Put(Record(seq, number, digest));
  }

  PosixDisk posix_;
  SimDisk disk_;
  pb::FileDescriptorSet shipped_;
  std::string shipped_digest_;
  const seal::KeyPair control_ = *seal::MakeEd25519();
  ConfigStore store_{disk_, {"/config", "/contracts", control_.public_raw}};
};

TEST_F(ConfigStoreTest, AContractThatBreaksACarIsRefusedAndSaysWhatItBreaks) {
  ASSERT_TRUE(Put(1, 1, shipped_digest_).ok());
  const Status refused = Put(2, 2, WithoutSpeed());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_NE(refused.error().message.find("speed_kmh"), std::string::npos)
      << refused.error().message;
  EXPECT_EQ((*store_.Newest())->seq, ConfigSeq{1});
}

TEST_F(ConfigStoreTest, ASealedFieldMayBeAddedAndAnOpenOneNeedsAnApproval) {
  ASSERT_TRUE(Put(1, 1, shipped_digest_).ok());
  const Status sealed = Put(2, 2, Install(AddField("cabin_temperature_c", 899, 3)));
  EXPECT_TRUE(sealed.ok()) << sealed.error().ToString();
  const Status open = Put(3, 3, Install(AddField("cabin_temperature_c", 899, 1)));
  EXPECT_EQ(open.error().code, Code::kRefused);
  const auto both = [&](pb::DescriptorProto& report) {
    AddField("cabin_temperature_c", 899, 3)(report);
    AddField("hood_temperature_c", 900, 1)(report);
  };
  EXPECT_EQ(Put(3, 3, Install(both)).error().code, Code::kRefused);
  const std::string approvals =
      "approvals:\n"
      "  - field: telltale.v1.Report.hood_temperature_c\n"
      "    change: open\n    author: ana\n    approvers: [ben]\n    reason: bearing wear\n";
  const Status approved = Put(3, 3, Install(both, approvals));
  EXPECT_TRUE(approved.ok()) << approved.error().ToString();
}

TEST_F(ConfigStoreTest, EveryEarlierContractCountsAlsoOneThatOnlyACohortHad) {
  ASSERT_TRUE(Put(1, 1, shipped_digest_).ok());
  internal::v1::ConfigRecord record = Record(2, 1, shipped_digest_);
  record.mutable_next_contract()->set_number(2);
  record.mutable_next_contract()->set_digest(Install(AddField("cabin_temperature_c", 899, 3)));
  ASSERT_TRUE(Put(record).ok());
  ASSERT_TRUE(Put(3, 1, shipped_digest_).ok()) << "back to the first for all";
  // The number was used by the cohort's contract.
  EXPECT_EQ(Put(4, 3, Install(AddField("gearbox_temperature_c", 899, 3))).error().code,
            Code::kRefused);
}

TEST_F(ConfigStoreTest, GoingBackToAContractThatWasInForceBreaksNobody) {
  const std::string second = Install(AddField("cabin_temperature_c", 899, 3));
  ASSERT_TRUE(Put(1, 1, shipped_digest_).ok());
  ASSERT_TRUE(Put(2, 2, second).ok());
  EXPECT_TRUE(Put(3, 1, shipped_digest_).ok());
  EXPECT_TRUE(Put(4, 2, second).ok());
}

TEST_F(ConfigStoreTest, ANumberIsOneContractsForEver) {
  const std::string second = Install(AddField("cabin_temperature_c", 899, 3));
  ASSERT_TRUE(Put(1, 1, shipped_digest_).ok());
  EXPECT_EQ(Put(2, 1, second).error().code, Code::kInvalid);
  ASSERT_TRUE(Put(2, 5, second).ok());
  EXPECT_EQ(Put(3, 4, Install(AddField("hood_temperature_c", 900, 3))).error().code,
            Code::kInvalid);
}

TEST_F(ConfigStoreTest, ANextContractMustBeANewerOneAndIsJudgedToo) {
  ASSERT_TRUE(Put(1, 1, shipped_digest_).ok());
  internal::v1::ConfigRecord record = Record(2, 1, shipped_digest_);
  record.mutable_next_contract()->set_number(1);
  record.mutable_next_contract()->set_digest(shipped_digest_);
  EXPECT_EQ(Put(record).error().code, Code::kInvalid);
  record.mutable_next_contract()->set_number(2);
  record.mutable_next_contract()->set_digest(WithoutSpeed());
  EXPECT_EQ(Put(record).error().code, Code::kRefused);
  record.mutable_next_contract()->set_digest("../../etc/passwd");
  EXPECT_EQ(Put(record).error().code, Code::kInvalid);
}

TEST_F(ConfigStoreTest, ALeaderThatAnotherHasFollowedIsRefusedAndTheOperatorIsNot) {
  const auto of_leader = [&](std::uint64_t seq, std::uint64_t leader_epoch) {
    internal::v1::ConfigRecord record = Record(seq, 1, shipped_digest_);
    record.set_leader_epoch(leader_epoch);
    return record;
  };
  ASSERT_TRUE(Put(1, 1, shipped_digest_).ok());
  ASSERT_TRUE(Put(of_leader(2, 1)).ok());
  ASSERT_TRUE(Put(of_leader(3, 2)).ok());
  EXPECT_EQ(Put(of_leader(4, 1)).error().code, Code::kRefused);
  EXPECT_TRUE(Put(of_leader(2, 1)).ok()) << "sent again";
  EXPECT_TRUE(Put(of_leader(4, 0)).ok()) << "a command of the operator's";
  EXPECT_EQ(Put(of_leader(5, 1)).error().code, Code::kRefused) << "which forgets no leader";
  EXPECT_TRUE(Put(of_leader(5, 2)).ok());
}

TEST_F(ConfigStoreTest, UnderANumberThatIsKeptOtherBytesAreRefused) {
  ASSERT_TRUE(Put(1, 1, shipped_digest_).ok());
  internal::v1::ConfigRecord other = Record(1, 1, shipped_digest_);
  other.set_stable_release("another");
  EXPECT_EQ(Put(other).error().code, Code::kRefused);
  EXPECT_TRUE(Put(1, 1, shipped_digest_).ok());
}

TEST_F(ConfigStoreTest, AtAStartTheKeptConfigIsJudgedAgain) {
  ASSERT_TRUE(Put(1, 1, shipped_digest_).ok());
  // As somebody would leave it who writes past the door.
  const std::string smuggled = Sign(Record(2, 2, WithoutSpeed()));
  ASSERT_TRUE(WriteFileDurably(disk_, "/config/00000000000000000002", smuggled).ok());
  const auto newest = store_.Newest();
  ASSERT_FALSE(newest.ok());
  EXPECT_EQ(newest.error().code, Code::kRefused);
}

}  // namespace
}  // namespace telltale::gateway
