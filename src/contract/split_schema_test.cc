// Contracts that nobody wrote: the split under random schemas, with libprotobuf as the oracle.
#include "base/test_rounds.h"
#include "contract/split_testing.h"

namespace telltale::contract {
namespace {

using namespace testing;  // NOLINT: the oracle's vocabulary

using Proto = pb::FieldDescriptorProto;

// Adds messages and fields of every kind and class to the shipped contract.
class RandomSchema {
 public:
  explicit RandomSchema(std::uint64_t seed) : random_(seed) {}

  pb::FileDescriptorSet Next() {
    pb::FileDescriptorSet files = ShippedFiles();
    pb::FileDescriptorProto* file = nullptr;
    for (auto& one : *files.mutable_file()) {
      if (one.name() == "telltale/v1/telemetry.proto") file = &one;
    }
    messages_.clear();
    const std::uint64_t messages = random_.Below(5);
    for (std::uint64_t i = 0; i < messages; ++i) {
      pb::DescriptorProto* message = file->add_message_type();
      message->set_name("Extra" + std::to_string(i));
      // Of those that are there already: no message holds itself.
      Fill(message, 1, 1 + random_.Below(6), false);
      messages_.push_back(".telltale.v1." + message->name());
    }
    Fill(FindMessage(files, "Report"), 8'000, 1 + random_.Below(40), true);
    return files;
  }

 private:
  void Fill(pb::DescriptorProto* message, int number, std::uint64_t fields, bool is_report) {
    for (std::uint64_t i = 0; i < fields; ++i) {
      number += 1 + static_cast<int>(random_.Below(3));
      AddOne(message, number, is_report);
    }
  }

  void AddOne(pb::DescriptorProto* message, int number, bool is_report) {
    constexpr Proto::Type kTypes[] = {
        Proto::TYPE_DOUBLE,   Proto::TYPE_FLOAT,  Proto::TYPE_INT64,    Proto::TYPE_UINT64,
        Proto::TYPE_INT32,    Proto::TYPE_UINT32, Proto::TYPE_FIXED64,  Proto::TYPE_FIXED32,
        Proto::TYPE_SFIXED64, Proto::TYPE_SINT32, Proto::TYPE_SFIXED32, Proto::TYPE_SINT64,
        Proto::TYPE_BOOL,     Proto::TYPE_STRING, Proto::TYPE_ENUM,     Proto::TYPE_MESSAGE};
    Proto::Type type = kTypes[random_.Below(std::size(kTypes))];
    if (type == Proto::TYPE_MESSAGE && messages_.empty()) type = Proto::TYPE_FLOAT;
    Proto* field = AddField(message, "extra_" + std::to_string(number), number, type);
    if (type == Proto::TYPE_MESSAGE)
      field->set_type_name(messages_[random_.Below(messages_.size())]);
    if (type == Proto::TYPE_ENUM) field->set_type_name(".telltale.v1.VehicleClass");
    // A distance's open copy is another number: distance_test has those.
    const int privacy = static_cast<int>(random_.Below(4));
    // Of a list of OPEN texts the open part has the allowed ones: their places in it are not kept.
    const bool may_repeat = type != Proto::TYPE_STRING || privacy != 1;
    if (may_repeat && random_.Below(4) == 0) field->set_label(Proto::LABEL_REPEATED);
    std::string spec = PrivacySpec(privacy);
    if (is_report && privacy == 1 && random_.Below(3) == 0) spec += "\x28\x01";  // safety
    if (random_.Below(8) != 0) SetSpec(field, spec);
  }

  SeededRandom random_;
  std::vector<std::string> messages_;
};

TEST(SplitSchemaTest, UnderAnyContractThePartsAreTheReportAndTheOpenPartsHoldNothingSealed) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(60); ++seed) {
    const auto contract = Load(RandomSchema(seed).Next());
    const Oracle oracle(contract);
    Splitter splitter(contract);
    RandomReports reports(oracle, seed);
    for (int i = 0; i < 30; ++i) {
      const auto sent = reports.Next(1 + reports.random().Below(8), true);
      ExpectWhole(oracle, *sent, SplitAll(splitter, Batch({sent->SerializeAsString()})).at(0));
      if (::testing::Test::HasFailure()) FAIL() << "seed " << seed << " report " << i;
    }
  }
}

// A reader with the old contract hands on what it does not know, bit by bit.
TEST(SplitSchemaTest, BytesOfANewerContractReadByTheOldOneAndWrittenAgainAreIdentical) {
  const Oracle old_oracle(Load(ShippedFiles()));
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(40); ++seed) {
    const Oracle oracle(Load(RandomSchema(seed).Next()));
    RandomReports cars(oracle, seed);
    for (int i = 0; i < 15; ++i) {
      const auto sent = cars.Next(3, false);
      for (int number = kFieldFirstDerived; number < 10'100; ++number) {  // no car sends them
        const auto* derived = sent->GetDescriptor()->FindFieldByNumber(number);
        if (derived != nullptr) sent->GetReflection()->ClearField(sent.get(), derived);
      }
      const std::string bytes = sent->SerializeAsString();
      EXPECT_EQ(old_oracle.Decode(bytes)->SerializeAsString(), bytes) << "seed " << seed;
    }
  }
}

// A fleet has both for years: what the old contract passed on reads the same under the new one.
TEST(SplitSchemaTest, WhatTheOldContractPassedOnReadsTheSameUnderEveryWiderOne) {
  const auto old_contract = Load(ShippedFiles());
  const Oracle old_oracle(old_contract);
  Splitter old_splitter(old_contract);
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(40); ++seed) {
    const auto contract = Load(RandomSchema(seed).Next());
    const Oracle oracle(contract);
    Splitter splitter(contract);
    RandomReports old_cars(old_oracle, seed);
    RandomReports new_cars(oracle, seed);
    for (int i = 0; i < 15; ++i) {
      const std::string of_old_car = old_cars.Next(3, false)->SerializeAsString();
      EXPECT_EQ(SplitAll(old_splitter, Batch({of_old_car})).at(0).telemetry,
                SplitAll(splitter, Batch({of_old_car})).at(0).telemetry);
      // And nothing of a new car is lost under the old one, or open before it is declared.
      const auto sent = new_cars.Next(3, true);
      const std::string of_new_car = sent->SerializeAsString();
      const Kept kept = SplitAll(old_splitter, Batch({of_new_car})).at(0);
      const auto open = old_oracle.Decode(kept.telemetry);
      ASSERT_TRUE(open);
      EXPECT_EQ(FirstLeak(*open, old_contract->fields()), "");
      EXPECT_TRUE(pb::util::MessageDifferencer::Equals(*sent, *Joined(oracle, kept)));
      if (::testing::Test::HasFailure()) FAIL() << "seed " << seed << " report " << i;
    }
  }
}

}  // namespace
}  // namespace telltale::contract
