#include "app/subject_stores.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/erasure_list.h"
#include "log/log.h"
#include "publish/alert_store.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::int64_t kHourUs = 3'600 * 1'000'000ll;
constexpr std::size_t kPieceBytes = 1u << 20;
constexpr int kFoldersDeep = 8;
// For telltale-lake and the committer: seconds, while others wait for the lock of erasures.
constexpr const char* kLakeWaitS = "15";
constexpr const char* kFolderOfStreams = "log";

std::int64_t NumberOr(const json& from, const char* key, std::int64_t otherwise) {
  const auto found = from.find(key);
  return found != from.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
}
std::string TextOr(const json& from, const char* key, const std::string& otherwise) {
  const auto found = from.find(key);
  return found != from.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

Result<StoreAnswer> AddToList(const SubjectParts& parts, const StepView& view) {
  RETURN_IF_ERROR(parts.disk.MakeFolders(parts.paths.erased(), 0755));
  RETURN_IF_ERROR(parts.disk.SyncFolder(parts.paths.data()));
  ASSIGN_OR_RETURN([[maybe_unused]] const bool is_new,
                   AppendErasure(parts.disk, parts.paths.erasure_list(), *view.vehicle));
  return StoreAnswer{};
}

Result<json> AskVault(const SubjectParts& parts, const StepView& view) {
  const json request{{"op", "erase"}, {"vehicle_ref", view.vehicle->ToHex()}, {"job", view.job.id}};
  return parts.vault.Ask(request, [](const json&) {});
}

Error NotSaid(const char* what) {
  return {Code::kUnavailable,
          fmt::format("the vault's answer does not say that the {} went", what)};
}

Result<StoreAnswer> EraseVaultKeys(const SubjectParts& parts, const StepView& view) {
  ASSIGN_OR_RETURN(const json end, AskVault(parts, view));
  StoreAnswer answer;
  const std::string keys = TextOr(end, "keys", "");
  if (keys == "held") {
    answer.state = LineState::kHeld;
    answer.note = "a hold outranks the erasure, which goes on when it ends";
  } else if (keys != "destroyed") {
    return NotSaid("keys");
  }
  return answer;
}

Result<StoreAnswer> EraseVaultFiles(const SubjectParts& parts, const StepView& view) {
  ASSIGN_OR_RETURN(const json end, AskVault(parts, view));
  StoreAnswer answer;
  const std::string files = TextOr(end, "files", "");
  if (TextOr(end, "keys", "") == "held") {
    answer.state = LineState::kHeld;
  } else if (files == "due") {
    answer.state = LineState::kOpen;
    answer.due_by = Micros{NumberOr(end, "due_by", 0)};
  } else if (files != "done") {
    return NotSaid("files");
  }
  // As of the last answer: of exports that were made, people have copies.
  if (const std::int64_t exports = NumberOr(end, "exports", 0); exports > 0) {
    answer.note = fmt::format("{} exports were made from the vault: who has them is told", exports);
  }
  return answer;
}

Result<StoreAnswer> EraseRegistryRow(const SubjectParts& parts, const StepView& view) {
  ASSIGN_OR_RETURN(const std::uint32_t rows, parts.erase_in_registry(*view.vehicle));
  StoreAnswer answer;
  if (rows > 0) answer.counts["rows"] = rows;
  return answer;
}

Result<publish::AlertStore> OpenAlerts(const SubjectParts& parts) {
  const std::string path = parts.paths.publish() + "/alerts.db";
  if (!parts.disk.Exists(path)) return Error{Code::kNotFound, "there is no alert store"};
  return publish::AlertStore::Open(path, parts.vfs);
}

// The feed's readers have what was sent. Who they are, this system does not know: a person tells
// them and says so (`telltale subject erasures --told`).
Result<StoreAnswer> FindRecipients(const SubjectParts& parts, const StepView& view) {
  StoreAnswer answer{.state = LineState::kOpen, .counts = {}, .note = view.line.note, .due_by = {}};
  if (view.line.counts.contains("alerts")) return answer;  // waits for a person
  if (view.vehicle == nullptr) return Error{Code::kInvalid, "nobody counted what was sent"};
  auto store = OpenAlerts(parts);
  if (!store.ok() && store.error().code != Code::kNotFound) return store.error();
  publish::VehicleErased counted;
  if (store.ok()) {
    ASSIGN_OR_RETURN(counted, store->CountVehicle(*view.vehicle));
  }
  answer.counts["alerts"] = static_cast<std::int64_t>(counted.alerts);
  if (counted.changes == 0) {
    answer.state = LineState::kNotApplicable;
  } else {
    answer.note = "readers of the feed have alerts of this vehicle: tell them (Art. 19 GDPR)";
  }
  return answer;
}

Result<StoreAnswer> EraseAlerts(const SubjectParts& parts, const StepView& view) {
  const JobLine* recipients = view.job.Find(store_name::kRecipients);
  if (recipients != nullptr && !recipients->counts.contains("alerts")) {
    return Error{Code::kUnavailable, "not before it is known whether alerts were sent"};
  }
  auto store = OpenAlerts(parts);
  if (!store.ok() && store.error().code == Code::kNotFound) return StoreAnswer{};
  RETURN_IF_ERROR(store.ok() ? Ok() : Status(store.error()));
  ASSIGN_OR_RETURN(const publish::VehicleErased erased, store->EraseVehicle(*view.vehicle));
  StoreAnswer answer;
  answer.counts["alerts"] = static_cast<std::int64_t>(erased.alerts);
  answer.counts["changes"] = static_cast<std::int64_t>(erased.changes);
  return answer;
}

Result<StoreAnswer> EraseInLake(const SubjectParts& parts, const StepView& view) {
  ASSIGN_OR_RETURN(const std::string text,
                   parts.lake.Run({"erase", "--dir", parts.paths.root, "--vehicle",
                                   view.vehicle->ToHex(), "--wait", kLakeWaitS, "--json"}));
  const json said = json::parse(text, nullptr, false);
  const auto complete = said.is_object() ? said.find("complete") : said.end();
  if (!said.is_object() || complete == said.end() || !complete->is_boolean()) {
    return Error{Code::kUnavailable, "the lake's answer to the erasure cannot be read"};
  }
  StoreAnswer answer;
  if (!complete->get<bool>()) {
    answer.state = LineState::kOpen;
    answer.note = "waits for " + TextOr(said, "waiting_for", "the lake");
    return answer;  // the call that ends it says how many
  }
  const auto stores = said.find("stores");
  if (stores == said.end() || !stores->is_array()) return answer;
  for (const json& store : *stores) {
    if (!store.is_object()) continue;
    for (const auto& [name, value] : store.items()) {
      if (value.is_number_integer()) answer.counts[name] += value.get<std::int64_t>();
    }
  }
  return answer;
}

Result<StoreAnswer> AreFree(const SubjectParts& parts, const StepView& view,
                            const std::string& folder, const char* remedy) {
  ASSIGN_OR_RETURN(const auto holding, FilesHolding(parts.disk, folder, *view.vehicle));
  StoreAnswer answer;
  if (holding.empty()) return answer;
  answer.state = LineState::kOpen;
  answer.note = fmt::format("{} files still hold it; {}", holding.size(), remedy);
  return answer;
}

// When the door wrote its last record under the reference, at the latest.
Micros LastWrite(const ErasureJob& job) {
  const JobLine* registry = job.Find(store_name::kRegistry);
  const bool is_gone = registry != nullptr && registry->closed();
  return (is_gone ? registry->changed_at : job.asked_at) + kAfterTheDoor;
}

// The oldest record kept in any shard; nullopt when nothing is kept.
Result<std::optional<Micros>> OldestKept(Disk& disk, const std::string& dir,
                                         const std::string& stream) {
  const auto shape = log::DescribeLog(disk, dir);
  if (!shape.ok() && shape.error().code == Code::kNotFound) return std::optional<Micros>();
  if (!shape.ok()) return shape.error();
  std::optional<Micros> oldest;
  for (std::uint16_t shard = 0; shard < shape->shards; ++shard) {
    ASSIGN_OR_RETURN(const auto reader, log::Reader::Open(disk, dir, stream, ShardId{shard}, {}));
    ASSIGN_OR_RETURN(const log::RecordView* const record, reader->Next());
    if (record == nullptr) continue;
    oldest = std::min(oldest.value_or(record->log_time), record->log_time);
  }
  return oldest;
}

Result<StoreAnswer> AgesOut(const SubjectParts& parts, const StepView& view,
                            const std::vector<std::string>& logs, const std::string& stream,
                            std::uint32_t hours) {
  const Micros last = LastWrite(view.job);
  StoreAnswer answer{.state = LineState::kAgesOut,
                     .counts = {},
                     .note = {},
                     .due_by = last + Micros{hours * kHourUs}};
  const JobLine* registry = view.job.Find(store_name::kRegistry);
  if (registry == nullptr || !registry->closed()) return answer;
  if (parts.clock.NowUtc() < answer.due_by) return answer;
  for (const std::string& dir : logs) {
    ASSIGN_OR_RETURN(const auto oldest, OldestKept(parts.disk, dir, stream));
    if (!oldest || *oldest > last) continue;
    answer.note =
        "a segment with records of that time is still kept: it goes when its newest "
        "record is old enough and every reader has passed it";
    return answer;
  }
  answer.state = LineState::kDone;
  return answer;
}

Result<StoreAnswer> JournalsAgeOut(const SubjectParts& parts, const StepView& view) {
  std::vector<std::string> logs;
  const auto releases = parts.disk.List(parts.paths.journal());
  if (!releases.ok() && releases.error().code != Code::kNotFound) return releases.error();
  if (releases.ok()) {
    for (const std::string& name : *releases) logs.push_back(parts.paths.journal() + "/" + name);
  }
  return AgesOut(parts, view, logs, "journal", parts.config.log_retention_hours);
}

using Act = Result<StoreAnswer> (*)(const SubjectParts&, const StepView&);
StoreStep StepOf(SubjectParts& parts, const char* store, Act act) {
  return {.store = store, .needs_vehicle = true, .act = [&parts, act](const StepView& view) {
            return act(parts, view);
          }};
}

StoreStep StreamStep(SubjectParts& parts, const char* store, const char* stream,
                     std::uint32_t hours) {
  return {
      .store = store, .needs_vehicle = false, .act = [&parts, stream, hours](const StepView& view) {
        return AgesOut(parts, view, {parts.paths.data() + "/" + kFolderOfStreams}, stream, hours);
      }};
}

}  // namespace

