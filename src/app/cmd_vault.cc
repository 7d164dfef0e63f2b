#include "app/cmd_vault.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/cmd_transport_keys.h"
#include "app/commands.h"
#include "base/config.h"
#include "base/local_socket.h"

namespace telltale {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kAnswerTimeout{60'000};

struct Flags {
  std::string dir;
  std::string vehicle;
  std::string from;
  std::string to;
  std::string purpose;
  std::string case_id;
  std::uint64_t from_entry = 1;
  bool as_json = false;
  bool quarantine = false;
  bool unknown = false;
  bool verify = false;
};

// Whole digits of a fixed width at `at`; -1 when they are not there.
int DigitsAt(std::string_view text, std::size_t at, std::size_t width) {
  if (text.size() < at + width) return -1;
  int value = 0;
  const char* end = text.data() + at + width;
  const auto [stopped, problem] = std::from_chars(text.data() + at, end, value);
  return problem == std::errc() && stopped == end && text[at] != '-' ? value : -1;
}

// "Z" or "+02:00": minutes east; nullopt when it is neither.
std::optional<int> ZoneMinutes(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  const int hours = DigitsAt(zone, 1, 2);
  const int minutes = DigitsAt(zone, 4, 2);
  if (zone.size() != 6 || zone[3] != ':' || hours < 0 || hours > 23 || minutes < 0 ||
      minutes > 59 || (zone[0] != '+' && zone[0] != '-')) {
    return std::nullopt;
  }
  return (hours * 60 + minutes) * (zone[0] == '-' ? -1 : 1);
}

Error NoTime(const std::string& flag) {
  return {Code::kInvalid, flag + " takes a time like 2026-01-31T12:00:00Z or microseconds UTC"};
}

Result<std::int64_t> ParseTime(const std::string& flag, std::string_view text) {
  std::int64_t micros = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), micros);
  if (problem == std::errc() && end == text.data() + text.size()) return micros;
  const std::chrono::year_month_day day{
      std::chrono::year{DigitsAt(text, 0, 4)},
      std::chrono::month{static_cast<unsigned>(DigitsAt(text, 5, 2))},
      std::chrono::day{static_cast<unsigned>(DigitsAt(text, 8, 2))}};
  const int hour = DigitsAt(text, 11, 2);
  const int minute = DigitsAt(text, 14, 2);
  const int second = DigitsAt(text, 17, 2);
  if (text.size() < 20 || !day.ok() || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' ||
      text[16] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60) {
    return NoTime(flag);
  }
  std::size_t at = 19;
  std::int64_t fraction = 0;
  if (text[at] == '.') {
    std::int64_t unit = 100'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
      fraction += (text[at] - '0') * unit;
    }
  }
  const std::optional<int> zone = ZoneMinutes(text.substr(at));
  if (!zone) return NoTime(flag);
  const std::int64_t days = std::chrono::sys_days{day}.time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + hour * 3600 + minute * 60 + second - *zone * 60;
  return seconds * 1'000'000 + fraction;
}

// One request; `message` is called for each message before the last, which is returned.
Result<json> Ask(const std::string& dir, const json& request,
                 const std::function<void(const json&)>& message) {
  const std::string socket = Paths(dir).vault_socket();
  auto connection = LocalConnection::Connect(socket);
  if (!connection.ok()) {
    return Error{Code::kUnavailable, "the vault does not answer; is `telltale serve` running? " +
                                         connection.error().message};
  }
  // A refused user is answered before the request is read: that the request could not be sent is
  // then no news.
  (void)connection->Send(request.dump(-1, ' ', false, json::error_handler_t::replace));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<std::string> frame, connection->Receive(kAnswerTimeout));
    if (!frame) return Error{Code::kUnavailable, "the vault took too long to answer"};
    const json answer = json::parse(*frame, nullptr, false);
    const std::string kind = answer.is_object() ? answer.value("kind", "") : "";
    if (kind == "end") return answer;
    if (kind == "error") {
      const std::string code = answer.value("code", "");
      const Code known = code == "refused"      ? Code::kRefused
                         : code == "invalid"    ? Code::kInvalid
                         : code == "too_big"    ? Code::kTooBig
                         : code == "overloaded" ? Code::kOverloaded
                                                : Code::kUnavailable;
      return Error{known, answer.value("message", "the vault refused")};
    }
    message(answer);
  }
}

