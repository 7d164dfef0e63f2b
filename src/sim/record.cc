#include "sim/record.h"

#include <fmt/format.h>

namespace telltale::sim {
namespace {

constexpr std::size_t kFlushBytes = 1u << 20;

}  // namespace

Result<std::unique_ptr<Record>> Record::ToFile(Disk& disk, const std::string& path) {
  auto record = std::make_unique<Record>();
  ASSIGN_OR_RETURN(record->file_, disk.Open(path, OpenMode::kCreateOrOpen, 0600));
  RETURN_IF_ERROR(record->file_->Truncate(0));
  return record;
}

void Record::Line(std::string line) {
  if (file_ == nullptr) return;
  pending_ += line;
  pending_ += '\n';
  if (pending_.size() < kFlushBytes) return;
  if (const Status flushed = Flush(); !flushed.ok()) failed_ = flushed;
}

Status Record::Flush() {
  if (!failed_.ok()) return failed_;
  if (file_ == nullptr || pending_.empty()) return Ok();
  RETURN_IF_ERROR(file_->WriteAt(written_, AsBytes(pending_)));
  written_ += pending_.size();
  pending_.clear();
  return Ok();
}

void Record::Sent(const std::string& vin, BootId boot, const telltale::v1::Report& report,
                  bool malformed, Micros scheduled) {
  ++totals_.reports_made;
  if (malformed) ++totals_.reports_malformed;
  if (file_ == nullptr) return;
  std::string line = fmt::format(
      R"({{"type":"report","vin":"{}","boot":{},"boot_random":"{}","seq":{},"event_time_us":{},)"
      R"("scheduled_us":{},"malformed":{})",
      vin, boot.counter, boot.random, report.seq(), report.event_time_us(), scheduled.value,
      malformed);
  // The signals that the rules look at, so that a test can say what must be alerted.
  const auto add = [&line](const char* name, bool present, auto value) {
    if (present) line += fmt::format(R"(,"{}":{})", name, value);
  };
  add("speed_kmh", report.has_speed_kmh(), report.speed_kmh());
  add("ax", report.has_acceleration_longitudinal_mps2(), report.acceleration_longitudinal_mps2());
  add("ay", report.has_acceleration_lateral_mps2(), report.acceleration_lateral_mps2());
  add("fcw", report.has_is_fcw_warning(), report.is_fcw_warning());
  add("aeb", report.has_is_aeb_engaged(), report.is_aeb_engaged());
  add("lat", report.has_latitude_deg(), report.latitude_deg());
  add("lon", report.has_longitude_deg(), report.longitude_deg());
  Line(line + "}");
}

void Record::Batch(const std::string& vin, BootId boot, std::uint64_t first_seq,
                   std::uint64_t last_seq, Micros scheduled) {
  totals_.reports_sent += last_seq - first_seq + 1;
  Line(fmt::format(R"({{"type":"batch","vin":"{}","boot_random":"{}","first_seq":{},"last_seq":{},)"
                   R"("scheduled_us":{}}})",
                   vin, boot.random, first_seq, last_seq, scheduled.value));
}

void Record::Acked(const std::string& vin, BootId boot, std::uint64_t first_seq,
                   std::uint64_t last_seq, std::uint32_t reports, Micros now) {
  totals_.reports_acked += reports;
  Line(fmt::format(R"({{"type":"ack","vin":"{}","boot_random":"{}","first_seq":{},"last_seq":{},)"
                   R"("at_us":{}}})",
                   vin, boot.random, first_seq, last_seq, now.value));
}

void Record::Repeated(std::uint32_t reports) {
  totals_.reports_repeated += reports;
  totals_.reports_sent += reports;
}

void Record::Lost(const std::string& vin, BootId boot, std::uint64_t reports) {
  totals_.reports_lost += reports;
  Line(fmt::format(R"({{"type":"lost","vin":"{}","boot_random":"{}","reports":{}}})", vin,
                   boot.random, reports));
}

}  // namespace telltale::sim
