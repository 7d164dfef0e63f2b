#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/streams.h"
#include "base/logging.h"
#include "base/stop.h"
#include "control/contracts.h"
#include "net/certificates.h"
#include "registry/client.h"
#include "sim/mirror.h"

namespace telltale::app {
namespace {

constexpr std::uint64_t kDescriptorBytesMax = 64u << 20;

struct MirrorFlags {
  std::string from;
  std::string to;
  std::string name;
  std::uint32_t share = 0;
  std::string salt = "mirror";
  std::uint32_t generation_hours = 24;
  std::uint32_t behind_max_hours = 24;
  std::vector<std::string> leave_out = sim::kCarriedOnCounts;
  std::string start = "newest";
  bool once = false;
  bool json = false;
  bool quiet = false;
};

// A mirror's target must be made for it: what it computes concerns no car that drives.
Status CheckTarget(const Config& target, const std::string& dir) {
  if (target.environment_kind == "prod") {
    return Error{Code::kRefused,
                 dir + " is an environment of kind prod: nothing is mirrored there"};
  }
  if (target.environment_side_effects == "off") return Ok();
  return Error{Code::kRefused, fmt::format("{}: a mirrored environment has no side effects: set "
                                           "environment.side_effects: off in its telltale.yaml",
                                           dir)};
}

Result<std::string> AbsoluteFolder(const std::string& dir) {
  std::error_code error;
  const std::string path = std::filesystem::canonical(dir, error).string();
  if (error) return Error{Code::kNotFound, dir + ": " + error.message()};
  return path;
}

std::uint16_t PortIn(Disk& disk, const std::string& path) {
  const auto text = ReadWholeFile(disk, path, 64);
  std::uint16_t port = 0;
  if (text.ok()) std::from_chars(text->data(), text->data() + text->size(), port);
  return port;
}

// The contracts that were ever in force in the environment that is read.
class ContractFiles {
 public:
  ContractFiles(Disk& disk, Paths paths) : disk_(disk), paths_(std::move(paths)) {}

  Result<std::shared_ptr<const contract::Contract>> Find(std::uint32_t number) {
    if (!ever_.contains(number)) {
      ASSIGN_OR_RETURN(const std::string control_public,
                       seal::LoadKey(disk_, paths_.keys() + "/control.pub"));
      ASSIGN_OR_RETURN(control::Contracts contracts,
                       control::ReadContracts(disk_, paths_, control_public));
      ever_ = std::move(contracts.ever);
    }
    const auto digest = ever_.find(number);
    if (digest == ever_.end()) {
      return Error{Code::kNotFound, fmt::format("no config names contract number {}", number)};
    }
    const std::string path = paths_.contracts() + "/" + digest->second + ".desc";
    ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, path, kDescriptorBytesMax));
    return contract::Contract::FromDescriptorSet(bytes);
  }

 private:
  Disk& disk_;
  const Paths paths_;
  std::map<std::uint32_t, std::string> ever_;
};

// What the other environment's register is told: the class and nothing else. Without the register
// the door takes the vehicle as one of unknown class.
class Introductions {
 public:
  Introductions(std::string socket, Counters& counters)
      : socket_(std::move(socket)), failed_(counters.Get("introductions_failed")) {}

  void Introduce(const std::string& vin, VehicleClass vehicle_class) {
    if (vehicle_class == VehicleClass::kUnknown) return;
    registry::VehicleEntry entry;
    entry.vin = vin;
    entry.vehicle_class = vehicle_class;
    auto client = registry::Client::Connect(socket_);
    if (!client.ok() || !client->Import({&entry, 1}).ok()) failed_.Add();
  }

 private:
  const std::string socket_;
  Counter& failed_;
};

void ShowProgress(const sim::MirrorProgress& now) {
  fmt::print(stderr,
             "generation {}  vehicles {}/{} connected  records {} read  reports {} taken, {} "
             "acknowledged\n",
             now.generation, now.connected, now.vehicles, now.records_read, now.reports_taken,
             now.reports_acknowledged);
}

sim::MirrorOptions OptionsOf(const MirrorFlags& flags, const Paths& from, const Paths& to,
                             Disk& disk) {
  sim::MirrorOptions options;
  options.reader.cohort = {.per_10000 = flags.share, .salt = flags.salt, .always = {}, .never = {}};
  options.reader.state_dir = from.data() + "/mirror/" + flags.name;
  options.reader.erasure_list = from.erasure_list();
  options.reader.starts_at_oldest = flags.start == "oldest";
  options.reader.behind_max = Micros::Seconds(std::int64_t{flags.behind_max_hours} * 3600);
  options.generation_hours = flags.generation_hours;
  options.leave_out = flags.leave_out;
  options.port = [path = to.run() + "/gateway.port", &disk] { return PortIn(disk, path); };
  options.once = flags.once;
  return options;
}

