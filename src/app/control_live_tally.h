// What the releases of one environment concluded and published, rule by rule, for the page
// (docs/control-page.md). Each look goes on where the last one stopped, so a look is short whatever
// there is to count; a count that is not through yet says so.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/cohort.h"
#include "base/disk.h"
#include "log/log.h"
#include "publish/alert_store.h"

namespace telltale::app {

inline constexpr std::size_t kJournalRecordsPerLook = 100'000;   // of one release
inline constexpr std::size_t kChangesBytesPerLook = 4u << 20;    // of the alert store
inline constexpr std::uint64_t kChangesLookedBackMax = 100'000;  // at the first look

using CountsByRule = std::map<std::string, std::uint64_t>;

// Episodes that one release opened, by its own journal: published or not. One thread.
class OpenedTally {
 public:
  struct Options {
    std::string journal_dir;     // of this release
    Cohort order;                // gives each vehicle its lot
    std::uint32_t lots = kLots;  // vehicles of lower lots are counted
    Micros since;                // receipt time of the first report that is counted
  };
  // `disk` must outlive it.
  OpenedTally(Disk& disk, Options options) : disk_(disk), options_(std::move(options)) {}

  // Reads what is new. Safe to call after an error: it goes on where it can.
  //   kNotFound  no journal yet
  //   else       as log::Reader, the first shard that cannot be read
  Status Look();

  const CountsByRule& counts() const { return counts_; }
  bool is_complete() const { return is_complete_; }  // the last look came to the journal's end
  // Receipt time of the newest report with a conclusion that was counted or looked at.
  std::optional<Micros> newest() const { return newest_; }

 private:
  Status OpenShards();
  Status ReadShard(log::Reader& reader, std::size_t records_max);
  void Take(const log::RecordView& record);

  Disk& disk_;
  const Options options_;
  std::vector<std::unique_ptr<log::Reader>> shards_;
  using Place = std::pair<std::uint64_t, std::uint32_t>;  // input offset, index
  std::map<PartitionId, Place> taken_;  // a worker that was started again writes some twice
  CountsByRule counts_;
  bool is_complete_ = false;
  std::optional<Micros> newest_;
};

// Alerts that were opened at the sinks, by the release that spoke. One thread.
class PublishedTally {
 public:
  // Counts what was published from `since` on.
  explicit PublishedTally(Micros since) : since_(since) {}

  // Errors of the store; safe to call again.
  Status Look(publish::AlertStore& store);

  const CountsByRule& Of(const std::string& release) const;
  bool is_complete() const { return is_complete_; }

 private:
  const Micros since_;
  std::optional<std::uint64_t> after_;  // number of the last change that was looked at
  std::map<std::string, CountsByRule> by_release_;
  bool is_complete_ = false;
};

}  // namespace telltale::app
