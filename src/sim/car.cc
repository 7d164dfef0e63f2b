#include "sim/car.h"

#include <algorithm>
#include <cmath>

#include "telltale/v1/options.pb.h"

namespace telltale::sim {
namespace {

// Every `bool` field with the option `safety` (docs/vehicle-protocol.md, "When to send").
const std::vector<const google::protobuf::FieldDescriptor*>& EdgeFields() {
  static const auto fields = [] {
    std::vector<const google::protobuf::FieldDescriptor*> found;
    const google::protobuf::Descriptor& report = *telltale::v1::Report::descriptor();
    for (int i = 0; i < report.field_count(); ++i) {
      const google::protobuf::FieldDescriptor* field = report.field(i);
      if (field->type() == google::protobuf::FieldDescriptor::TYPE_BOOL && !field->is_repeated() &&
          field->options().GetExtension(telltale::v1::field).safety()) {
        found.push_back(field);
      }
    }
    return found;
  }();
  return fields;
}

}  // namespace

Car::Car(CarOptions options, Record& record)
    : options_(std::move(options)),
      record_(record),
      boots_(options_.seed),
      faults_(options_.seed ^ 0x6661756c7473),
      repeats_(options_.seed ^ 0x72657065617473) {
  boot_.counter = options_.boots_before;
}

void Car::Boot(bool loses_buffer, Micros now) {
  if (booted_) {
    if (loses_buffer) {
      record_.Lost(options_.vin, boot_, buffer_.size());
      buffer_.clear();
    }
    QueueBuffer(now);
    if (next_seq_ > 0) {
      previous_boot_ = boot_;
      previous_last_seq_ = next_seq_ - 1;
    }
  }
  booted_ = true;
  boot_acknowledged_ = false;
  ++boot_.counter;
  boot_.random = boots_.NextU64();
  next_seq_ = 0;
  edges_.clear();
  was_urgent_ = false;
}

bool Car::Urgent(const telltale::v1::Report& report) {
  const google::protobuf::Reflection& fields = *report.GetReflection();
  bool changed = edges_.empty();  // a boot's first report has nothing to be compared with
  edges_.resize(EdgeFields().size(), false);
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    const bool value = fields.GetBool(report, EdgeFields()[i]);  // unset counts as false
    changed = changed || value != edges_[i];
    edges_[i] = value;
  }
  const bool hard = std::abs(report.acceleration_longitudinal_mps2()) >= kUrgentMps2 ||
                    std::abs(report.acceleration_lateral_mps2()) >= kUrgentMps2;
  const bool urgent = changed || hard || was_urgent_;
  was_urgent_ = hard;
  return urgent;
}

void Car::Take(const TimedReport& moment, Micros scheduled, Micros event_time) {
  // What is due by its age leaves without this report, as if a timer had come in between: so what
  // is in the buffer follows from the vehicle's time alone.
  Tick(scheduled);
  if (!booted_ || moment.boot) Boot(moment.loses_buffer, scheduled);
  telltale::v1::Report report = moment.report;
  report.set_seq(next_seq_++);
  report.set_event_time_us(event_time.value + options_.clock_error_us);
  const bool urgent = Urgent(report);
  const bool malformed = faults_.Below(1000) < options_.malformed_per_mille;
  if (malformed) report.clear_event_time_us();
  record_.Sent(options_.vin, boot_, report, malformed, scheduled);
  if (buffer_.empty()) buffer_since_us_ = scheduled.value;
  buffer_.push_back(std::move(report));
  if (urgent || buffer_.size() >= kReportsPerSend) QueueBuffer(scheduled);
}

void Car::Tick(Micros now) {
  if (!buffer_.empty() && now.value - buffer_since_us_ >= kSendEveryUs) QueueBuffer(now);
}

void Car::Flush(Micros now) { QueueBuffer(now); }

void Car::QueueBuffer(Micros now) {
  if (buffer_.empty()) return;
  telltale::v1::ReportBatch batch;
  batch.set_boot_counter(boot_.counter);
  batch.set_boot_random(boot_.random);
  batch.set_firmware(options_.firmware);
  if (previous_boot_.has_value() && !boot_acknowledged_) {
    batch.set_previous_boot_counter(previous_boot_->counter);
    batch.set_previous_boot_random(previous_boot_->random);
    batch.set_previous_last_seq(previous_last_seq_);
  }
  for (const telltale::v1::Report& report : buffer_) *batch.add_reports() = report;
  Outgoing out;
  out.payload = batch.SerializeAsString();
  out.boot = boot_;
  out.first_seq = buffer_.front().seq();
  out.last_seq = buffer_.back().seq();
  out.reports = static_cast<std::uint32_t>(buffer_.size());
  record_.Batch(options_.vin, boot_, out.first_seq, out.last_seq, std::max(now, coverage_from_));
  waiting_.push_back(std::move(out));
  buffer_.clear();
}

const Outgoing* Car::NextToSend() {
  if (waiting_.empty() || in_flight_.size() >= kInFlightMax) return nullptr;
  in_flight_.push_back(std::move(waiting_.front()));
  waiting_.pop_front();
  // 1-65535, and at most kInFlightMax of them are in use, so the next one is always free.
  last_packet_id_ = static_cast<std::uint16_t>(last_packet_id_ == 65535 ? 1 : last_packet_id_ + 1);
  in_flight_.back().packet_id = last_packet_id_;
  return &in_flight_.back();
}

bool Car::OnPubAck(std::uint16_t packet_id, Micros now) {
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(),
                                  [&](const Outgoing& out) { return out.packet_id == packet_id; });
  if (found == in_flight_.end()) return false;
  Outgoing acked = std::move(*found);
  in_flight_.erase(found);
  if (acked.boot == boot_) boot_acknowledged_ = true;
  record_.Acked(options_.vin, acked.boot, acked.first_seq, acked.last_seq, acked.reports, now);
  if (repeats_.Below(1000) < options_.repeats_per_mille) {
    acked.packet_id = 0;
    record_.Repeated(acked.reports);
    waiting_.push_back(std::move(acked));
  }
  return true;
}

std::uint64_t Car::unacknowledged_reports() const {
  std::uint64_t reports = buffer_.size();
  for (const Outgoing& out : waiting_) reports += out.reports;
  for (const Outgoing& out : in_flight_) reports += out.reports;
  return reports;
}

void Car::OnDisconnected() {
  while (!in_flight_.empty()) {
    waiting_.push_front(std::move(in_flight_.back()));
    waiting_.front().again = true;
    in_flight_.pop_back();
  }
}

}  // namespace telltale::sim
