// The two processes that keep a SQLite database: publisher and registry.
#include <fmt/format.h>

#include "base/format_version.h"
#include "internal/v1/internal.pb.h"
#include "platform.h"

namespace telltale::power {
namespace {

constexpr const char* kAlerts = "/data/publish/alerts.db";
constexpr const char* kRegistry = "/data/registry/registry.db";

// For questions that the modules do not ask, at the version that they write.
Result<store::Database> OpenRaw(const std::string& path, Format format, const store::DiskVfs& vfs) {
  const std::vector<const char*> steps(VersionOf(format).written, "");
  ASSIGN_OR_RETURN(
      store::Database database,
      store::Database::Open(path, {.migrations = steps, .read_only = true, .vfs = &vfs}));
  ASSIGN_OR_RETURN(store::Statement check, database.Prepare("PRAGMA integrity_check"));
  ASSIGN_OR_RETURN(const bool row, check.Step());
  if (!row || check.Text(0) != "ok") {
    return Error{Code::kCorrupt, path + ": " + std::string(check.Text(0))};
  }
  return database;
}

// Changes in the store by output and revision: how often.
using Times = std::map<std::pair<std::string, std::int64_t>, std::int64_t>;

Result<Times> ReadTimes(const store::DiskVfs& vfs) {
  ASSIGN_OR_RETURN(store::Database database, OpenRaw(kAlerts, Format::kAlertsDb, vfs));
  ASSIGN_OR_RETURN(store::Statement rows,
                   database.Prepare("SELECT output_id, revision, count(*) FROM alert_changes "
                                    "GROUP BY output_id, revision"));
  Times times;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return times;
    times[{std::string(rows.Blob(0)), rows.Int(1)}] = rows.Int(2);
  }
}

internal::v1::JournalEntry::Output OutputOf(const std::string& entry_bytes) {
  internal::v1::JournalEntry entry;
  CHECK(entry.ParseFromString(entry_bytes) && entry.has_output());
  return entry.output();
}

std::pair<std::string, std::int64_t> KeyOf(const internal::v1::JournalEntry::Output& output) {
  return {output.alert().output_id(), output.alert().revision()};
}

}  // namespace

Status Platform::StartRegistry() {
  if (registry_) return Ok();
  ASSIGN_OR_RETURN(registry::Registry opened,
                   registry::Registry::Open(kRegistry, references_, clock_, &vfs_));
  registry_ = std::make_unique<registry::Registry>(std::move(opened));
  return Ok();
}

void Platform::StopRegistry() { registry_.reset(); }

Result<std::uint64_t> Platform::CountRegistryChanges() {
  ASSIGN_OR_RETURN(store::Database database, OpenRaw(kRegistry, Format::kRegistryDb, vfs_));
  ASSIGN_OR_RETURN(store::Statement count,
                   database.Prepare("SELECT count(*) FROM vehicle_changes"));
  ASSIGN_OR_RETURN(const bool row, count.Step());
  CHECK(row);
  return static_cast<std::uint64_t>(count.Int(0));
}

Status Platform::StartPublisher() {
  if (publisher_) return Ok();
  ASSIGN_OR_RETURN(publish::AlertStore store, publish::AlertStore::Open(kAlerts, &vfs_));
  RETURN_IF_ERROR(store.InstallAuthority(kRelease, kPartitions));
  ASSIGN_OR_RETURN(publish::AlertStore reader, publish::AlertStore::OpenReadOnly(kAlerts, &vfs_));
  const publish::PublisherOptions options{.journal_dir = "/data/journal",
                                          .positions_dir = "/data/positions",
                                          .partitions = kPartitions,
                                          .shards = kShards};
  auto publisher = std::make_unique<publish::Publisher>(options, std::move(store), disk_, clock_,
                                                        counters_, [this] { (void)ShowChanges(); });
  ASSIGN_OR_RETURN(const bool may, publisher->LoadAuthority());
  CHECK(may);
  feed_.emplace(std::move(reader));
  publisher_ = std::move(publisher);
  return Ok();
}

