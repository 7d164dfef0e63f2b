#include "app/cmd_log.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "app/commands.h"
#include "app/streams.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/reasons.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct LogFlags {
  std::string dir;
  std::string journal;  // a release's digest; empty = the main log
  bool as_json = false;
  std::string stream;
  std::optional<std::uint16_t> partition;
  std::uint64_t limit = 100;

  // A journal is always files.
  Result<std::unique_ptr<log::Streams>> Open(Disk& disk) const {
    if (journal.empty()) return StreamsOf(disk, dir);
    return log::StreamsOnFiles(disk, Paths(dir).journal() + "/" + journal);
  }
};

void PrintJson(const json& value) {
  // A firmware name is the car's: it need not be UTF-8.
  fmt::print("{}\n", value.dump(2, ' ', false, json::error_handler_t::replace));
}

std::string_view KindName(log::RecordKind kind) {
  switch (kind) {
    case log::RecordKind::kData:
      return "data";
    case log::RecordKind::kConfig:
      return "config";
    case log::RecordKind::kTick:
      return "tick";
    case log::RecordKind::kQuarantine:
      return "quarantine";
  }
  return "unknown";
}

// Records of every shard of a stream from its first, until `visit` says enough (false).
template <typename Visit>
Status VisitStream(log::Streams& streams, const std::string& stream, std::uint16_t shards,
                   const Visit& visit) {
  for (std::uint16_t shard = 0; shard < shards; ++shard) {
    ASSIGN_OR_RETURN(const auto reader, streams.OpenReader(stream, ShardId{shard}, {}));
    while (true) {
      ASSIGN_OR_RETURN(const log::RecordView* record, reader->Next());
      if (record == nullptr) break;
      if (!visit(*record)) return Ok();
    }
  }
  return Ok();
}

// {"partition": next offset} of the partitions that a shard carries.
json NextToJson(const std::vector<Offset>& offsets, ShardId shard, const log::LogShape& shape) {
  json next = json::object();
  for (std::uint16_t p = shard.value; p < shape.partitions; p += shape.shards) {
    next[std::to_string(p)] = p < offsets.size() ? offsets[p].value : 0;
  }
  return next;
}

json EndToJson(const log::DurableEnd& end, const log::LogShape& shape) {
  return {{"shard", end.shard.value},
          {"commit", end.commit.value},
          {"segment", end.segment},
          {"byte", end.byte},
          {"next", NextToJson(end.next, end.shard, shape)}};
}

// {"streams": {name: [end]}, "consumers": {name: {stream: {"lag", "shards": [...]}}}}
Result<json> GatherStatus(const LogFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  ASSIGN_OR_RETURN(const auto streams, flags.Open(disk));
  ASSIGN_OR_RETURN(const auto shape, streams->Describe());
  const auto consumers = disk.List(paths.positions());  // none yet: no folder
  json status;
  status["partitions"] = shape.partitions;
  status["shards"] = shape.shards;
  status["consumers"] = json::object();
  for (const std::string& stream : shape.streams) {
    ASSIGN_OR_RETURN(const auto ends, streams->Ends(stream));
    for (const log::DurableEnd& end : ends) {
      status["streams"][stream].push_back(EndToJson(end, shape));
      if (!consumers.ok()) continue;
      for (const std::string& consumer : *consumers) {
        const auto position =
            log::LoadPosition(disk, paths.positions(), consumer, stream, end.shard);
        if (!position.ok() && position.error().code == Code::kNotFound) continue;
        json& one = status["consumers"][consumer][stream];
        if (!position.ok()) {
          one["error"] = position.error().ToString();
          continue;
        }
        const std::uint64_t lag = log::RecordsBehind(end, *position, shape.shards);
        one["shards"].push_back({{"shard", end.shard.value},
                                 {"segment", position->segment},
                                 {"byte", position->byte},
                                 {"next", NextToJson(position->next, end.shard, shape)},
                                 {"lag", lag}});
        one["lag"] = one.value("lag", std::uint64_t{0}) + lag;
      }
    }
  }
  return status;
}

void PrintStatus(const json& status) {
  for (const auto& [stream, ends] : status["streams"].items()) {
    for (const json& end : ends) {
      std::uint64_t records = 0;
      for (const json& next : end["next"]) records += next.get<std::uint64_t>();
      fmt::print("{:<10} shard {} durable to segment {} byte {}, commit {}, {} records\n", stream,
                 end["shard"].get<int>(), end["segment"].get<std::uint64_t>(),
                 end["byte"].get<std::uint64_t>(), end["commit"].get<std::uint64_t>(), records);
    }
  }
  for (const auto& [consumer, streams] : status["consumers"].items()) {
    for (const auto& [stream, one] : streams.items()) {
      if (one.contains("error")) {
        fmt::print("{:<20} {:<10} {}\n", consumer, stream, one["error"].get<std::string>());
      } else {
        fmt::print("{:<20} {:<10} {} records behind\n", consumer, stream,
                   one["lag"].get<std::uint64_t>());
      }
    }
  }
}

Status RunStatus(const LogFlags& flags) {
  ASSIGN_OR_RETURN(const json status, GatherStatus(flags));
  if (flags.as_json) {
    PrintJson(status);
  } else {
    PrintStatus(status);
  }
  return Ok();
}

