// Rows a second into Parquet on one thread: reports of about 200 bytes, 20 of the contract's fields
// set, from the buffered record to the synced file, with the counts for table `coverage`. "Per
// core" is by CPU time of the process; the wall clock is told beside it.
// usage: lake_bench [rows] [rounds] [folder]   folder: the last round's files are left there
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

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

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Rows by CPU second.
double Round(const std::vector<Column>& columns, std::size_t rows, const std::string& folder,
             bool is_kept) {
  PosixDisk disk;
  Counters counters;
  auto builder = TableBuilder::Make(columns, counters).ValueOrDie();
  RowBuffer buffer;
  Fill(buffer, rows);
  const auto start = std::chrono::steady_clock::now();
  const double cpu = CpuSeconds();
  auto& kept = buffer.rows();
  for (Row& row : kept) row.bucket = BucketOf(row.vehicle.ToHex(), kVehicleBuckets);
  std::sort(kept.begin(), kept.end(), [](const Row& a, const Row& b) {
    return std::tie(a.day, a.bucket, a.vehicle, a.event_time) <
           std::tie(b.day, b.bucket, b.vehicle, b.event_time);
  });
  builder->CountCoverage().Begin(buffer);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    CHECK(builder->AppendRow(kept[i], buffer).ok());
    if (i + 1 < kept.size() && kept[i + 1].bucket == kept[i].bucket) continue;
    DataFile file;
    const std::string path = folder + "/" + std::to_string(i) + ".parquet";
    CHECK(WriteParquet(disk, path, builder->Finish().ValueOrDie(), file).ok());
    bytes += file.file_size_in_bytes;
    if (!is_kept) CHECK(disk.Remove(path).ok());
  }
  const double cpu_s = CpuSeconds() - cpu;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const auto count = static_cast<double>(rows);
  std::printf(
      R"({"rows":%zu,"columns":%zu,"bytes_per_row":%.1f,"rows_per_s":%.0f,"rows_per_cpu_s":%.0f})"
      "\n",
      rows, columns.size(), static_cast<double>(bytes) / count, count / took.count(),
      count / cpu_s);
  return count / cpu_s;
}

int Main(int argc, char** argv) {
  const std::size_t rows = argc > 1 ? std::stoul(argv[1]) : 500'000;
  const int rounds = argc > 2 ? std::stoi(argv[2]) : 5;
  auto contract =
      contract::Contract::FromDescriptorSet(ReadContractDescriptor(TELLTALE_CONTRACT_DESC));
  CHECK(contract.ok());
  const auto columns = TelemetryColumns(**contract, nullptr);
  PosixDisk disk;
  std::string folder = argc > 3 ? argv[3] : "";
  const bool is_kept = !folder.empty();
  if (!is_kept) {
    char made[] = "/tmp/lake_bench_XXXXXX";
    CHECK(mkdtemp(made) != nullptr);
    folder = made;
  }
  // The first round touches the memory that the others use again.
  Round(columns, rows, folder, false);
  for (int i = 1; i < rounds; ++i) Round(columns, rows, folder, is_kept && i + 1 == rounds);
  if (!is_kept) CHECK(disk.Remove(folder).ok());
  return 0;
}

}  // namespace
}  // namespace telltale::lake

int main(int argc, char** argv) { return telltale::lake::Main(argc, argv); }
