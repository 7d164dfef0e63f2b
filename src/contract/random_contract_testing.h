// For tests only: contracts that nobody wrote, each wider than the shipped one.
#pragma once

#include <string>
#include <vector>

#include "contract/report_oracle.h"

namespace telltale::contract::testing {

using Proto = pb::FieldDescriptorProto;

// The shipped contract with messages and fields of every kind and class added to it.
class RandomContract {
 public:
  explicit RandomContract(std::uint64_t seed) : random_(seed) {}

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

}  // namespace telltale::contract::testing
