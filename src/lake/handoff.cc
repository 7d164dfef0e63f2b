#include "lake/handoff.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/checksum.h"
#include "base/format_version.h"
#include "lake/columns.h"

namespace telltale::lake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "telltale-handoff";
constexpr const FormatVersion& kVersion = VersionOf(Format::kHandoff);
constexpr const FormatVersion& kStateVersion = VersionOf(Format::kLakeState);
constexpr std::string_view kStateMagic = "TLLS";
constexpr std::size_t kStateHeadBytes = 16;  // magic, version u16, minimum reader u16, number u64
constexpr std::size_t kNumberDigits = 20;

Json CountsJson(const std::map<std::int32_t, std::int64_t>& counts) {
  Json json = Json::object();
  for (const auto& [id, count] : counts) json[std::to_string(id)] = count;
  return json;
}

Json BoundsJson(const std::map<std::int32_t, std::string>& bounds) {
  Json json = Json::object();
  for (const auto& [id, bytes] : bounds) json[std::to_string(id)] = HexEncode(bytes);
  return json;
}

Json FileJson(const DataFile& file, bool is_of_vehicles) {
  Json partition = Json::array({file.day});
  if (is_of_vehicles) partition.push_back(file.bucket);
  return {{"path", file.path},
          {"partition", std::move(partition)},
          {"record_count", file.record_count},
          {"file_size_in_bytes", file.file_size_in_bytes},
          {"column_sizes", CountsJson(file.column_sizes)},
          {"value_counts", CountsJson(file.value_counts)},
          {"null_value_counts", CountsJson(file.null_value_counts)},
          {"nan_value_counts", CountsJson(file.nan_value_counts)},
          {"lower_bounds", BoundsJson(file.lower_bounds)},
          {"upper_bounds", BoundsJson(file.upper_bounds)},
          {"split_offsets", file.split_offsets}};
}

Json TableJson(const HandoffTable& table) {
  Json files = Json::array();
  for (const DataFile& file : table.files) files.push_back(FileJson(file, table.is_of_vehicles));
  Json spec = Json::array();
  spec.push_back({{"name", table.time_column_name + "_day"},
                  {"transform", "day"},
                  {"source-id", table.time_column},
                  {"field-id", 1000}});
  if (table.is_of_vehicles) {
    spec.push_back({{"name", "vehicle_ref_bucket"},
                    {"transform", "bucket[4]"},
                    {"source-id", static_cast<int>(kVehicleRefId)},
                    {"field-id", 1001}});
  }
  Json order = Json::array();
  for (const std::int32_t id : table.sort_columns) {
    order.push_back({{"transform", "identity"},
                     {"source-id", id},
                     {"direction", "asc"},
                     {"null-order", "nulls-first"}});
  }
  return {{"name", table.name},
          {"schema", Json::parse(table.schema_json)},
          {"partition_spec", std::move(spec)},
          {"sort_order", std::move(order)},
          {"files", std::move(files)}};
}

// `name` is 20 digits and then `suffix`.
bool ParseName(const std::string& name, std::string_view suffix, std::uint64_t& number) {
  if (name.size() != kNumberDigits + suffix.size() || !name.ends_with(suffix)) return false;
  number = 0;
  for (std::size_t i = 0; i < kNumberDigits; ++i) {
    if (name[i] < '0' || name[i] > '9') return false;
    number = number * 10 + static_cast<std::uint64_t>(name[i] - '0');
  }
  return true;
}

Handoff FromJson(const Json& json) {
  Handoff handoff;
  handoff.number = json.at("number").get<std::uint64_t>();
  handoff.written_at = Micros{json.at("written_at_us").get<std::int64_t>()};
  const Json& config = json.at("config");
  handoff.config.config_seq = config.at("config_seq").get<std::uint64_t>();
  handoff.config.contract_number = config.at("contract_number").get<std::uint32_t>();
  handoff.config.contract_digest = config.at("contract_digest").get<std::string>();
  handoff.config.release = config.at("release").get<std::string>();
  handoff.config.environment = config.at("environment").get<std::string>();
  for (const Json& range : json.at("partitions")) {
    handoff.from.emplace_back(range.at("from").get<std::uint64_t>());
    handoff.to.emplace_back(range.at("to").get<std::uint64_t>());
  }
  for (const Json& position : json.at("positions")) {
    auto raw = HexDecode(position.get<std::string>());
    if (!raw.ok()) throw std::invalid_argument("a position is not hexadecimal");
    handoff.positions.push_back(std::move(raw).value());
  }
  handoff.state_bytes = json.at("state").at("bytes").get<std::uint64_t>();
  handoff.state_crc32c = json.at("state").at("crc32c").get<std::uint32_t>();
  handoff.erased_lines = json.value("erased_lines", std::uint64_t{0});
  return handoff;
}

}  // namespace

std::string NumberName(std::uint64_t number) {
  char name[kNumberDigits + 1];
  std::snprintf(name, sizeof(name), "%020llu", static_cast<unsigned long long>(number));
  return name;
}

std::string HandoffPath(const std::string& folder, std::uint64_t number) {
  return folder + "/" + NumberName(number) + ".json";
}

std::string StatePath(const std::string& folder, std::uint64_t number) {
  return folder + "/" + NumberName(number) + ".state";
}