void Platform::StopPublisher() {
  feed_.reset();
  publisher_.reset();
}

// As the feed does when it hears of a commit.
Status Platform::ShowChanges() {
  const std::uint64_t last = shown_.empty() ? 0 : shown_.back().number;
  ASSIGN_OR_RETURN(auto changes, feed_->ChangesAfter(last, SIZE_MAX));
  std::move(changes.begin(), changes.end(), std::back_inserter(shown_));
  return Ok();
}

Result<bool> Platform::StepPublisher() {
  auto more = publisher_->RunOnce();
  if (more.ok() || more.error().code != Code::kRefused) return more;
  ASSIGN_OR_RETURN(const bool may, publisher_->LoadAuthority());
  return may;
}

Status Platform::SavePublisherPositions() { return publisher_->SavePositions(); }

Result<std::string> Platform::CheckAlertStore() {
  ASSIGN_OR_RETURN(publish::AlertStore store, publish::AlertStore::OpenReadOnly(kAlerts, &vfs_));
  ASSIGN_OR_RETURN(const auto there, store.ChangesAfter(0, SIZE_MAX));
  for (std::size_t i = 0; i < shown_.size(); ++i) {
    if (i < there.size() && there[i].number == shown_[i].number &&
        there[i].data == shown_[i].data) {
      continue;
    }
    return fmt::format("the feed showed change {} and does not any more", shown_[i].number);
  }
  return CheckPlaces(store);
}

// What a place covers is in the store, once; the place that the log may forget below is no further.
Result<std::string> Platform::CheckPlaces(publish::AlertStore& store) {
  ASSIGN_OR_RETURN(const auto places, store.ReadPositions());
  ASSIGN_OR_RETURN(const Times times, ReadTimes(vfs_));
  for (const auto& [key, count] : times) {
    if (count != 1)
      return fmt::format("revision {} of an alert is there {} times", key.second, count);
  }
  Found found;
  const Status outputs = FindAlerts(found);
  // A cut before the worker's first journal: no place may say anything yet.
  if (!outputs.ok() && (outputs.error().code != Code::kNotFound || !times.empty())) {
    return outputs.error();
  }
  for (const auto& [name, bytes] : found.alerts) {
    const auto output = OutputOf(bytes);
    const auto place = places.find(PartitionId{static_cast<std::uint16_t>(output.partition())});
    if (place == places.end() || Offset{output.input_offset()} >= place->second) continue;
    if (!times.contains(KeyOf(output))) return "published and lost: output " + name;
  }
  for (std::uint16_t shard = 0; shard < kShards; ++shard) {
    const auto saved =
        log::LoadPosition(disk_, "/data/positions", "publisher", "safety", ShardId{shard});
    if (!saved.ok() && saved.error().code == Code::kNotFound) continue;
    RETURN_IF_ERROR(saved.ok() ? Ok() : Status(saved.error()));
    for (std::uint16_t p = 0; p < kPartitions; ++p) {
      const auto place = places.find(PartitionId{p});
      if (saved->next[p] > (place == places.end() ? Offset{} : place->second)) {
        return fmt::format("the place of partition {} is beyond its alerts", p);
      }
    }
  }
  return std::string();
}

// In the end: every output that may be forwarded, once, and nothing else.
Status Platform::ComparePublished(const Found& found) {
  ASSIGN_OR_RETURN(Times times, ReadTimes(vfs_));
  for (const auto& [name, bytes] : found.alerts) {
    const auto at = times.find(KeyOf(OutputOf(bytes)));
    if (at == times.end()) return Error{Code::kCorrupt, "never published: output " + name};
    if (at->second != 1) return Error{Code::kCorrupt, "published twice: output " + name};
    times.erase(at);
  }
  if (times.empty()) return Ok();
  return Error{Code::kCorrupt, fmt::format("{} changes of no output", times.size())};
}

}  // namespace telltale::power
