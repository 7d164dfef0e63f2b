#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/contract_commands.h"
#include "app/contract_files.h"
#include "contract/check/version_history.h"
#include "contract/transforms.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

using contract::Field;
using nlohmann::ordered_json;

struct ContractDocsFlags {
  std::string dir;
  std::string history;
  std::string format = "markdown";
};

using Versions = std::vector<InstalledContract>;

Result<Versions> ReadVersions(const ContractDocsFlags& flags) {
  PosixDisk disk;
  if (flags.history.empty()) return InstalledContracts(disk, Paths(flags.dir));
  ASSIGN_OR_RETURN(const auto published,
                   contract::check::ReadHistory(disk, flags.history, [](std::string_view bytes) {
                     return HexEncode(seal::Sha256(bytes));
                   }));
  if (!published.problems.empty()) {
    return Error{Code::kCorrupt, published.problems.front().ToString()};
  }
  Versions versions;
  for (std::size_t i = 0; i < published.versions.size(); ++i) {
    ASSIGN_OR_RETURN(auto contract, contract::Contract::FromDescriptorSet(
                                        published.versions[i].files.SerializeAsString()));
    versions.push_back(
        {static_cast<std::uint32_t>(i + 1), published.digests[i], std::move(contract)});
  }
  return versions;
}

const char* ClassName(const Field& field) {
  switch (field.privacy) {
    case contract::Privacy::kOpen:
      return "OPEN";
    case contract::Privacy::kPrecise:
      return "PRECISE";
    case contract::Privacy::kLinking:
      return "LINKING";
    case contract::Privacy::kIdentity:
      break;
  }
  return "IDENTITY";
}

const char* TypeName(const Field& field) {
  constexpr std::array kNames = {"bool",   "int32", "int64",  "uint32", "uint64", "float",
                                 "double", "enum",  "string", "bytes",  "message"};
  return kNames[static_cast<std::size_t>(field.type)];
}

std::string RangeText(const Field& field) {
  if (!field.min && !field.max) return "";
  return fmt::format("{} to {}", field.min ? fmt::format("{}", *field.min) : "",
                     field.max ? fmt::format("{}", *field.max) : "");
}

// One line of the catalogue.
struct Entry {
  std::string name;  // with the fields that lead to it: "dtcs.code"
  std::string path;  // "140.1"
  const Field* field = nullptr;
  std::string column;  // "" when it has none
  std::vector<std::string> fed_by;
  std::uint32_t since = 0;  // the contract that had it first
};

class Catalogue {
 public:
  explicit Catalogue(const Versions& versions) : versions_(versions) {
    const contract::Contract& newest = *versions.back().contract;
    Add(newest.fields(), "", "");
  }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  void Add(const std::vector<Field>& fields, const std::string& name, const std::string& path) {
    for (const Field& field : fields) {
      Entry entry{name + field.name, path + std::to_string(field.number), &field, "", {}, 0};
      const bool is_linking = field.privacy == contract::Privacy::kLinking && path.empty();
      if (field.privacy == contract::Privacy::kOpen || is_linking) {
        entry.column = name + field.column;
      }
      if (path.empty() && !contract::FeedsAnother(fields, field)) {
        for (const auto& feeder : contract::FeedersOf(fields, field)) {
          if (feeder.field != &field) entry.fed_by.push_back(feeder.field->name);
        }
      }
      entry.since = Since(path, field);
      entries_.push_back(std::move(entry));
      Add(field.members, name + field.name + ".", path + std::to_string(field.number) + ".");
    }
  }
  std::uint32_t Since(const std::string& path, const Field& field) const {
    for (const InstalledContract& version : versions_) {
      if (version.contract == nullptr) continue;
      const bool has_it = field.derived ? version.contract->FindByNumber(field.number) != nullptr
                                        : HasField(*version.contract, path, field.number);
      if (has_it) return version.number;
    }
    return versions_.back().number;
  }

  const Versions& versions_;
  std::vector<Entry> entries_;
};