std::string HandoffJson(const Handoff& handoff) {
  Json partitions = Json::array();
  for (std::size_t p = 0; p < handoff.to.size(); ++p) {
    partitions.push_back(
        {{"partition", p}, {"from", handoff.from[p].value}, {"to", handoff.to[p].value}});
  }
  Json positions = Json::array();
  for (const std::string& position : handoff.positions) positions.push_back(HexEncode(position));
  Json tables = Json::array();
  for (const HandoffTable& table : handoff.tables) tables.push_back(TableJson(table));
  const Json json = {{"format", kFormat},
                     {"version", kVersion.written},
                     {"min_reader", kVersion.min_reader},
                     {"number", handoff.number},
                     {"written_at_us", handoff.written_at.value},
                     {"config",
                      {{"config_seq", handoff.config.config_seq},
                       {"contract_number", handoff.config.contract_number},
                       {"contract_digest", handoff.config.contract_digest},
                       {"release", handoff.config.release},
                       {"environment", handoff.config.environment}}},
                     {"partitions", std::move(partitions)},
                     {"positions", std::move(positions)},
                     {"state", {{"bytes", handoff.state_bytes}, {"crc32c", handoff.state_crc32c}}},
                     {"erased_lines", handoff.erased_lines},
                     {"counts", handoff.counts},
                     {"tables", std::move(tables)}};
  return json.dump() + "\n";
}

Result<Handoff> ParseHandoff(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Error{Code::kCorrupt, "a hand-off is not a JSON object"};
  try {
    if (json.at("format").get<std::string>() != kFormat) {
      return Error{Code::kCorrupt, "a file among the hand-offs is none"};
    }
    RETURN_IF_ERROR(CheckReadable(Format::kHandoff, "the newest hand-off",
                                  json.at("version").get<std::uint64_t>(),
                                  json.at("min_reader").get<std::uint64_t>()));
    return FromJson(json);
  } catch (const std::exception& e) {
    return Error{Code::kCorrupt, std::string("a hand-off lacks something: ") + e.what()};
  }
}

std::string StateFile(std::uint64_t number, std::string_view body) {
  std::string file;
  file.reserve(kStateHeadBytes + body.size() + 4);
  file.append(kStateMagic);
  PutLe(file, static_cast<std::uint16_t>(kStateVersion.written));
  PutLe(file, static_cast<std::uint16_t>(kStateVersion.min_reader));
  PutLe(file, number);
  file.append(body);
  PutLe(file, Crc32c(AsBytes(file)));
  return file;
}

Result<std::string_view> StateBody(std::uint64_t number, std::string_view file) {
  if (file.size() < kStateHeadBytes + 4 || !file.starts_with(kStateMagic)) {
    return Error{Code::kCorrupt, "the lake's state file is cut or is none"};
  }
  ByteReader head(file.substr(kStateMagic.size()));
  const auto version = head.Get<std::uint16_t>();
  RETURN_IF_ERROR(
      CheckReadable(Format::kLakeState, "the lake's state", version, head.Get<std::uint16_t>()));
  const std::string_view checked = file.substr(0, file.size() - 4);
  if (Crc32c(AsBytes(checked)) != GetLe<std::uint32_t>(file.data() + checked.size()) ||
      head.Get<std::uint64_t>() != number) {
    return Error{Code::kCorrupt, "the lake's state file fails its check"};
  }
  return checked.substr(kStateHeadBytes);
}

Result<std::uint64_t> NewestHandoff(Disk& disk, const std::string& folder) {
  const auto names = disk.List(folder);
  if (!names.ok()) {
    if (names.error().code == Code::kNotFound) return std::uint64_t{0};
    return names.error();
  }
  std::uint64_t newest = 0;
  for (const std::string& name : *names) {
    std::uint64_t number = 0;
    if (ParseName(name, ".json", number)) newest = std::max(newest, number);
  }
  return newest;
}

namespace {

// Removes `folder`'s entries whose name is a number above `newest`, then maybe "-<bucket>", then
// `suffix`. A folder that is not there has none.
Status RemoveAbove(Disk& disk, const std::string& folder, std::string_view suffix,
                   std::uint64_t newest) {
  const auto names = disk.List(folder);
  if (!names.ok()) return names.error().code == Code::kNotFound ? Ok() : Status(names.error());
  for (const std::string& name : *names) {
    std::uint64_t number = 0;
    const std::string_view rest =
        name.size() > kNumberDigits ? std::string_view(name).substr(kNumberDigits) : "";
    if (!rest.ends_with(suffix) || !ParseName(name, rest, number) || number <= newest) continue;
    RETURN_IF_ERROR(disk.Remove(folder + "/" + name));
  }
  return Ok();
}

}  // namespace

Status RemoveOrphans(Disk& disk, const std::string& lake_folder, std::uint64_t newest) {
  RETURN_IF_ERROR(RemoveAbove(disk, lake_folder + "/handoff", ".state", newest));
  for (const char* table : {"telemetry", "arrivals", "coverage"}) {
    const std::string data = lake_folder + "/warehouse/" + table + "/data";
    const auto days = disk.List(data);
    if (!days.ok()) {
      if (days.error().code == Code::kNotFound) continue;
      return days.error();
    }
    for (const std::string& day : *days) {
      RETURN_IF_ERROR(RemoveAbove(disk, data + "/" + day, ".parquet", newest));
    }
  }
  return Ok();
}

}  // namespace telltale::lake
