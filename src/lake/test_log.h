// A log as the gateway would write it, for tests and the bench of this module.
#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/disk.h"
#include "log/log.h"
#include "telltale/v1/options.pb.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::lake {

inline constexpr char kTestRelease[] =
    "00000000000000000000000000000000000000000000000000000000000000aa";
inline constexpr char kTestDigest[] =
    "00000000000000000000000000000000000000000000000000000000000000cc";

struct TestReport {
  VehicleRef vehicle;
  BootId boot{1, 7};
  std::uint64_t seq = 0;
  Micros event_time;
  Micros receipt_time;
  std::uint64_t content_hash = 1;
  std::string firmware = "1.0.0";
  std::optional<std::pair<BootId, std::uint64_t>> previous_boot;
  v1::Report open;  // the open and derived fields
};

// A reference that lies in `partition`, the k-th of them.
VehicleRef TestVehicle(std::uint16_t partition, std::uint64_t k);

class TestLog {
 public:
  // CHECKs whatever goes wrong: this is a test's tool.
  TestLog(Disk& disk, const std::string& dir, std::uint16_t partitions, std::uint16_t shards);

  // A config record in every partition; kTestRelease is in force, with another as its speaker where
  // one is named.
  void AddConfig(std::uint64_t config_seq, std::uint32_t contract_number,
                 const std::string& contract_digest, Micros at, const std::string& speaker = "");
  void Add(const TestReport& report);
  void AddTick(std::uint16_t partition, Micros at);
  // Appends what was added and makes it durable.
  void Sync();
  std::uint64_t records() const { return records_; }

 private:
  log::BatchBuilder& BatchOf(PartitionId partition);

  std::uint16_t partitions_;
  std::uint16_t shards_;
  std::unique_ptr<log::Log> log_;
  std::map<PartitionId, log::BatchBuilder> batches_;
  std::uint64_t records_ = 0;
};

// A field to be added to Report: its name, type and option.
struct TestField {
  std::string name;
  int number = 0;
  google::protobuf::FieldDescriptorProto::Type type;
  v1::FieldSpec spec;
  std::string type_name;  // of an enum: ".telltale.v1.MotionSource"
};
// A descriptor set with more fields in Report.
std::string WithFields(const std::string& descriptor, const std::vector<TestField>& fields);

// The contract of this build, and its installation as <folder>/<digest>.desc.
std::string ReadContractDescriptor(const std::string& path);
void InstallContract(Disk& disk, const std::string& folder, const std::string& digest,
                     const std::string& descriptor);

}  // namespace telltale::lake
