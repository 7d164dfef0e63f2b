#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/contract_commands.h"
#include "app/contract_files.h"
#include "gateway/unknown_tally.h"

namespace telltale::app {
namespace {

using gateway::UnknownTally;

struct ContractUnknownFlags {
  std::string dir;
  std::string firmware;
  bool json = false;
};

// The number of the first contract of the installation that has a place for it; 0: none has.
std::uint32_t DeclaredSince(const std::vector<InstalledContract>& contracts,
                            const gateway::UnknownKey& key) {
  for (const InstalledContract& one : contracts) {
    if (one.contract != nullptr && HasField(*one.contract, key.path, key.number)) return one.number;
  }
  return 0;
}

const char* WireTypeName(std::uint8_t type) {
  switch (type) {
    case 0:
      return "varint";
    case 1:
      return "fixed64";
    case 2:
      return "bytes";
    case 5:
      return "fixed32";
    default:
      return "?";
  }
}

std::string FieldName(const gateway::UnknownKey& key) {
  if (key.number == 0) return "(others)";
  return fmt::format("{}{}", key.path, key.number);
}

nlohmann::ordered_json AsJson(const gateway::UnknownKey& key, const gateway::UnknownCount& count,
                              std::uint32_t declared_since) {
  nlohmann::ordered_json row = {{"field", FieldName(key)},
                                {"wire_type", WireTypeName(key.wire_type)},
                                {"why", gateway::WhyName(key.why)},
                                {"bytes_at_most", key.bytes_at_most},
                                {"firmware", key.firmware},
                                {"count", count.count},
                                {"first_seen", FormatUtc(count.first_seen)},
                                {"last_seen", FormatUtc(count.last_seen)},
                                {"contract_when_last_seen", count.contract_number}};
  row["declared_since_contract"] = declared_since == 0 ? nlohmann::ordered_json(nullptr)
                                                       : nlohmann::ordered_json(declared_since);
  return row;
}

void PrintRow(const gateway::UnknownKey& key, const gateway::UnknownCount& count,
              std::uint32_t declared_since) {
  const std::string since =
      declared_since == 0 ? "" : fmt::format("  declared since contract {}", declared_since);
  fmt::print("{:<12} {:<8} {:<11} {:>8} {:<12} {:>12}  {}  {}{}\n", FieldName(key),
             WireTypeName(key.wire_type), gateway::WhyName(key.why), key.bytes_at_most,
             key.firmware.empty() ? "-" : key.firmware, count.count, FormatUtc(count.first_seen),
             FormatUtc(count.last_seen), since);
}

Status Show(const ContractUnknownFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  UnknownTally::Counts counts;
  const auto text = ReadWholeFile(disk, paths.unknown_fields());
  if (!text.ok() && text.error().code != Code::kNotFound) return text.error();
  if (text.ok()) {
    ASSIGN_OR_RETURN(counts, UnknownTally::FromJson(*text));
  }
  ASSIGN_OR_RETURN(const auto contracts, InstalledContracts(disk, paths));
  if (!flags.firmware.empty()) {
    std::erase_if(counts, [&](const auto& one) { return one.first.firmware != flags.firmware; });
  }
  if (flags.json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const auto& [key, count] : counts) {
      rows.push_back(AsJson(key, count, DeclaredSince(contracts, key)));
    }
    fmt::print("{}\n", rows.dump(2));
    return Ok();
  }
  if (counts.empty()) {
    fmt::print("nothing unknown came{}\n", flags.firmware.empty() ? "" : " from that firmware");
    return Ok();
  }
  fmt::print("{:<12} {:<8} {:<11} {:>8} {:<12} {:>12}  {:<27}  {}\n", "FIELD", "WIRE", "WHY",
             "BYTES<=", "FIRMWARE", "COUNT", "FIRST", "LAST");
  for (const auto& [key, count] : counts) PrintRow(key, count, DeclaredSince(contracts, key));
  return Ok();
}

}  // namespace

void AddContractUnknown(CLI::App& contract, int& exit_code) {
  const auto flags = std::make_shared<ContractUnknownFlags>();
  CLI::App* command = contract.add_subcommand(
      "unknown",
      "What cars send that the contract has no place for: by number, size and firmware, never "
      "a value");
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--firmware", flags->firmware, "Of this firmware alone");
  command->add_flag("--json", flags->json, "As JSON");
  command->callback([flags, &exit_code] { exit_code = ExitCode(Show(*flags)); });
}

}  // namespace telltale::app