std::string Shown(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void PrintRow(const json& row) {
  const json fields = row.value("fields", json::object());
  std::string rest;
  for (const auto& [name, value] : fields.items()) {
    if (name == "latitude_deg" || name == "longitude_deg") continue;
    rest +=
        fmt::format(" {}={}", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  for (const char* key : {"unknown", "reason", "wire"}) {
    if (row.contains(key)) rest += fmt::format(" {}={}", key, Shown(row, key));
  }
  fmt::print("{:<27}  {:>6}  {:>8}  {:>20}  {:>20} {}\n", Shown(row, "event_time"),
             Shown(row, "boot").substr(0, Shown(row, "boot").find('-')), Shown(row, "seq"),
             Shown(fields, "latitude_deg"), Shown(fields, "longitude_deg"), rest);
}

void PrintHead() {
  fmt::print("{:<27}  {:>6}  {:>8}  {:>20}  {:>20}  {}\n", "event_time", "boot", "seq",
             "latitude_deg", "longitude_deg", "other fields");
}

Status Query(const Flags& flags) {
  const auto vehicle = VehicleRef::FromHex(flags.vehicle);
  if (!vehicle.ok()) {
    return Error{Code::kInvalid,
                 "--vehicle takes a vehicle_ref (32 hex digits); `telltale vehicles lookup` turns "
                 "a VIN into one"};
  }
  ASSIGN_OR_RETURN(const std::int64_t from_us, ParseTime("--from", flags.from));
  ASSIGN_OR_RETURN(const std::int64_t to_us, ParseTime("--to", flags.to));
  if (from_us >= to_us) return Error{Code::kInvalid, "--from must be before --to"};
  const json request{{"op", "query"},
                     {"vehicle_ref", vehicle->ToHex()},
                     {"from_us", from_us},
                     {"to_us", to_us},
                     {"purpose", flags.purpose},
                     {"case", flags.case_id},
                     {"class", flags.quarantine ? "quarantine"
                               : flags.unknown  ? "unknown"
                                                : "data"}};
  bool has_head = flags.as_json;
  ASSIGN_OR_RETURN(const json end, Ask(flags.dir, request, [&](const json& message) {
                     for (const json& row : message.value("rows", json::array())) {
                       // With the first row: a refusal must not look like an empty answer.
                       if (!std::exchange(has_head, true)) PrintHead();
                       if (flags.as_json) {
                         fmt::print("{}\n", row.dump(-1, ' ', true));
                       } else {
                         PrintRow(row);
                       }
                     }
                   }));
  // On stderr, so that the rows can be piped on as they are.
  fmt::print(stderr, "{} rows, {} repeats left out; audit entry {}, digest {}, salt {}\n",
             Shown(end, "rows"), Shown(end, "repeats"), Shown(end, "intent"), Shown(end, "digest"),
             Shown(end, "salt"));
  if (end.value("damaged", 0) > 0) {
    return Error{Code::kCorrupt,
                 Shown(end, "damaged") + " stored frames do not open; the answer is incomplete"};
  }
  return Ok();
}

Status Audit(const Flags& flags) {
  const json request{{"op", "audit"}, {"from", flags.from_entry}};
  ASSIGN_OR_RETURN(const json end, Ask(flags.dir, request, [&](const json& message) {
                     if (flags.verify) return;
                     for (const json& line : message.value("entries", json::array())) {
                       fmt::print("{}\n", line.get<std::string>());
                     }
                   }));
  fmt::print(stderr, "{} entries, last hash {}\n", Shown(end, "entries_total"), Shown(end, "hash"));
  if (!end.value("verified", false)) {
    return Error{Code::kCorrupt, "the audit log fails its check: " + Shown(end, "problem")};
  }
  if (flags.verify) fmt::print("the chain of the audit log is whole\n");
  return Ok();
}

Status ShowStatus(const Flags& flags) {
  ASSIGN_OR_RETURN(const json end, Ask(flags.dir, json{{"op", "status"}}, [](const json&) {}));
  fmt::print("{}\n", end.dump(2));
  return Ok();
}

void AddQuery(CLI::App& vault, const std::shared_ptr<Flags>& flags, int& exit_code) {
  CLI::App* query = vault.add_subcommand(
      "query", "Exact positions of one vehicle; recorded before the first row is shown");
  query->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  query->add_option("--vehicle", flags->vehicle, "vehicle_ref, 32 hex digits")->required();
  query->add_option("--from", flags->from, "Event time, inclusive: RFC 3339 or microseconds UTC")
      ->required();
  query->add_option("--to", flags->to, "Event time, exclusive")->required();
  query->add_option("--purpose", flags->purpose, "What the positions are needed for")->required();
  query->add_option("--case", flags->case_id, "The case or ticket this belongs to")->required();
  query->add_flag("--json", flags->as_json, "One JSON object a row");
  CLI::Option* quarantine = query->add_flag("--quarantine", flags->quarantine,
                                            "What the door refused, instead of reports");
  query
      ->add_flag("--unknown", flags->unknown,
                 "Fields that the contract had no place for, instead of sealed ones")
      ->excludes(quarantine);
  query->callback([flags, &exit_code] { exit_code = app::ExitCode(Query(*flags)); });
}

}  // namespace

void AddVaultCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* vault = app.add_subcommand("vault", "Ask the vault; every question is recorded");
  vault->require_subcommand(1);
  AddQuery(*vault, flags, exit_code);
  app::AddTransportKeysCommand(*vault, exit_code);
  CLI::App* audit = vault->add_subcommand("audit", "Who asked what; checks the log's chain");
  audit->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  audit->add_option("--from", flags->from_entry, "First entry to show, from 1");
  audit->add_flag("--verify", flags->verify, "Only check the chain");
  audit->callback([flags, &exit_code] { exit_code = app::ExitCode(Audit(*flags)); });
  CLI::App* status = vault->add_subcommand("status", "The vault's counters");
  status->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  status->callback([flags, &exit_code] { exit_code = app::ExitCode(ShowStatus(*flags)); });
}

}  // namespace telltale
