// For tests and fuzzers: the contract this tree was built with, and reports in its terms.
#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/check.h"
#include "contract/contract.h"
#include "log/record.h"
#include "safety/rules.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::safety::testing {

inline void AddFile(const google::protobuf::FileDescriptor* file, std::set<std::string>& seen,
                    google::protobuf::FileDescriptorSet& set) {
  if (!seen.insert(file->name()).second) return;
  for (int n = 0; n < file->dependency_count(); ++n) AddFile(file->dependency(n), seen, set);
  file->CopyTo(set.add_file());
}

inline std::shared_ptr<const contract::Contract> BuiltContract() {
  google::protobuf::FileDescriptorSet set;
  std::set<std::string> seen;
  AddFile(telltale::v1::Report::descriptor()->file(), seen, set);
  auto contract = contract::Contract::FromDescriptorSet(set.SerializeAsString());
  CHECK(contract.ok());
  return std::move(contract).value();
}

inline RuleSet MustLoad(std::string_view yaml) {
  auto rules = LoadRules(yaml, *BuiltContract());
  if (!rules.ok()) {
    std::fprintf(stderr, "%s\n", rules.error().ToString().c_str());
    CHECK(rules.ok());
  }
  return std::move(rules).value();
}

// A record of `safety` with its own bytes.
struct TestRecord {
  log::RecordView view;
  std::string payload;

  const log::RecordView& Get() {
    view.payload = AsBytes(payload);
    return view;
  }
};

inline VehicleRef Vehicle(std::uint8_t n) {
  VehicleRef ref;
  ref.bytes.fill(n);
  return ref;
}

inline TestRecord MakeRecord(std::uint64_t offset, const VehicleRef& vehicle, BootId boot,
                             std::uint64_t seq, Micros event_time,
                             const std::function<void(telltale::v1::Report&)>& fill) {
  telltale::v1::Report report;
  if (fill) fill(report);
  TestRecord record;
  record.payload = report.SerializeAsString();
  record.view.header.vehicle = vehicle;
  record.view.header.boot = boot;
  record.view.header.seq = seq;
  record.view.header.event_time = event_time;
  record.view.header.receipt_time = event_time + Micros{1000};
  record.view.header.content_hash = seq * 7919 + 1;
  record.view.header.contract_number = 1;
  record.view.offset = Offset{offset};
  record.view.log_time = record.view.header.receipt_time;
  return record;
}

}  // namespace telltale::safety::testing
