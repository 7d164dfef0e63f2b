#include "lake/test_log.h"

#include "internal/v1/internal.pb.h"

namespace telltale::lake {

VehicleRef TestVehicle(std::uint16_t partition, std::uint64_t k) {
  VehicleRef vehicle;
  vehicle.bytes[6] = static_cast<std::uint8_t>(partition >> 8);
  vehicle.bytes[7] = static_cast<std::uint8_t>(partition);
  for (std::size_t i = 0; i < 8; ++i) {
    vehicle.bytes[15 - i] = static_cast<std::uint8_t>(k >> (8 * i));
  }
  return vehicle;
}

TestLog::TestLog(Disk& disk, const std::string& dir, std::uint16_t partitions, std::uint16_t shards)
    : partitions_(partitions), shards_(shards) {
  log::LogOptions options;
  options.dir = dir;
  options.streams = {"telemetry"};
  options.partitions = partitions;
  options.shards = shards;
  options.ticks = false;
  options.segment_bytes = 1u << 20;
  options.unsynced_bytes_max = 64u << 20;
  auto opened = log::Log::Open(disk, options);
  CHECK(opened.ok());
  log_ = std::move(opened).value();
}

log::BatchBuilder& TestLog::BatchOf(PartitionId partition) {
  const auto [place, is_new] = batches_.try_emplace(partition);
  if (is_new) place->second.Clear(partition);
  return place->second;
}

void TestLog::AddConfig(std::uint64_t config_seq, std::uint32_t contract_number,
                        const std::string& contract_digest, Micros at, const std::string& speaker) {
  internal::v1::ConfigRecord record;
  record.set_config_seq(config_seq);
  record.set_environment("local");
  record.set_contract_number(contract_number);
  record.set_contract_digest(contract_digest);
  record.set_stable_release(speaker.empty() ? kTestRelease : speaker);
  if (!speaker.empty()) record.set_stable_in_force(kTestRelease);
  internal::v1::SignedConfig signed_config;
  signed_config.set_record(record.SerializeAsString());
  const std::string payload = signed_config.SerializeAsString();
  log::RecordHeader header;
  header.kind = log::RecordKind::kConfig;
  header.event_time = at;
  header.receipt_time = at;
  for (std::uint16_t p = 0; p < partitions_; ++p) {
    BatchOf(PartitionId{p}).Add(header, "", AsBytes(payload));
    ++records_;
  }
}

void TestLog::Add(const TestReport& report) {
  log::RecordHeader header;
  header.vehicle = report.vehicle;
  header.boot = report.boot;
  header.seq = report.seq;
  header.event_time = report.event_time;
  header.receipt_time = report.receipt_time;
  header.content_hash = report.content_hash;
  header.contract_number = 1;
  std::string payload;
  if (report.previous_boot) {
    header.flags = 1;
    PutLe(payload, report.previous_boot->first.counter);
    PutLe(payload, report.previous_boot->first.random);
    PutLe(payload, report.previous_boot->second);
  }
  report.open.AppendToString(&payload);
  BatchOf(report.vehicle.PartitionOf(partitions_)).Add(header, report.firmware, AsBytes(payload));
  ++records_;
}

void TestLog::AddTick(std::uint16_t partition, Micros at) {
  log::RecordHeader header;
  header.kind = log::RecordKind::kTick;
  header.event_time = at;
  header.receipt_time = at;
  BatchOf(PartitionId{partition}).Add(header, "", {});
  ++records_;
}

void TestLog::Sync() {
  for (auto& [partition, batch] : batches_) {
    const log::ShardWriter::Staged staged{0, &batch};
    log::ShardWriter& shard = log_->shard(log::ShardOf(partition, shards_));
    CHECK(shard.Append({&staged, 1}).ok());
  }
  batches_.clear();
  for (std::uint16_t s = 0; s < shards_; ++s) CHECK(log_->shard(ShardId{s}).SyncNow().ok());
}

std::string WithFields(const std::string& descriptor, const std::vector<TestField>& fields) {
  google::protobuf::FileDescriptorSet set;
  CHECK(set.ParseFromString(descriptor));
  for (auto& file : *set.mutable_file()) {
    for (auto& message : *file.mutable_message_type()) {
      if (file.package() != "telltale.v1" || message.name() != "Report") continue;
      for (const TestField& field : fields) {
        auto* added = message.add_field();
        added->set_name(field.name);
        added->set_number(field.number);
        added->set_type(field.type);
        added->set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
        if (!field.type_name.empty()) added->set_type_name(field.type_name);
        *added->mutable_options()->MutableExtension(v1::field) = field.spec;
      }
    }
  }
  return set.SerializeAsString();
}

std::string ReadContractDescriptor(const std::string& path) {
  PosixDisk disk;
  auto bytes = ReadWholeFile(disk, path);
  CHECK(bytes.ok());
  return std::move(bytes).value();
}

void InstallContract(Disk& disk, const std::string& folder, const std::string& digest,
                     const std::string& descriptor) {
  CHECK(disk.MakeFolders(folder, 0750).ok());
  CHECK(WriteFileDurably(disk, folder + "/" + digest + ".desc", descriptor).ok());
}

}  // namespace telltale::lake
