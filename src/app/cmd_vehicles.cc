#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>
#include <memory>

#include "app/cmd_choice.h"
#include "app/commands.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/random.h"
#include "registry/client.h"
#include "registry/registry.h"
#include "registry/role.h"

namespace telltale::app {
namespace {

constexpr std::uint64_t kFileBytesMax = 1u << 30;

// The registry, running or not: through its socket, or on its database while nobody serves it.
class Vehicles {
 public:
  explicit Vehicles(const std::string& dir) : dir_(dir) {}

  Result<registry::Client::Counts> Import(std::span<const registry::VehicleEntry> entries) {
    auto client = registry::Client::Connect(Paths(dir_).registry_socket());
    if (client.ok()) return client->Import(entries);
    ASSIGN_OR_RETURN(registry::Registry registry, OpenDirectly());
    ASSIGN_OR_RETURN(const registry::Registry::Imported imported, registry.Import(entries));
    return registry::Client::Counts{imported.added, imported.updated, imported.unchanged};
  }

  Result<registry::Vehicle> Find(const std::string& vin, const std::string& ref_hex) {
    auto client = registry::Client::Connect(Paths(dir_).registry_socket());
    if (client.ok()) return FindIn(*client, vin, ref_hex);
    ASSIGN_OR_RETURN(registry::Registry registry, OpenDirectly());
    return FindIn(registry, vin, ref_hex);
  }

 private:
  template <typename Where>
  static Result<registry::Vehicle> FindIn(Where& where, const std::string& vin,
                                          const std::string& ref_hex) {
    if (!vin.empty()) return where.FindByVin(vin);
    ASSIGN_OR_RETURN(const VehicleRef ref, VehicleRef::FromHex(ref_hex));
    return where.FindByRef(ref);
  }

  Result<registry::Registry> OpenDirectly() {
    PosixDisk disk;
    const std::string path = registry::DatabasePath(dir_);
    if (!disk.Exists(path)) {
      return Error{Code::kNotFound,
                   "there is no registry below " + dir_ + "; `telltale init` makes one"};
    }
    return registry::Registry::Open(path, references_, clock_);
  }

  std::string dir_;
  SystemRandom random_;
  SystemClock clock_;
  registry::RandomReferences references_{random_};
};

Status Import(const std::string& dir, const std::string& file) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, file, kFileBytesMax));
  const auto entries = registry::ParseVehicleFile(text);
  if (!entries.ok()) return Annotate(entries.error(), file);
  ASSIGN_OR_RETURN(const registry::Client::Counts counts, Vehicles(dir).Import(*entries));
  fmt::print("{} added, {} updated, {} unchanged\n", counts.added, counts.updated,
             counts.unchanged);
  return Ok();
}

Status Lookup(const std::string& dir, std::string vin, const std::string& ref_hex) {
  if (vin == "-") {
    vin.clear();
    std::getline(std::cin, vin);
  }
  if (vin.empty() == ref_hex.empty()) {
    return Error{Code::kInvalid, "name a vehicle by --vin or by --ref, and not by both"};
  }
  ASSIGN_OR_RETURN(const registry::Vehicle vehicle, Vehicles(dir).Find(vin, ref_hex));
  fmt::print("{}\n", vin.empty() ? vehicle.entry.vin : vehicle.vehicle_ref.ToHex());
  return Ok();
}

struct VehiclesFlags {
  std::string dir;
  std::string file;
  std::string vin;
  std::string ref_hex;
};

CLI::App* AddWithDir(CLI::App& parent, const char* name, const char* what, VehiclesFlags& flags) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->add_option("--dir", flags.dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  return command;
}

}  // namespace

void AddVehiclesCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<VehiclesFlags>();
  CLI::App* vehicles = app.add_subcommand("vehicles", "The register of vehicles");
  vehicles->require_subcommand(1);
  CLI::App* import_command = AddWithDir(
      *vehicles, "import",
      "Add or update vehicles from CSV with the columns vin,model,class,fuel,ownership_epoch",
      *flags);
  import_command->add_option("FILE", flags->file, "The CSV file")->required();
  import_command->callback(
      [flags, &exit_code] { exit_code = ExitCode(Import(flags->dir, flags->file)); });

  CLI::App* lookup = AddWithDir(*vehicles, "lookup",
                                "Print a vehicle's reference, or the VIN of a reference", *flags);
  lookup->add_option("--vin", flags->vin,
                     "VIN; - reads it from standard input, so that no process list shows it");
  lookup->add_option("--ref", flags->ref_hex, "Vehicle reference, 32 hex digits");
  lookup->callback([flags, &exit_code] {
    exit_code = ExitCode(Lookup(flags->dir, flags->vin, flags->ref_hex));
  });
  AddChoiceCommand(*vehicles, exit_code);
}

}  // namespace telltale::app
