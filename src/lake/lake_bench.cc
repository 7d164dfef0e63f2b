// Rows a second into Parquet on one thread: reports of about 200 bytes, 20 of the contract's fields
// set, from the buffered record to the synced file. Usage: lake_bench [rows] [rounds]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "lake/iceberg.h"
#include "lake/lake.h"
#include "lake/parquet_file.h"
#include "lake/test_log.h"

namespace telltale::lake {
namespace {

v1::Report MakeReport(std::uint64_t k) {
  const auto wave = static_cast<float>(k % 997);
  v1::Report report;
  report.set_speed_kmh(wave / 10);
  report.set_acceleration_longitudinal_mps2(wave / 500 - 1);
  report.set_acceleration_lateral_mps2(1 - wave / 500);
  report.set_yaw_rate_dps(wave / 50);
  report.set_motion_source(v1::MOTION_SOURCE_IMU);
  report.set_brake_pedal_percent(wave / 10);
  report.set_is_abs_engaged(k % 50 == 0);
  report.set_is_fcw_warning(false);
  report.set_engine_speed_rpm(800 + wave);
  report.set_engine_load_percent(wave / 10);
  report.set_coolant_temperature_c(90 + wave / 100);
  report.set_throttle_percent(wave / 10);
  report.set_intake_air_temperature_c(20);
  report.set_fuel_level_percent(60);
  report.set_low_voltage_battery_v(13.8f + wave / 1000);
  report.set_low_voltage_battery_a(wave / 10);
  report.set_is_ignition_on(true);
  report.set_ignition_cycle(17);
  report.set_odometer_km(12345.0 + static_cast<double>(k) / 100);
  report.set_vehicle_class(v1::VEHICLE_CLASS_PASSENGER_CAR);
  return report;
}

void Fill(RowBuffer& buffer, std::size_t rows) {
  constexpr std::size_t kVehicles = 1000;
  const PartitionConfig config{1, 1, kTestDigest, kTestRelease, "local"};
  for (std::size_t i = 0; i < rows; ++i) {
    const std::string wire = MakeReport(i).SerializeAsString();
    log::RecordView record;
    record.header.vehicle = TestVehicle(static_cast<std::uint16_t>(i % 64), i % kVehicles);
    record.header.boot = {3, 0x1122334455667788};
    record.header.seq = i / kVehicles;
    record.header.receipt_time = Micros{1'764'000'000'000'000 + static_cast<std::int64_t>(i) * 100};
    record.log_time = record.header.receipt_time;
    record.offset = Offset{i};
    record.partition = PartitionId{static_cast<std::uint16_t>(i % 64)};
    record.firmware = "1.0.0";
    TelemetryPayload payload;
    payload.fields = AsBytes(wire);
    Intake::Accepted accepted;
    accepted.event_time = record.header.receipt_time;
    buffer.Add(record, payload, accepted, config);
  }
}

double Round(const std::vector<Column>& columns, std::size_t rows, const std::string& folder) {
  PosixDisk disk;
  Counters counters;
  auto builder = TableBuilder::Make(columns, counters).ValueOrDie();
  RowBuffer buffer;
  Fill(buffer, rows);
  const auto start = std::chrono::steady_clock::now();
  auto& kept = buffer.rows();
  for (Row& row : kept) row.bucket = BucketOf(row.vehicle.ToHex(), kVehicleBuckets);
  std::sort(kept.begin(), kept.end(), [](const Row& a, const Row& b) {
    return std::tie(a.day, a.bucket, a.vehicle, a.event_time) <
           std::tie(b.day, b.bucket, b.vehicle, b.event_time);
  });
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    CHECK(builder->AppendRow(kept[i], buffer).ok());
    if (i + 1 < kept.size() && kept[i + 1].bucket == kept[i].bucket) continue;
    DataFile file;
    const std::string path = folder + "/" + std::to_string(i) + ".parquet";
    CHECK(WriteParquet(disk, path, builder->Finish().ValueOrDie(), file).ok());
    bytes += file.file_size_in_bytes;
    CHECK(disk.Remove(path).ok());
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%zu rows, %zu columns, %.1f bytes a row, %.0f rows/s\n", rows, columns.size(),
              static_cast<double>(bytes) / static_cast<double>(rows),
              static_cast<double>(rows) / took.count());
  return static_cast<double>(rows) / took.count();
}

int Main(int argc, char** argv) {
  const std::size_t rows = argc > 1 ? std::stoul(argv[1]) : 500'000;
  const int rounds = argc > 2 ? std::stoi(argv[2]) : 5;
  auto contract =
      contract::Contract::FromDescriptorSet(ReadContractDescriptor(TELLTALE_CONTRACT_DESC));
  CHECK(contract.ok());
  const auto columns = TelemetryColumns(**contract, nullptr);
  char folder[] = "/tmp/lake_bench_XXXXXX";
  CHECK(mkdtemp(folder) != nullptr);
  std::vector<double> results;
  for (int i = 0; i < rounds; ++i) results.push_back(Round(columns, rows, folder));
  std::sort(results.begin(), results.end());
  std::printf("median %.0f rows/s\n", results[results.size() / 2]);
  return 0;
}

}  // namespace
}  // namespace telltale::lake

int main(int argc, char** argv) { return telltale::lake::Main(argc, argv); }
