#include "app/doctor_lake.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "app/doctor_log.h"
#include "app/doctor_stores.h"
#include "lake/parquet_footer.h"

namespace telltale::app {
namespace {

constexpr std::array<std::string_view, 3> kTables = {"telemetry", "arrivals", "coverage"};
constexpr std::uint64_t kMetadataBytesMax = 256u << 20;

// The number that `text` begins with.
std::optional<std::uint64_t> LeadingNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

// Iceberg keeps its numbers as text.
std::uint64_t NumberIn(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return 0;
  return LeadingNumber(found->get_ref<const std::string&>()).value_or(0);
}

}  // namespace

void LakeCheck::AddError(const std::string& where, const Error& error) {
  if (error.code == Code::kNotFound) return;
  if (error.code == Code::kOverloaded) return report_.Add(FindingKind::kMovedOn, {where, {}, {}});
  report_.Add(KindOf(error), {where, error.message, {}});
}

void LakeCheck::Read() {
  for (const std::string_view name : kTables) tables_[std::string(name)];
  ReadHandoffs();
  ReadTables();
}

// Whether each is sound is told where their places are compared (doctor_consumers.h); here only
// what those say of files counts.
void LakeCheck::ReadHandoffs() {
  const std::string folder = paths_.lake() + "/handoff";
  const auto names = disk_.List(folder);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    const auto number = LeadingNumber(name);
    if (!name.ends_with(".json") || !number) continue;
    newest_ = std::max(newest_, *number);
    is_from_first_ |= *number == 1;
    const auto content = ReadWholeFile(disk_, folder + "/" + name);
    if (!content.ok()) continue;
    const auto json = nlohmann::json::parse(*content, nullptr, /*allow_exceptions=*/false);
    try {
      std::vector<Offset> to;
      for (const auto& one : json.at("partitions")) {
        to.emplace_back(one.at("to").get<std::uint64_t>());
      }
      for (const auto& one : json.at("tables")) {
        auto& named = tables_[one.at("name").get<std::string>()].named[*number];
        const bool is_telemetry = one.at("name") == "telemetry";
        for (const auto& file : one.at("files")) {
          if (is_telemetry) {
            waiting_rows_[*number] += file.at("record_count").get<std::uint64_t>();
          }
          named[paths_.lake() + "/" + file.at("path").get<std::string>()] = {
              file.at("record_count").get<std::uint64_t>(),
              file.at("file_size_in_bytes").get<std::uint64_t>()};
        }
      }
      if (*number == newest_) taken_ = std::move(to);
    } catch (const nlohmann::json::exception&) {
      if (*number == newest_) taken_.clear();
    }
  }
}

void LakeCheck::ReadTables() {
  const std::string path = paths_.lake() + "/catalog.db";
  const auto catalog = DatabaseCopy::Of(disk_, path, {});
  if (!catalog.ok()) return AddError(path, catalog.error());
  report_.Count("databases", 1);
  const auto problems = (*catalog)->Problems();
  if (!problems.ok()) return AddError(path, problems.error());
  for (const std::string& problem : *problems) {
    report_.Add(FindingKind::kFileBroken, {path, problem, {}});
  }
  if (!problems->empty()) return;
  auto each = (*catalog)->Prepare(
      "SELECT table_name, metadata_location FROM iceberg_tables WHERE table_namespace = "
      "'telltale'");
  if (!each.ok()) return;  // no table was made yet
  while (true) {
    const auto more = each->Step();
    if (!more.ok()) return AddError(path, more.error());
    if (!*more) return;
    const auto known = tables_.find(std::string(each->Text(0)));
    if (known == tables_.end()) continue;
    // An absolute place; the installation may have been moved since.
    const std::string location(each->Text(1));
    const std::size_t at = location.rfind("/warehouse/");
    if (at == std::string::npos) continue;
    const std::string metadata = paths_.lake() + location.substr(at);
    auto read = ReadTable(metadata);
    if (!read.ok() && read.error().code == Code::kNotFound) {
      report_.Add(FindingKind::kReadFailed,
                  {metadata, "the catalogue names it, and it is not there", {}});
    } else if (!read.ok()) {
      AddError(metadata, read.error());
    } else {
      read->named = std::move(known->second.named);
      known->second = std::move(*read);
    }
  }
}

