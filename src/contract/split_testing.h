// For tests only: what the split promises of any report under any contract, held against
// libprotobuf.
#pragma once

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <memory>

#include "contract/report_oracle.h"

namespace telltale::contract::testing {

// Known fields of `message` that the contract flags safety.
inline std::unique_ptr<pb::Message> OnlySafety(const pb::Message& message,
                                               const Contract& contract) {
  std::unique_ptr<pb::Message> kept(message.New());
  kept->CopyFrom(message);
  std::vector<const pb::FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  for (const pb::FieldDescriptor* field : set) {
    const Field* known = contract.FindByNumber(static_cast<std::uint32_t>(field->number()));
    if (!known->safety) kept->GetReflection()->ClearField(kept.get(), field);
  }
  return kept;
}

// All parts of `split` as one report, read by `oracle`'s contract.
inline std::unique_ptr<pb::Message> Joined(const Oracle& oracle, const Kept& split) {
  auto joined = oracle.Decode(split.telemetry);
  const auto sealed = oracle.Decode(split.sealed);
  const auto unknown = oracle.Decode(split.unknown);
  CHECK(joined && sealed && unknown);
  Join(*joined, *sealed);
  Join(*joined, *unknown);
  const auto& descriptor = *joined->GetDescriptor();
  joined->GetReflection()->SetUInt64(joined.get(), descriptor.FindFieldByNumber(1),
                                     split.report.seq);
  joined->GetReflection()->SetInt64(joined.get(), descriptor.FindFieldByNumber(2),
                                    split.report.event_time.value);
  return joined;
}

// The parts of `split` together are `sent`, and its open parts hold nothing that is sealed.
inline void ExpectWhole(const Oracle& oracle, const pb::Message& sent, const Kept& split) {
  ASSERT_EQ(split.report.refused, Reason::kNone);
  const auto open = oracle.Decode(split.telemetry);
  const auto safety = oracle.Decode(split.safety);
  ASSERT_TRUE(open && safety);
  EXPECT_EQ(FirstLeak(*open, oracle.contract().fields()), "");
  EXPECT_EQ(FirstLeak(*safety, oracle.contract().fields()), "");
  const auto open_safety = OnlySafety(*open, oracle.contract());
  EXPECT_EQ(open_safety->SerializeAsString(), safety->SerializeAsString());

  EXPECT_TRUE(pb::util::MessageDifferencer::Equals(sent, *Joined(oracle, split)))
      << sent.DebugString();
}

}  // namespace telltale::contract::testing
