// Cars by the ten thousand against a gateway: a storm of connections, honest ones at a fixed rate,
// a hostile thousand. Several processes, since each connection is a descriptor.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "loads.h"
#include "net/tls_descriptor_limit.h"

namespace telltale::load {
namespace {

struct Flags {
  std::string ca;
  CarRange cars;
  std::uint16_t port = 0;
  std::uint64_t seed = 1;
  StormOptions storm;
  HonestOptions honest;
};

Status RunLoad(const CLI::App& chosen, Flags& flags) {
  if (chosen.get_name() == "cars") {
    PosixDisk disk;
    return IssueCars(disk, flags.ca, flags.cars);
  }
  net::RaiseDescriptorLimit();
  ASSIGN_OR_RETURN(const auto cars, LoadCars(flags.ca + "/ca.crt", flags.cars));
  Run run;
  run.port = flags.port;
  run.seed = flags.seed;
  if (chosen.get_name() == "storm") return RunStorm(run, cars, flags.storm);
  if (chosen.get_name() == "hostile") return RunHostile(run, cars);
  flags.honest.cars = flags.cars;
  return RunHonest(run, cars, flags.honest);
}

void AddCommon(CLI::App& command, Flags& flags) {
  command.add_option("--ca", flags.ca, "folder of the authority")->required();
  command.add_option("--cars", flags.cars.folder, "folder of the cars' certificates")->required();
  command.add_option("--first", flags.cars.first, "number of the first car");
  command.add_option("--vehicles", flags.cars.count, "how many cars")->required();
}

}  // namespace
}  // namespace telltale::load

int main(int argc, char** argv) {
  using namespace telltale::load;
  std::signal(SIGPIPE, SIG_IGN);
  Flags flags;
  CLI::App app{"Loads a gateway's door; commands come on standard input (tests/load/loads.h)"};
  app.require_subcommand(1);
  AddCommon(*app.add_subcommand("cars", "issue certificates, write vehicles.csv"), flags);
  for (const char* name : {"storm", "honest", "hostile"}) {
    CLI::App* command = app.add_subcommand(name);
    AddCommon(*command, flags);
    command->add_option("--port", flags.port)->required();
    command->add_option("--seed", flags.seed)->capture_default_str();
  }
  app.get_subcommand("storm")->add_option("--connections", flags.storm.connections);
  CLI::App* honest = app.get_subcommand("honest");
  honest->add_option("--batches-per-second", flags.honest.batches_per_second);
  honest->add_option("--reports-per-batch", flags.honest.reports_per_batch);
  honest->add_option("--record", flags.honest.record)->required();
  CLI11_PARSE(app, argc, argv);
  const auto ran = RunLoad(*app.get_subcommands().front(), flags);
  if (!ran.ok()) fmt::print(stderr, "door_load: {}\n", ran.error().ToString());
  return ran.ok() ? 0 : 1;
}
