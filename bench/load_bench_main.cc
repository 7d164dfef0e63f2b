// The bench's load, open loop (open_loop.h), to Telltale's gateway or to a peer: the same payloads
// from the same generator. Commands on standard input, answers as lines of JSON:
//   run REPORTS_PER_SECOND SECONDS [EVENTS_PER_SECOND]
//   end
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <sstream>

#include "bench/open_loop.h"
#include "cars.h"
#include "net/tls_descriptor_limit.h"

namespace telltale::bench {
namespace {

struct Flags {
  std::string ca;
  load::CarRange cars;
  std::uint16_t port = 0;
  std::uint64_t seed = 1;
  MqttOptions mqtt;
  KafkaOptions kafka;
};

int Drive(load::Run& run, Target& target, std::size_t vehicles) {
  OpenLoop open_loop(run, target, vehicles);
  int exit_code = 0;
  target.on_gone = [&](const std::string& why) {
    fmt::print(stderr, "load_bench: {}\n", why);
    std::_Exit(1);  // the loop's end would wait for standard input
  };
  run.loop.Post([&] { target.Connect([&] { load::Report({{"connected", vehicles}}); }); });
  const load::Commands commands(run.loop, [&](const std::string& line) {
    std::istringstream words(line);
    std::string command;
    Schedule schedule;
    words >> command >> schedule.reports_per_second >> schedule.seconds;
    if (command != "run" || words.fail()) {
      fmt::print(stderr, "load_bench: not a command: {}\n", line);
      exit_code = 2;
      return run.loop.Stop();
    }
    words >> schedule.events_per_second;
    open_loop.Begin(schedule, [] {});
  });
  run.loop.Run();
  return exit_code;
}

int Main(const std::string& kind, Flags& flags) {
  load::Run run;
  run.port = flags.port;
  run.seed = flags.seed;
  if (kind == "mqtt") {
    net::RaiseDescriptorLimit();
    const auto cars = LoadCars(flags.ca + "/ca.crt", flags.cars);
    if (!cars.ok()) {
      fmt::print(stderr, "load_bench: {}\n", cars.error().ToString());
      return 1;
    }
    const auto target = MakeMqttTarget(run, *cars, flags.mqtt);
    return Drive(run, *target, flags.cars.count);
  }
  const auto target = kind == "redis" ? MakeRedisTarget(run) : MakeKafkaTarget(flags.kafka);
  if (target == nullptr) {
    fmt::print(stderr, "load_bench: built without librdkafka (apt install librdkafka-dev)\n");
    return 1;
  }
  return Drive(run, *target, flags.cars.count);
}

}  // namespace
}  // namespace telltale::bench

int main(int argc, char** argv) {
  using namespace telltale::bench;
  std::signal(SIGPIPE, SIG_IGN);
  Flags flags;
  flags.mqtt.topic = "telltale/v1/reports";
  CLI::App app{"An open-loop load; commands come on standard input"};
  app.require_subcommand(1);
  for (const char* name : {"mqtt", "redis", "kafka"}) {
    CLI::App* command = app.add_subcommand(name);
    command->add_option("--vehicles", flags.cars.count)->required();
    command->add_option("--seed", flags.seed)->capture_default_str();
  }
  CLI::App* mqtt = app.get_subcommand("mqtt");
  mqtt->add_option("--port", flags.port)->required();
  mqtt->add_option("--ca", flags.ca, "folder of the authority")->required();
  mqtt->add_option("--cars", flags.cars.folder, "folder of the cars' certificates")->required();
  mqtt->add_option("--first", flags.cars.first, "number of the first car");
  mqtt->add_option("--topic", flags.mqtt.topic, "%c: the car's number")->capture_default_str();
  app.get_subcommand("redis")->add_option("--port", flags.port)->required();
  CLI::App* kafka = app.get_subcommand("kafka");
  kafka->add_option("--brokers", flags.kafka.brokers)->required();
  kafka->add_option("--topic", flags.kafka.topic)->required();
  CLI11_PARSE(app, argc, argv);
  return Main(app.get_subcommands().front()->get_name(), flags);
}
