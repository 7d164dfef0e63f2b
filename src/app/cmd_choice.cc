#include "app/cmd_choice.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/random.h"
#include "registry/client.h"
#include "registry/registry.h"
#include "registry/role.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct ChoiceFlags {
  std::string dir;
  std::string vin;
  std::string ref_hex;
  std::string precise;
  std::string cell;
  std::string behaviour;
  bool as_json = false;
};

void Wish(const std::string& flag, std::optional<bool>& set, bool& to_default) {
  to_default = flag == "default";
  if (flag == "on" || flag == "off") set = flag == "on";
}

std::optional<registry::ChoiceWish> WishOf(const ChoiceFlags& flags) {
  if (flags.precise.empty() && flags.cell.empty() && flags.behaviour.empty()) return std::nullopt;
  registry::ChoiceWish wish;
  Wish(flags.precise, wish.set.precise, wish.precise_default);
  Wish(flags.cell, wish.set.cell, wish.cell_default);
  Wish(flags.behaviour, wish.set.behaviour, wish.behaviour_default);
  return wish;
}

template <typename Where>
Result<VehicleRef> FindIn(Where& where, const ChoiceFlags& flags) {
  if (flags.vin.empty()) return VehicleRef::FromHex(flags.ref_hex);
  ASSIGN_OR_RETURN(const registry::Vehicle vehicle, where.FindByVin(flags.vin));
  return vehicle.vehicle_ref;
}

// Without a wish: only shown.
Result<registry::ChoiceState> Ask(const ChoiceFlags& flags,
                                  const std::optional<registry::ChoiceWish>& wish) {
  auto client = registry::Client::Connect(Paths(flags.dir).registry_socket());
  if (client.ok()) {
    ASSIGN_OR_RETURN(const VehicleRef ref, FindIn(*client, flags));
    return wish ? client->SetChoice(ref, *wish) : client->ShowChoice(ref);
  }
  // Nobody serves it: on its database.
  PosixDisk disk;
  const std::string path = registry::DatabasePath(flags.dir);
  if (!disk.Exists(path)) {
    return Error{Code::kNotFound, "there is no registry below " + flags.dir};
  }
  SystemRandom random;
  SystemClock clock;
  registry::RandomReferences references(random);
  ASSIGN_OR_RETURN(registry::Registry registry, registry::Registry::Open(path, references, clock));
  ASSIGN_OR_RETURN(const VehicleRef ref, FindIn(registry, flags));
  RETURN_IF_ERROR(registry.FindByRef(ref));
  return wish ? registry.SetChoice(ref, *wish, getuid()) : registry.ShowChoice(ref);
}

json InForce(const registry::ChoiceInForce& force) {
  return {{"choice_number", force.choice_number},      {"taken_at", FormatUtc(force.taken_at)},
          {"partition", force.partition.value},        {"sealed_offset", force.sealed.value},
          {"telemetry_offset", force.telemetry.value}, {"safety_offset", force.safety.value}};
}

std::string Text(std::optional<bool> chosen) {
  return chosen ? (*chosen ? "on" : "off") : "default";
}

json ToJson(const registry::ChoiceState& state, const Config& config) {
  const registry::Choice& choice = state.choice;
  const auto holds = [](std::optional<bool> chosen, const std::string& by_default) {
    return chosen ? Text(chosen) : by_default;
  };
  json out{{"vehicle_ref", state.vehicle.ToHex()},
           {"choice_number", choice.number},
           {"chosen",
            {{"precise", Text(choice.precise)},
             {"cell", Text(choice.cell)},
             {"behaviour", Text(choice.behaviour)}}},
           {"holds",
            {{"precise", holds(choice.precise, config.choice_precise)},
             {"cell", holds(choice.cell, config.choice_cell)},
             {"behaviour", holds(choice.behaviour, config.choice_behaviour)}}},
           {"changed_at", nullptr},
           {"changed_by_uid", nullptr},
           {"in_force", nullptr},
           {"earlier", json::array()}};
  if (choice.number > 0) {
    out["changed_at"] = FormatUtc(state.changed_at);
    out["changed_by_uid"] = state.changed_by_uid;
  }
  if (state.in_force) out["in_force"] = InForce(*state.in_force);
  for (const registry::ChoiceInForce& one : state.earlier) out["earlier"].push_back(InForce(one));
  return out;
}

