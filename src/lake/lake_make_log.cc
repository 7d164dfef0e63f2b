// Test tool: an installation's folder with a real log as the gateway would write it, so that
// telltale-lake and the committer can be tested without a gateway. Deterministic.
// Usage: lake_make_log DIR --contract FILE.desc --vehicles N --reports N [--seed N] [--more]
// Prints what was written as JSON: {"rows": N, "duplicates": N, "missing": N, "late": N}.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/cell.h"
#include "base/config.h"
#include "base/random.h"
#include "lake/test_log.h"

namespace telltale::lake {
namespace {

constexpr std::uint16_t kPartitions = 8;
constexpr std::uint16_t kShards = 2;
constexpr std::int64_t kBase = 1'764'000'000'000'000;  // 2025-11-24T16:00Z

struct Arguments {
  std::string dir;
  std::string contract;
  std::uint64_t vehicles = 10;
  std::uint64_t reports = 100;
  std::uint64_t seed = 1;
  bool more = false;
};

struct Written {
  std::uint64_t rows = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t late = 0;
  std::uint64_t newer_firmware = 0;
};

TestReport MakeReport(std::uint64_t vehicle, std::uint64_t seq, std::uint32_t boot,
                      std::uint64_t dice) {
  TestReport report;
  report.vehicle = TestVehicle(static_cast<std::uint16_t>(vehicle % kPartitions), vehicle);
  report.boot = {boot, 0xabc0 + vehicle};
  report.seq = seq;
  report.event_time = Micros{kBase + static_cast<std::int64_t>(seq) * 1'000'000};
  const std::int64_t delay_s = dice % 50 == 0 ? 400 : 1;
  report.receipt_time = report.event_time + Micros::Seconds(delay_s);
  report.content_hash = dice;
  report.open.set_speed_kmh(static_cast<float>(dice % 120));
  report.open.set_is_ignition_on(true);
  report.open.set_vehicle_class(v1::VEHICLE_CLASS_PASSENGER_CAR);
  report.open.set_cell((std::uint64_t{3} << 61) | ((dice % 1000) << 37) | (std::uint64_t{1} << 36));
  if (vehicle % 2 == 1) {
    report.firmware = "2.0.0";
    report.open.set_time_to_collision_s(3);
    auto* tire = report.open.add_tires();
    tire->set_wheel(v1::WHEEL_POSITION_FRONT_LEFT);
    tire->set_pressure_kpa(230);
  }
  return report;
}

Written Write(const Arguments& arguments, TestLog& log) {
  SeededRandom random(arguments.seed);
  Written written;
  const std::uint32_t boot = arguments.more ? static_cast<std::uint32_t>(arguments.seed) : 1;
  for (std::uint64_t seq = 0; seq < arguments.reports; ++seq) {
    for (std::uint64_t vehicle = 0; vehicle < arguments.vehicles; ++vehicle) {
      const TestReport report = MakeReport(vehicle, seq, boot, random.NextU64());
      log.Add(report);
      ++written.rows;
      if (report.receipt_time - report.event_time > Micros::Seconds(300)) ++written.late;
      if (report.firmware == "2.0.0") ++written.newer_firmware;
      if (random.Below(20) == 0) {
        log.Add(report);
        ++written.duplicates;
      }
    }
    if (seq % 100 == 99) log.Sync();
  }
  log.Sync();
  return written;
}

int Main(int argc, char** argv) {
  CLI::App app{"Writes a log for tests of the lake"};
  Arguments arguments;
  app.add_option("dir", arguments.dir)->required();
  app.add_option("--contract", arguments.contract)->required();
  app.add_option("--vehicles", arguments.vehicles);
  app.add_option("--reports", arguments.reports);
  app.add_option("--seed", arguments.seed);
  app.add_flag("--more", arguments.more, "append to a log that is there, under a new boot");
  CLI11_PARSE(app, argc, argv);
  PosixDisk disk;
  const Paths paths(arguments.dir);
  CHECK(disk.MakeFolders(paths.log(), 0750).ok());
  TestLog log(disk, paths.log(), kPartitions, kShards);
  if (!arguments.more) {
    Config config;
    config.log_partitions = kPartitions;
    config.log_shards = kShards;
    config.lake_cadence_s = 1;
    CHECK(WriteFileDurably(disk, paths.config(), config.ToYaml()).ok());
    InstallContract(disk, paths.contracts(), kTestDigest,
                    ReadContractDescriptor(arguments.contract));
    log.AddConfig(1, 1, kTestDigest, Micros{kBase});
  }
  const Written written = Write(arguments, log);
  const nlohmann::json json = {{"rows", written.rows},
                               {"duplicates", written.duplicates},
                               {"late", written.late},
                               {"newer_firmware", written.newer_firmware}};
  fmt::print("{}\n", json.dump());
  return 0;
}

}  // namespace
}  // namespace telltale::lake

int main(int argc, char** argv) { return telltale::lake::Main(argc, argv); }
