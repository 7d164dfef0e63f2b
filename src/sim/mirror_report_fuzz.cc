// Any bytes as the payload of an open record: no crash, and a report that comes out holds no field
// that is not open.
#include "base/check.h"
#include "contract/report_oracle.h"
#include "sim/mirror_report.h"

using namespace telltale;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto contract = contract::testing::Load(contract::testing::ShippedFiles());
  static sim::MirrorReports reports(
      [](std::uint32_t) -> Result<std::shared_ptr<const contract::Contract>> { return contract; },
      sim::kCarriedOnCounts);
  log::RecordView record;
  record.header.flags = size > 0 ? data[0] & 1 : 0;
  record.payload = size > 0 ? ByteSpan(data + 1, size - 1) : ByteSpan();
  CHECK(static_cast<std::size_t>(sim::ClassOf(record)) < kVehicleClassNames.size());
  const auto report = reports.Encode(record, 1'000.5);
  if (!report.ok()) return 0;
  CHECK(!report->has_latitude_deg() && !report->has_longitude_deg() && !report->has_heading_deg());
  CHECK(!report->has_cell() && !report->has_heading_octant() && !report->has_vehicle_class());
  CHECK(!report->has_ignition_cycle() && !report->has_seq() && !report->has_event_time_us());
  return 0;
}