void Print(const registry::ChoiceState& state, const json& shown) {
  fmt::print("vehicle {}\n", state.vehicle.ToHex());
  for (const char* name : {"precise", "cell", "behaviour"}) {
    const auto chosen = shown["chosen"][name].get<std::string>();
    fmt::print("{:<10} {}{}\n", name, shown["holds"][name].get<std::string>(),
               chosen == "default" ? "  (the environment's default)" : "");
  }
  if (state.choice.number == 0) return fmt::print("nothing was ever chosen for it\n");
  fmt::print("choice {}, made {} by uid {}\n", state.choice.number, FormatUtc(state.changed_at),
             state.changed_by_uid);
  if (!state.in_force) return fmt::print("not yet in force: no gateway has said so\n");
  const registry::ChoiceInForce& force = *state.in_force;
  fmt::print(
      "in force in partition {} from sealed offset {}, telemetry offset {}, safety offset {}\n",
      force.partition.value, force.sealed.value, force.telemetry.value, force.safety.value);
}

Status Run(ChoiceFlags flags, bool is_set) {
  if (flags.vin == "-") {
    flags.vin.clear();
    std::getline(std::cin, flags.vin);
  }
  if (flags.vin.empty() == flags.ref_hex.empty()) {
    return Error{Code::kInvalid, "name a vehicle by --vin or by --vehicle, and not by both"};
  }
  const auto wish = is_set ? WishOf(flags) : std::nullopt;
  if (is_set && !wish) {
    return Error{Code::kInvalid, "say at least one of --precise, --cell and --behaviour"};
  }
  PosixDisk disk;
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, Paths(flags.dir).config()));
  ASSIGN_OR_RETURN(const registry::ChoiceState state, Ask(flags, wish));
  const json shown = ToJson(state, config);
  if (flags.as_json) {
    fmt::print("{}\n", shown.dump());
  } else {
    Print(state, shown);
  }
  return Ok();
}

CLI::App* AddOne(CLI::App& choice, const char* name, const char* what, ChoiceFlags& flags) {
  CLI::App* command = choice.add_subcommand(name, what);
  command->add_option("--dir", flags.dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--vin", flags.vin,
                      "VIN; - reads it from standard input, so that no process list shows it");
  command->add_option("--vehicle", flags.ref_hex, "Vehicle reference, 32 hex digits");
  command->add_flag("--json", flags.as_json, "One JSON object");
  return command;
}

}  // namespace

void AddChoiceCommand(CLI::App& vehicles, int& exit_code) {
  const auto flags = std::make_shared<ChoiceFlags>();
  CLI::App* choice = vehicles.add_subcommand(
      "choice", "What is kept of a vehicle: exact place, coarse cell, behaviour");
  choice->require_subcommand(1);
  CLI::App* set = AddOne(*choice, "set", "Change it; logged with time and user", *flags);
  for (const auto& [name, value, what] :
       {std::tuple{"--precise", &flags->precise,
                   "Exact place, identity and unknown fields, sealed"},
        std::tuple{"--cell", &flags->cell, "Coarse cell and heading"},
        std::tuple{"--behaviour", &flags->behaviour, "All open fields"}}) {
    set->add_option(name, *value, what)->check(CLI::IsMember({"on", "off", "default"}));
  }
  set->callback([flags, &exit_code] { exit_code = ExitCode(Run(*flags, true)); });
  CLI::App* show =
      AddOne(*choice, "show", "What holds, and from which offsets of the streams", *flags);
  show->callback([flags, &exit_code] { exit_code = ExitCode(Run(*flags, false)); });
}

}  // namespace telltale::app