struct ReportIdHash {
  std::size_t operator()(const ReportId& id) const noexcept {
    const std::uint64_t mixed = id.boot.random ^ (id.seq * 0x9e3779b97f4a7c15ull);
    return VehicleRefHash()(id.vehicle) ^ static_cast<std::size_t>(mixed ^ (mixed >> 29));
  }
};

Result<json> GatherCount(const LogFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const auto streams, flags.Open(disk));
  ASSIGN_OR_RETURN(const auto shape, streams->Describe());
  json count;
  count["quarantined"] = json::object();
  for (const std::string& stream : shape.streams) {
    json& one = count["streams"][stream];
    std::array<std::uint64_t, 5> by_kind{};
    std::uint64_t payload_bytes = 0;
    std::map<std::string, std::uint64_t, std::less<>> by_firmware;
    std::map<std::uint16_t, std::uint64_t> by_reason;
    std::unordered_set<ReportId, ReportIdHash> distinct;
    RETURN_IF_ERROR(VisitStream(*streams, stream, shape.shards, [&](const log::RecordView& record) {
      ++by_kind[static_cast<std::size_t>(record.header.kind)];
      payload_bytes += record.payload.size();
      if (record.header.kind == log::RecordKind::kQuarantine) ++by_reason[record.header.reason];
      if (record.header.kind != log::RecordKind::kData) return true;
      distinct.insert({record.header.vehicle, record.header.boot, record.header.seq});
      const auto known = by_firmware.find(record.firmware);
      if (known != by_firmware.end()) {
        ++known->second;
      } else {
        by_firmware.emplace(record.firmware, 1);
      }
      return true;
    }));
    for (std::size_t kind = 1; kind < by_kind.size(); ++kind) {
      one[std::string(KindName(static_cast<log::RecordKind>(kind)))] = by_kind[kind];
    }
    one["distinct"] = distinct.size();
    one["payload_bytes"] = payload_bytes;
    one["firmware"] = by_firmware;
    for (const auto& [reason, records] : by_reason) {
      count["quarantined"][std::string(ReasonName(static_cast<Reason>(reason)))] = records;
    }
  }
  return count;
}

Status RunCount(const LogFlags& flags) {
  ASSIGN_OR_RETURN(const json count, GatherCount(flags));
  if (flags.as_json) {
    PrintJson(count);
    return Ok();
  }
  for (const auto& [stream, one] : count["streams"].items()) {
    fmt::print("{:<10} data {} ({} distinct), config {}, tick {}, quarantine {}, {} bytes\n",
               stream, one["data"].dump(), one["distinct"].dump(), one["config"].dump(),
               one["tick"].dump(), one["quarantine"].dump(), one["payload_bytes"].dump());
  }
  for (const auto& [reason, records] : count["quarantined"].items()) {
    fmt::print("quarantined {}: {}\n", reason, records.dump());
  }
  return Ok();
}

// Printable ASCII only: the name is the car's.
std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c > ' ' && c < '\x7f' ? c : '?';
  return out.empty() ? "-" : out;
}

Status RunDump(const LogFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const auto streams, flags.Open(disk));
  ASSIGN_OR_RETURN(const auto shape, streams->Describe());
  std::uint64_t left = flags.limit;
  if (left == 0) return Ok();
  return VisitStream(*streams, flags.stream, shape.shards, [&](const log::RecordView& record) {
    if (flags.partition.has_value() && record.partition.value != *flags.partition) return true;
    const log::RecordHeader& header = record.header;
    fmt::print(
        "partition {} offset {} {} log_time {} receipt {} event {} vehicle {} boot "
        "{}/{:016x} seq {} contract {} firmware {} reason {} payload_bytes {}\n",
        record.partition.value, record.offset.value, KindName(header.kind),
        FormatUtc(record.log_time), FormatUtc(header.receipt_time), FormatUtc(header.event_time),
        header.vehicle.ToHex(), header.boot.counter, header.boot.random, header.seq,
        header.contract_number, Printable(record.firmware),
        ReasonName(static_cast<Reason>(header.reason)), record.payload.size());
    return --left > 0;
  });
}

CLI::App* AddSubcommand(CLI::App& parent, const char* name, const char* what,
                        const std::shared_ptr<LogFlags>& flags) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--journal", flags->journal,
                      "A release's digest: its output journal instead of the main log");
  return command;
}

}  // namespace

void AddLogCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<LogFlags>();
  CLI::App* log = app.add_subcommand("log", "Looks at the log: ends, counts, record headers");
  log->require_subcommand(1);

  CLI::App* status = AddSubcommand(
      *log, "status", "Durable ends, and how far behind each consumer's saved position is", flags);
  status->add_flag("--json", flags->as_json, "As JSON");
  status->callback([flags, &exit_code] { exit_code = ExitCode(RunStatus(*flags)); });

  CLI::App* count = AddSubcommand(
      *log, "count", "Reads everything: records by kind, refused reports by reason", flags);
  count->add_flag("--json", flags->as_json, "As JSON");
  count->callback([flags, &exit_code] { exit_code = ExitCode(RunCount(*flags)); });

  CLI::App* dump = AddSubcommand(*log, "dump", "Record headers, one a line; no payload", flags);
  dump->add_option("--stream", flags->stream, "safety, telemetry, sealed or journal")->required();
  dump->add_option("--partition", flags->partition, "Only this partition");
  dump->add_option("--limit", flags->limit, "At most this many records")->capture_default_str();
  dump->callback([flags, &exit_code] { exit_code = ExitCode(RunDump(*flags)); });
}

}  // namespace telltale::app