std::vector<StoreStep> ErasureSteps(SubjectParts& parts) {
  const auto snapshots = [&parts](const StepView& view) {
    return AreFree(parts, view, parts.paths.worker(),
                   "a worker that runs writes them anew within seconds");
  };
  const auto gate = [&parts](const StepView& view) {
    return AreFree(parts, view, parts.paths.data() + "/gate",
                   "the role gate that runs takes it out within seconds");
  };
  const auto handoffs = [&parts](const StepView& view) {
    return AreFree(parts, view, parts.paths.lake() + "/handoff",
                   "the committer takes them when the lake goes on");
  };
  return {
      StepOf(parts, store_name::kList, AddToList),
      StepOf(parts, store_name::kVaultKeys, EraseVaultKeys),
      StepOf(parts, store_name::kRegistry, EraseRegistryRow),
      // It counts before the alerts go, and then waits for a person without the reference.
      {.store = store_name::kRecipients,
       .needs_vehicle = false,
       .act = [&parts](const StepView& view) { return FindRecipients(parts, view); }},
      StepOf(parts, store_name::kAlerts, EraseAlerts),
      StepOf(parts, store_name::kLake, EraseInLake),
      {.store = store_name::kSnapshots, .needs_vehicle = true, .act = snapshots},
      {.store = store_name::kGate, .needs_vehicle = true, .act = gate},
      {.store = store_name::kHandoffs, .needs_vehicle = true, .act = handoffs},
      StepOf(parts, store_name::kVaultFiles, EraseVaultFiles),
      StreamStep(parts, store_name::kSafety, "safety", parts.config.log_retention_hours),
      StreamStep(parts, store_name::kTelemetry, "telemetry", parts.config.log_retention_hours),
      StreamStep(parts, store_name::kSealed, "sealed", parts.config.log_sealed_retention_hours),
      {.store = store_name::kJournals,
       .needs_vehicle = false,
       .act = [&parts](const StepView& view) { return JournalsAgeOut(parts, view); }},
  };
}