ordered_json AsJson(const Entry& entry) {
  const Field& field = *entry.field;
  ordered_json json = {{"name", entry.name},           {"number", entry.path},
                       {"type", TypeName(field)},      {"repeated", field.repeated},
                       {"unit", field.unit},           {"class", ClassName(field)},
                       {"safety", field.safety},       {"derived", field.derived},
                       {"column", entry.column},       {"fed_by", entry.fed_by},
                       {"vss_path", field.vss_path},   {"first_firmware", field.first_firmware},
                       {"since_contract", entry.since}};
  json["min"] = field.min ? ordered_json(*field.min) : ordered_json(nullptr);
  json["max"] = field.max ? ordered_json(*field.max) : ordered_json(nullptr);
  if (!field.values.empty()) json["values"] = field.values;
  if (!field.pattern.empty()) json["pattern"] = field.pattern;
  for (const auto& [number, name] : field.enum_values) {
    json["enum_values"][std::to_string(number)] = name;
  }
  return json;
}

// A cell of a Markdown table: a bar would end it.
std::string Cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string ColumnCell(const Entry& entry) {
  std::string cell = entry.column.empty() ? "" : "`" + entry.column + "`";
  for (std::size_t i = 0; i < entry.fed_by.size(); ++i) {
    cell += (i == 0 ? ", also from `" : ", `") + entry.fed_by[i] + "`";
  }
  return cell;
}

void PrintMarkdown(const Versions& versions, const Catalogue& catalogue) {
  fmt::print("# Fields of contract {}\n\n", versions.back().number);
  fmt::print("{} fields; digest {}. `telltale contract docs` wrote this.\n\n",
             catalogue.entries().size(), versions.back().digest);
  fmt::print(
      "| number | field | type | unit | range | class | column | VSS | firmware | since |\n");
  fmt::print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const Entry& entry : catalogue.entries()) {
    const Field& field = *entry.field;
    fmt::print("| {} | `{}` | {}{} | {} | {} | {}{} | {} | {} | {} | {} |\n", entry.path,
               entry.name, field.repeated ? "list of " : "", TypeName(field), Cell(field.unit),
               RangeText(field), ClassName(field), field.safety ? ", safety" : "",
               Cell(ColumnCell(entry)), Cell(field.vss_path), field.first_firmware, entry.since);
  }
}

Status Docs(const ContractDocsFlags& flags) {
  if (flags.dir.empty() == flags.history.empty()) {
    return Error{Code::kInvalid, "give either --dir DIR or --history DIR"};
  }
  ASSIGN_OR_RETURN(const Versions versions, ReadVersions(flags));
  if (versions.empty()) return Error{Code::kNotFound, "no contract was published there"};
  if (versions.back().contract == nullptr) {
    return Error{Code::kCorrupt, "the newest contract's file is gone or damaged"};
  }
  const Catalogue catalogue(versions);
  if (flags.format == "markdown") {
    PrintMarkdown(versions, catalogue);
    return Ok();
  }
  ordered_json json = {{"contract", versions.back().number},
                       {"digest", versions.back().digest},
                       {"fields", ordered_json::array()}};
  for (const Entry& entry : catalogue.entries()) json["fields"].push_back(AsJson(entry));
  fmt::print("{}\n", json.dump(2));
  return Ok();
}

}  // namespace

void AddContractDocs(CLI::App& contract, int& exit_code) {
  const auto flags = std::make_shared<ContractDocsFlags>();
  CLI::App* command = contract.add_subcommand(
      "docs",
      "The catalogue: every field with unit, range, class, column, VSS path, firmware, and "
      "the contract that had it first");
  CLI::Option* dir =
      command->add_option("--dir", flags->dir, "Of this installation's newest contract")
          ->check(CLI::ExistingDirectory);
  command->add_option("--history", flags->history, "Of the newest version published there")
      ->check(CLI::ExistingDirectory)
      ->excludes(dir);
  command->add_option("--format", flags->format, "markdown or json")
      ->check(CLI::IsMember({"markdown", "json"}))
      ->capture_default_str();
  command->callback([flags, &exit_code] { exit_code = ExitCode(Docs(*flags)); });
}

}  // namespace telltale::app
