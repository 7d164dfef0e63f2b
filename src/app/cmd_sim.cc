#include "app/cmd_sim.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "app/commands.h"
#include "app/replay_report.h"
#include "base/config.h"
#include "base/stop.h"
#include "net/certificates.h"
#include "sim/drives/drive.h"
#include "sim/fleet.h"
#include "sim/synthetic.h"

namespace telltale::app {
namespace {

// What both commands take.
struct CommonFlags {
  std::string dir;
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string cars = "cars";
  std::string record;
  std::string write_vehicles;
  double drain_s = 60;
  bool json = false;
  bool quiet = false;
};

struct SimFlags {
  CommonFlags common;
  std::size_t vehicles = 20;
  double duration_s = 60;
  std::uint64_t seed = 1;
  double report_hz = 5;
  double speedup = 1;
  std::int64_t event_times_from_us = 0;  // 0: a report is of the moment it is due
  bool clean = false;
};

struct ReplayFlags {
  CommonFlags common;
  std::string format;
  std::vector<std::string> files;
  std::size_t vehicles = 0;
  double speedup = 1;
  bool keep_times = false;
  bool list = false;
  bool dry_run = false;
};

void AddCommonFlags(CLI::App& command, CommonFlags& flags) {
  command.add_option("--dir", flags.dir, "the installation (its CA issues the cars' certificates)");
  command.add_option("--host", flags.host, "the gateway's address")->capture_default_str();
  command.add_option("--port", flags.port, "the gateway's port (default: DIR/run/gateway.port)");
  command.add_option("--cars", flags.cars, "folder for the cars' certificates and keys")
      ->capture_default_str();
  command.add_option("--record", flags.record,
                     "write what the cars sent and got acknowledged to this file (NDJSON; holds "
                     "exact positions)");
  command.add_option("--write-vehicles", flags.write_vehicles,
                     "only write the list for `telltale vehicles import` to this file");
  command.add_option("--drain-s", flags.drain_s, "seconds to wait for the last acknowledgements")
      ->capture_default_str();
  command.add_flag("--json", flags.json, "print the totals as JSON");
  command.add_flag("--quiet", flags.quiet, "no progress on stderr");
}

Result<std::uint16_t> GatewayPort(Disk& disk, const CommonFlags& flags) {
  if (flags.port != 0) return flags.port;
  const std::string path = Paths(flags.dir).run() + "/gateway.port";
  const auto text = ReadWholeFile(disk, path, 64);
  if (!text.ok()) {
    return Error{text.error().code, fmt::format("{} cannot be read: start `telltale serve {}` "
                                                "first, or give --port",
                                                path, flags.dir)};
  }
  std::uint16_t port = 0;
  std::from_chars(text->data(), text->data() + text->size(), port);
  if (port == 0) return Error{Code::kInvalid, path + " holds no port number"};
  return port;
}

// Issues the car's certificate unless an earlier run did.
Status IssueFor(Disk& disk, const net::CertificateAuthority& authority, const std::string& folder,
                sim::FleetCar& car) {
  car.certificate = folder + "/" + car.car.vin + ".crt";
  car.key = folder + "/" + car.car.vin + ".key";
  const auto known = ReadWholeFile(disk, folder + "/ca.crt", 1u << 16);
  const bool same_authority = known.ok() && *known == authority.certificate_pem();
  if (same_authority && disk.Exists(car.certificate) && disk.Exists(car.key)) return Ok();
  ASSIGN_OR_RETURN(const net::CertificateAndKey pem,
                   authority.IssueVehicle(car.car.vin, SystemClock().NowUtc()));
  RETURN_IF_ERROR(WriteFileDurably(disk, car.key, pem.key_pem, 0600));
  return WriteFileDurably(disk, car.certificate, pem.certificate_pem, 0644);
}

void ShowProgress(const sim::FleetProgress& progress, const sim::Totals& totals) {
  fmt::print(stderr, "{:5.0f} s  cars {}/{} connected, {} done  reports {} made, {} acknowledged\n",
             static_cast<double>(progress.elapsed_us) / 1e6, progress.connected, progress.cars,
             progress.finished, totals.reports_made, totals.reports_acked);
}

nlohmann::ordered_json TotalsToJson(const sim::Totals& totals) {
  return {
      {"reports_made", totals.reports_made},   {"reports_sent", totals.reports_sent},
      {"reports_acked", totals.reports_acked}, {"reports_repeated", totals.reports_repeated},
      {"reports_lost", totals.reports_lost},   {"reports_malformed", totals.reports_malformed},
      {"connections", totals.connections},     {"refused_connections", totals.refused_connections}};
}

void ShowTotals(const sim::Totals& totals, bool json, const std::vector<ReplayedSource>& sources) {
  if (json) {
    nlohmann::ordered_json all = TotalsToJson(totals);
    if (!sources.empty()) all["sources"] = SourcesToJson(sources);
    fmt::print("{}\n", all.dump());
    return;
  }
  fmt::print(
      "reports made {}, sent {}, acknowledged {} (of these sent again {}), lost in the car {}, "
      "malformed {}; connections {}, refused {}\n",
      totals.reports_made, totals.reports_sent, totals.reports_acked, totals.reports_repeated,
      totals.reports_lost, totals.reports_malformed, totals.connections,
      totals.refused_connections);
}

Status Run(std::vector<sim::FleetCar> cars, const CommonFlags& flags, double speedup,
           const std::vector<ReplayedSource>& sources = {}) {
  if (flags.dir.empty()) {
    return Error{Code::kInvalid, "--dir is missing: the folder that `telltale init` made"};
  }
  PosixDisk disk;
  const Paths paths(flags.dir);
  RETURN_IF_ERROR(GatewayPort(disk, flags));
  ASSIGN_OR_RETURN(const auto authority, net::CertificateAuthority::Load(disk, paths.ca()));
  RETURN_IF_ERROR(disk.MakeFolders(flags.cars, 0700));
  for (sim::FleetCar& car : cars) RETURN_IF_ERROR(IssueFor(disk, authority, flags.cars, car));
  RETURN_IF_ERROR(WriteFileDurably(disk, flags.cars + "/ca.crt", authority.certificate_pem()));
  auto record = std::make_unique<sim::Record>();
  if (!flags.record.empty()) {
    ASSIGN_OR_RETURN(record, sim::Record::ToFile(disk, flags.record));
  }
  WatchForStop();
  SystemClock clock;
  const Status ran = sim::RunFleet(std::move(cars),
                                   {.host = flags.host,
                                    .port =
                                        [&] {
                                          const auto port = GatewayPort(disk, flags);
                                          return port.ok() ? *port : std::uint16_t{0};
                                        },
                                    .ca = paths.ca() + "/ca.crt",
                                    .speedup = speedup,
                                    .drain_us = static_cast<std::int64_t>(flags.drain_s * 1e6)},
                                   clock, *record, [&](const sim::FleetProgress& progress) {
                                     if (!flags.quiet) ShowProgress(progress, record->totals());
                                   });
  ShowTotals(record->totals(), flags.json, sources);
  return ran;
}

constexpr std::string_view kVehicleListHead = "vin,model,class,fuel,ownership_epoch\n";

Status WriteList(const std::string& path, const std::string& rows) {
  PosixDisk disk;
  return WriteFileDurably(disk, path, std::string(kVehicleListHead) + rows);
}

std::string ListRow(const sim::VehiclePlan& plan) {
  const sim::Model& model = plan.model_of();
  return fmt::format("{},{},{},{},1\n", plan.vin, model.name, VehicleClassName(model.vehicle_class),
                     model.fuel);
}

sim::FleetCar SyntheticCar(const SimFlags& flags, const sim::VehiclePlan& plan, std::size_t index) {
  sim::FleetCar car;
  car.car = {.vin = plan.vin,
             .firmware = plan.firmware,
             .seed = plan.seed ^ 0x5bd1e995,
             .clock_error_us = flags.clean ? 0 : plan.clock_error_us,
             .repeats_per_mille = flags.clean ? 0u : 20u,
             .malformed_per_mille = flags.clean ? 0u : 1u};
  const auto duration_us = static_cast<std::int64_t>(flags.duration_s * 1e6);
  car.source = std::make_unique<sim::SyntheticSource>(
      plan, sim::SyntheticOptions{
                .report_hz = flags.report_hz, .duration_us = duration_us, .reboots = !flags.clean});
  car.length_us = duration_us;
  car.keep_times_from_us = flags.event_times_from_us;
  // Spread over a second, so that the fleet does not report in step.
  car.start_after_us = static_cast<std::int64_t>(index % 20) * 50'000;
  if (!flags.clean && index % 8 == 3) {
    car.hole_from_us = duration_us / 4;
    car.hole_to_us = car.hole_from_us + 12'000'000;
  }
  return car;
}

Status RunSim(const SimFlags& flags) {
  std::vector<sim::FleetCar> cars;
  std::string rows;
  for (std::size_t i = 0; i < flags.vehicles; ++i) {
    const sim::VehiclePlan plan = sim::PlanVehicle(flags.seed, i);
    if (plan.registered) rows += ListRow(plan);
    cars.push_back(SyntheticCar(flags, plan, i));
  }
  if (!flags.common.write_vehicles.empty()) return WriteList(flags.common.write_vehicles, rows);
  return Run(std::move(cars), flags.common, flags.speedup);
}

void ListFormats(bool json) {
  if (json) return fmt::print("{}\n", FormatsToJson().dump(2));
  for (const sim::DriveFormat& format : sim::DriveFormats()) {
    fmt::print("{:<15} {}\n{:<15} {}{}\n", format.name, format.about, "", format.example,
               format.takes_folder ? "/ (the folder)" : "");
  }
}

struct ReadFiles {
  std::vector<sim::Drive> drives;
  std::vector<ReplayedSource> sources;
};

// kInvalid also when two drives would be one vehicle: the gateway lets a vehicle in once.
Result<ReadFiles> ReadAll(const ReplayFlags& flags) {
  PosixDisk disk;
  ReadFiles all;
  std::set<std::string> names;
  for (const std::string& file : flags.files) {
    ASSIGN_OR_RETURN(std::vector<sim::Drive> read, sim::ReadDrives(disk, flags.format, file));
    ReplayedSource source;
    source.file = file;
    source.format = flags.format;
    for (sim::Drive& drive : read) {
      if (!names.insert(drive.name).second) {
        return Error{Code::kInvalid, fmt::format("{} holds the drive {}, which an earlier file "
                                                 "holds too: give each once",
                                                 file, drive.name)};
      }
      if (flags.keep_times && !drive.is_dated) {
        return Error{Code::kInvalid, fmt::format("--keep-times: {} has no date that could be kept "
                                                 "(drive {})",
                                                 file, drive.name)};
      }
      source.Add(drive);
      // A vehicle without a report has nothing to connect for.
      if (!drive.reports.empty()) all.drives.push_back(std::move(drive));
    }
    if (!flags.common.quiet) fmt::print(stderr, "{}\n", SourceToText(source));
    all.sources.push_back(std::move(source));
  }
  return all;
}

// Quotes are doubled within quotes: the model is as a source names it.
std::string ListRow(const sim::Drive& drive, const std::string& vin) {
  std::string model;
  for (const char c : drive.model) model += c == '"' ? std::string("\"\"") : std::string(1, c);
  return fmt::format("{},\"{}\",{},{},1\n", vin, model, drive.vehicle_class, drive.fuel);
}

// Vehicle `index` plays drive `index`, and beyond the last begins at the first again under another
// VIN.
sim::FleetCar RecordedCar(const ReplayFlags& flags, const std::vector<sim::Drive>& drives,
                          std::size_t index) {
  const sim::Drive& drive = drives[index % drives.size()];
  const std::size_t round = index / drives.size();
  sim::FleetCar car;
  car.car.vin = sim::VinOfDrive(round == 0 ? drive.name : fmt::format("{}#{}", drive.name, round));
  car.car.firmware = "recorded";
  car.car.seed = index + 1;
  car.source = std::make_unique<sim::DriveSource>(drive);
  car.length_us = drive.length_us;
  car.shift_to_end = !flags.keep_times;
  car.keep_times_from_us = flags.keep_times ? drive.started_at_us : 0;
  return car;
}

Status RunReplay(const ReplayFlags& flags) {
  if (flags.files.empty()) return Error{Code::kInvalid, "no drives: name at least one FILE"};
  ASSIGN_OR_RETURN(const ReadFiles all, ReadAll(flags));
  const bool sends = !flags.dry_run && flags.common.write_vehicles.empty();
  if (!sends && flags.common.json) {
    const nlohmann::ordered_json json = {{"sources", SourcesToJson(all.sources)}};
    fmt::print("{}\n", json.dump());
  }
  if (flags.dry_run) return Ok();
  if (all.drives.empty()) return Error{Code::kInvalid, "no drive in these files has a report"};
  const std::size_t vehicles = flags.vehicles == 0 ? all.drives.size() : flags.vehicles;
  std::vector<sim::FleetCar> cars;
  std::string rows;
  for (std::size_t i = 0; i < vehicles; ++i) {
    cars.push_back(RecordedCar(flags, all.drives, i));
    rows += ListRow(all.drives[i % all.drives.size()], cars.back().car.vin);
  }
  if (!sends) return WriteList(flags.common.write_vehicles, rows);
  return Run(std::move(cars), flags.common, flags.speedup, all.sources);
}

}  // namespace

void AddSimCommand(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<SimFlags>();
  CLI::App* command = app.add_subcommand("sim", "Drive a synthetic fleet against the gateway");
  AddCommonFlags(*command, flags->common);
  command->add_option("--vehicles", flags->vehicles, "how many")->capture_default_str();
  command->add_option("--duration", flags->duration_s, "seconds of driving")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--seed", flags->seed, "the same seed drives the same trips")
      ->capture_default_str();
  command->add_option("--hz", flags->report_hz, "reports a second of each vehicle")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 100.0));
  command
      ->add_option("--speedup", flags->speedup,
                   "drive this much faster: the trips of --duration take so much less")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--event-times-from", flags->event_times_from_us,
                   "event time of the first report, microseconds since 1970: runs with the same "
                   "one and the same seed say the same, however fast (default: as it is sent)")
      ->check(CLI::PositiveNumber);
  command->add_flag("--clean", flags->clean, "no repeats, restarts, wrong clocks or holes");
  command->callback([flags, &exit_code] { exit_code = ExitCode(RunSim(*flags)); });
}

void AddReplayCommand(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ReplayFlags>();
  CLI::App* command = app.add_subcommand("replay", "Drive recorded vehicles against the gateway");
  AddCommonFlags(*command, flags->common);
  command->add_option("--format", flags->format, "of the files; --list names those there are");
  command->add_option("files", flags->files,
                      "recorded drives, also as .gz; of some formats a folder is one");
  command->add_option("--vehicles", flags->vehicles,
                      "how many (default: one a drive; more repeat the drives)");
  command->add_option("--speedup", flags->speedup, "drive this much faster than recorded")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_flag("--keep-times", flags->keep_times, "event times as recorded");
  command->add_flag("--list", flags->list, "name the formats, each with an example");
  command->add_flag("--dry-run", flags->dry_run, "read and count, send nothing");
  command->callback([flags, &exit_code] {
    if (flags->list) return ListFormats(flags->common.json);
    exit_code = ExitCode(RunReplay(*flags));
  });
}

}  // namespace telltale::app