Result<LakeCheck::Table> LakeCheck::ReadTable(const std::string& metadata_path) {
  ASSIGN_OR_RETURN(const std::string content,
                   ReadWholeFile(disk_, metadata_path, kMetadataBytesMax));
  const auto json = nlohmann::json::parse(content, nullptr, /*allow_exceptions=*/false);
  try {
    Table table;
    table.handoff =
        NumberIn(json.value("properties", nlohmann::json::object()), "telltale.handoff");
    const auto current = json.find("current-snapshot-id");
    for (const auto& snapshot : json.value("snapshots", nlohmann::json::array())) {
      if (current == json.end() || snapshot.at("snapshot-id") != *current) continue;
      table.rows = NumberIn(snapshot.at("summary"), "total-records");
      table.files = NumberIn(snapshot.at("summary"), "total-data-files");
    }
    table.is_known = true;
    return table;
  } catch (const nlohmann::json::exception&) {
    return Error{Code::kCorrupt, "not the metadata of a table"};
  }
}

void LakeCheck::CheckFiles() {
  for (auto& [name, table] : tables_) CheckTable(name, table);
}

void LakeCheck::CheckTable(const std::string& name, Table& table) {
  Found in_table;
  const std::string folder = paths_.lake() + "/warehouse/" + name + "/data";
  const auto days = disk_.List(folder);
  if (!days.ok()) {
    AddError(folder, days.error());
    in_table.is_whole = days.error().code == Code::kNotFound;
  }
  for (const std::string& day : days.ok() ? *days : std::vector<std::string>()) {
    const auto files = disk_.List(folder + "/" + day);
    if (!files.ok()) continue;
    for (const std::string& file : *files) {
      const auto number = LeadingNumber(file);
      if (!file.ends_with(".parquet") || !number) continue;
      CheckFile(folder + "/" + day + "/" + file, *number, table, in_table);
    }
  }
  for (const auto& [number, named] : table.named) {
    for (const auto& [path, file] : named) {
      report_.Add(FindingKind::kDataFileMissing,
                  {path, fmt::format("hand-off {} has {} rows in it", number, file.rows), {}});
    }
  }
  if (!table.is_known || !in_table.is_whole ||
      (in_table.rows == table.rows && in_table.files == table.files)) {
    return;
  }
  report_.Add(FindingKind::kTableDisagrees,
              {folder,
               fmt::format("the table has {} rows in {} files, the folder {} in {}", table.rows,
                           table.files, in_table.rows, in_table.files),
               {}});
}

void LakeCheck::CheckFile(const std::string& path, std::uint64_t number, Table& table,
                          Found& in_table) {
  report_.Count("data files", 1);
  const auto of_handoff = table.named.find(number);
  std::optional<Named> named;
  if (of_handoff != table.named.end()) {
    const auto found = of_handoff->second.find(path);
    if (found != of_handoff->second.end()) {
      named = found->second;
      of_handoff->second.erase(found);  // what is left in the end has no file
    }
  }
  if (number > newest_ || (of_handoff != table.named.end() && !named)) {
    report_.Add(FindingKind::kOrphanDataFile, {path, "no hand-off names it", {}});
    return;
  }
  const auto file = disk_.Open(path, OpenMode::kRead);
  const auto rows =
      file.ok() ? lake::RowsInParquetFile(**file) : Result<std::uint64_t>(file.error());
  const auto bytes = file.ok() ? (*file)->Size() : Result<std::uint64_t>(file.error());
  if (!rows.ok() || !bytes.ok()) {
    AddError(path, rows.ok() ? bytes.error() : rows.error());
    in_table.is_whole = false;
    return;
  }
  report_.Count("data file rows", *rows);
  if (named && (named->rows != *rows || named->bytes != *bytes)) {
    report_.Add(FindingKind::kFileBroken,
                {path,
                 fmt::format("{} rows in {} bytes, its hand-off says {} in {}", *rows, *bytes,
                             named->rows, named->bytes),
                 {}});
  }
  if (number > table.handoff) return;
  in_table.rows += *rows;
  ++in_table.files;
}

void LakeCheck::CompareRows(std::uint64_t identities) {
  Table& table = tables_["telemetry"];
  // What these hand-offs name is not in the table yet.
  std::uint64_t rows = table.rows;
  for (const auto& [number, waiting] : waiting_rows_) {
    if (number > table.handoff) rows += waiting;
  }
  // Without the table nobody knows what the hand-offs held that are gone.
  if ((!table.is_known && !is_from_first_) || rows == identities) return;
  const std::string detail =
      fmt::format("{} rows for {} reports that hand-offs have taken", rows, identities);
  report_.Add(rows < identities ? FindingKind::kLakeRowsMissing : FindingKind::kLakeRowsMore,
              {paths_.lake() + "/warehouse/telemetry", detail, {}});
}

}  // namespace telltale::app