Status Run(MirrorFlags flags) {
  PosixDisk disk;
  SystemClock clock;
  SystemRandom random;
  ASSIGN_OR_RETURN(flags.from, AbsoluteFolder(flags.from));
  ASSIGN_OR_RETURN(flags.to, AbsoluteFolder(flags.to));
  const Paths from(flags.from);
  const Paths to(flags.to);
  if (flags.from == flags.to) return Error{Code::kInvalid, "--from and --to are the same folder"};
  ASSIGN_OR_RETURN(const Config target, Config::Load(disk, to.config()));
  RETURN_IF_ERROR(CheckTarget(target, flags.to));
  if (flags.name.empty()) flags.name = target.environment_name;
  ASSIGN_OR_RETURN(const auto streams, StreamsOf(disk, flags.from));
  ASSIGN_OR_RETURN(const auto authority, net::CertificateAuthority::Load(disk, to.ca()));
  ContractFiles contracts(disk, from);
  Counters counters;
  Introductions introductions(to.registry_socket(), counters);
  const sim::MirrorOptions options = OptionsOf(flags, from, to, disk);
  sim::MirrorProgress end;
  const Status ran = sim::RunMirror(
      {.reader = {.streams = *streams, .disk = disk, .clock = clock, .counters = counters},
       .random = random,
       .authority = authority,
       .contract_of = [&](std::uint32_t number) { return contracts.Find(number); },
       .introduce =
           [&](const std::string& vin, VehicleClass vehicle_class) {
             introductions.Introduce(vin, vehicle_class);
           }},
      options, [&](const sim::MirrorProgress& now) {
        end = now;
        if (!flags.quiet) ShowProgress(now);
      });
  if (flags.json) {
    nlohmann::ordered_json all = nlohmann::ordered_json::parse(counters.ToJson());
    all["generation"] = end.generation;
    all["vehicles"] = end.vehicles;
    all["reports_taken"] = end.reports_taken;
    all["reports_acked"] = end.reports_acknowledged;
    fmt::print("{}\n", all.dump());
  }
  return ran;
}

}  // namespace

void AddMirrorCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<MirrorFlags>();
  // Beside the commands for control's object of that name, which are there already.
  CLI::App* command = app.get_subcommand("mirror")->add_subcommand(
      "run", "Feed one environment with a cohort of another, under pseudonyms");
  command->add_option("--from", flags->from, "the environment that is read")->required();
  command->add_option("--to", flags->to, "the environment that is fed, through its own door")
      ->required();
  command->add_option("--share", flags->share, "of the vehicles, per 10,000")
      ->required()
      ->check(CLI::Range(0u, 10'000u));
  command->add_option("--salt", flags->salt, "another salt draws other vehicles")
      ->capture_default_str();
  command->add_option("--name", flags->name,
                      "of this mirror: FROM/data/mirror/NAME is its own (default: the name of the "
                      "environment that is fed)");
  command
      ->add_option("--generation-hours", flags->generation_hours,
                   "then every vehicle gets another pseudonym")
      ->check(CLI::Range(1u, 24u * 31))
      ->capture_default_str();
  command
      ->add_option("--behind-max-hours", flags->behind_max_hours,
                   "older records are left out and counted")
      ->check(CLI::Range(1u, 24u * 366))
      ->capture_default_str();
  command
      ->add_option("--leave-out", flags->leave_out,
                   "fields that are not sent: counts that a vehicle carries on from one pseudonym "
                   "to the next")
      ->delimiter(',')
      ->capture_default_str();
  command
      ->add_option("--start", flags->start,
                   "where a new mirror begins: newest | oldest record kept")
      ->check(CLI::IsMember({"newest", "oldest"}))
      ->capture_default_str();
  command->add_flag("--once", flags->once, "end when what is there now was sent");
  command->add_flag("--json", flags->json, "print the totals as JSON at the end");
  command->add_flag("--quiet", flags->quiet, "no progress on stderr");
  command->callback([flags, &exit_code] {
    WatchForStop();
    StartLogging("mirror");
    exit_code = ExitCode(Run(*flags));
  });
}

}  // namespace telltale::app
