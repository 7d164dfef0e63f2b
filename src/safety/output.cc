#include "safety/output.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <openssl/sha.h>

#include <algorithm>

#include "internal/v1/internal.pb.h"

namespace telltale::safety {
namespace {

// Journals are compared byte for byte.
std::string Serialise(const internal::v1::JournalEntry& entry) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    entry.SerializeToCodedStream(&coded);
  }
  return out;
}

void FillSurroundings(const Surroundings& from, internal::v1::Alert& to) {
  if (from.cell) to.set_cell(*from.cell);
  if (from.heading_octant) to.set_heading_octant(*from.heading_octant);
  if (from.vehicle_class) to.set_vehicle_class(*from.vehicle_class);
  if (from.speed_kmh) to.set_speed_kmh(*from.speed_kmh);
}

}  // namespace

OutputId MakeOutputId(std::string_view environment, std::string_view rule,
                      const VehicleRef& subject, BootId boot, std::uint64_t first_seq) {
  std::string boot_bytes;
  PutLe(boot_bytes, boot.counter);
  PutLe(boot_bytes, boot.random);
  std::string seq_bytes;
  PutLe(seq_bytes, first_seq);
  std::string text;
  PutBlob(text, environment);
  PutBlob(text, rule);
  PutBlob(text, AsText(subject.bytes));
  PutBlob(text, boot_bytes);
  PutBlob(text, seq_bytes);
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  const ByteSpan bytes = AsBytes(text);
  SHA256(bytes.data(), bytes.size(), digest.data());
  OutputId id{};
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

std::string EncodeOutput(std::string_view environment, const Rule& rule,
                         const log::RecordView& record, const Output& output) {
  const Episode& episode = output.change.episode;
  const VehicleRef& vehicle = record.header.vehicle;
  internal::v1::JournalEntry entry;
  internal::v1::JournalEntry::Output& out = *entry.mutable_output();
  out.set_partition(record.partition.value);
  out.set_input_offset(record.offset.value);
  out.set_index(output.index);
  out.set_event_time_us(record.header.event_time.value);
  out.set_receipt_time_us(record.header.receipt_time.value);
  out.set_seq(record.header.seq);
  out.set_boot_counter(record.header.boot.counter);
  out.set_boot_random(record.header.boot.random);
  out.set_contract_number(record.header.contract_number);

  internal::v1::Alert& alert = *out.mutable_alert();
  const OutputId id =
      MakeOutputId(environment, rule.name, vehicle, episode.boot, episode.first_seq);
  alert.set_output_id(id.data(), id.size());
  alert.set_rule(rule.name);
  alert.set_vehicle_ref(vehicle.bytes.data(), vehicle.bytes.size());
  alert.set_revision(output.change.closed ? 2 : 1);
  alert.set_state(output.change.closed ? internal::v1::EPISODE_STATE_CLOSED
                                       : internal::v1::EPISODE_STATE_OPEN);
  alert.set_severity(static_cast<internal::v1::Severity>(SeverityOf(rule, episode.peak)));
  alert.set_boot_counter(episode.boot.counter);
  alert.set_boot_random(episode.boot.random);
  alert.set_first_seq(episode.first_seq);
  alert.set_started_at_us(episode.started_at.value);
  if (output.change.closed) alert.set_ended_at_us(output.change.ended_at.value);
  if (rule.has_peak) {
    alert.set_peak_value(rule.direction == Direction::kBelow ? -episode.peak : episode.peak);
    alert.set_unit(rule.unit);
  }
  FillSurroundings(episode.surroundings, alert);
  return Serialise(entry);
}

std::string EncodeProgress(PartitionId partition, Offset below, const PartitionState& state) {
  internal::v1::JournalEntry entry;
  internal::v1::JournalEntry::Progress& progress = *entry.mutable_progress();
  progress.set_partition(partition.value);
  progress.set_below_offset(below.value);
  progress.set_log_time_us(state.log_time.value);
  progress.set_config_seq(state.config_seq.value);
  progress.set_lots(state.lots.count);
  progress.set_lots_since_us(state.lots.since.value);
  return Serialise(entry);
}

}  // namespace telltale::safety