namespace {

Result<bool> Holds(Disk& disk, const std::string& path, const VehicleRef& vehicle) {
  const auto file = disk.Open(path, OpenMode::kRead);
  // Removed or replaced meanwhile: the next look sees what is there then.
  if (!file.ok() && file.error().code == Code::kNotFound) return false;
  if (!file.ok()) return file.error();
  const std::string raw(AsText(vehicle.bytes));
  const std::string hex = vehicle.ToHex();
  std::string piece(kPieceBytes, '\0');
  std::uint64_t at = 0;
  while (true) {
    ASSIGN_OR_RETURN(
        const std::size_t got,
        (*file)->ReadAt(at, {reinterpret_cast<std::uint8_t*>(piece.data()), piece.size()}));
    const std::string_view seen(piece.data(), got);
    if (seen.find(raw) != std::string_view::npos || seen.find(hex) != std::string_view::npos) {
      return true;
    }
    if (got < piece.size()) return false;
    at += got - hex.size();  // what lies across two pieces is seen whole in the next
  }
}

Status Look(Disk& disk, const std::string& folder, const VehicleRef& vehicle, int depth,
            std::vector<std::string>& found) {
  const auto names = disk.List(folder);
  if (!names.ok() && names.error().code == Code::kNotFound) return Ok();
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    if (depth < kFoldersDeep && disk.List(path).ok()) {
      RETURN_IF_ERROR(Look(disk, path, vehicle, depth + 1, found));
      continue;
    }
    ASSIGN_OR_RETURN(const bool holds, Holds(disk, path, vehicle));
    if (holds) found.push_back(path);
  }
  return Ok();
}

}  // namespace

Result<std::vector<std::string>> FilesHolding(Disk& disk, const std::string& folder,
                                              const VehicleRef& vehicle) {
  std::vector<std::string> found;
  RETURN_IF_ERROR(Look(disk, folder, vehicle, 0, found));
  return found;
}

}  // namespace telltale::app
