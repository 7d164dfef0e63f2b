// The alert store: docs/formats/alerts-db.md. One object belongs to one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/erasure_list.h"
#include "internal/v1/internal.pb.h"
#include "log/log.h"
#include "publish/authority.h"
#include "publish/authority_map.h"
#include "store/sqlite.h"

namespace telltale::publish {

inline constexpr std::size_t kAlertsListedMax = 1000;

using journal::Part;

struct Commitment {
  std::string release;
  std::map<PartitionId, AuthorityEpoch> expected;  // as read; one for each of `parts`
  std::map<PartitionId, Part> parts;
  Micros publish_time;
  ErasureList* erased = nullptr;  // looked at again inside the transaction; null = nobody is
};

struct Committed {
  std::uint64_t opened = 0;   // alerts that were not there before
  std::uint64_t changes = 0;  // rows of alert_changes
  std::uint64_t repeats = 0;
  std::uint64_t superseded = 0;
  std::uint64_t cells_refused = 0;  // finer than level 12: left out
  std::uint64_t erased = 0;         // of vehicles that were erased: left out
  std::uint64_t others = 0;         // of vehicles that another release speaks for: left out
  std::uint64_t continued = 0;      // episodes of the release that go on with another one's alert
  std::uint64_t left_open = 0;      // alerts that were open at a flip and not in the new release
  std::map<PartitionId, Lanes> lanes = {};  // what those of `parts` became
};

// What becomes of some partitions, all in one transaction.
struct AuthorityChange {
  struct One {
    Lanes before;
    Lanes after;
  };
  std::map<PartitionId, One> partitions = {};
  std::string signed_config = {};  // kept as the newest that was taken; "" = the one kept stays
  Wanted wanted = {};              // whose wish it is, for the ledger
  Micros at = {};
};

// Who spoke for which lots of a partition, from which input offset to which.
struct LedgerRow {
  std::uint64_t number = 0;
  PartitionId partition;
  std::uint32_t lot_from = 0;
  std::uint32_t lot_to = 0;
  AuthorityEpoch authority_epoch;
  std::string release;
  Offset from;
  std::optional<Offset> to;  // exclusive; nullopt: in force
  Cohort order;              // gave the lots; of no matter for all of them
  ConfigSeq config_seq;      // 0: not by a config record
  std::string rollout;
  std::uint64_t audit_entry = 0;
  Micros at;  // 0: before this was written down
};

// The config record that was taken last.
struct KeptConfig {
  std::string signed_config;
  std::uint64_t leader_epoch = 0;  // the highest that was ever taken
};

struct JournalPosition {
  std::string release;
  ShardId shard;
  log::Position position;
};

struct VehicleErased {
  std::uint64_t alerts = 0;
  std::uint64_t changes = 0;
};

struct AlertChange {
  std::uint64_t number = 0;
  std::string data;  // one line of JSON
};

class AlertStore {
 public:
  // Makes the file when needed, and its folder on the operating system's disk, which is the one
  // without `vfs`. Errors: store/sqlite.h.
  static Result<AlertStore> Open(const std::string& path, const store::DiskVfs* vfs = nullptr);
  static Result<AlertStore> OpenReadOnly(const std::string& path,
                                         const store::DiskVfs* vfs = nullptr);

  Result<std::map<PartitionId, Lanes>> ReadLanes();
  // Epoch 1 and F = 0 for partitions 0..partitions-1, unless there is any.
  Status InstallAuthority(const std::string& release, std::uint16_t partitions);
  // All of it, with a row in the ledger for each lane that is new, or nothing.
  //   kRefused  the lanes of a partition are not `before` any more: read them again
  Status ChangeAuthority(const AuthorityChange& change);
  Result<std::vector<LedgerRow>> ReadLedger();
  // nullopt: none ever was.
  Result<std::optional<KeptConfig>> ReadConfig();

  // Below which all is published, whoever spoke for it.
  Result<std::map<PartitionId, Offset>> ReadPositions();
  // nullopt: from the beginning.
  Result<std::optional<log::Position>> ReadJournalPosition(const std::string& release,
                                                           ShardId shard);
  // One transaction.
  Status KeepJournalPositions(const std::vector<JournalPosition>& positions);

  // All of it in one transaction, or nothing.
  //   kRefused      the authority over a partition is not the expected one any more, or its lanes
  //                 are not as far as what the parts begin with: read it again
  //   kUnavailable  also: the erasure list cannot be read
  Result<Committed> Commit(const Commitment& commitment);

  // Removes every row of `vehicle`, from the files too: what is freed is overwritten, and what the
  // write-ahead log holds goes into the database and out of the log. Safe to repeat; numbers of
  // changes are not given again. The caller has put the vehicle on the erasure list before, so that
  // no commit brings a row back.
  //   kUnavailable  also: the rows are gone, but somebody reads what the log still holds; again
  Result<VehicleErased> EraseVehicle(const VehicleRef& vehicle);
  // How many rows there are of it.
  Result<VehicleErased> CountVehicle(const VehicleRef& vehicle);
  // The newest version of each of its alerts, a line of JSON each, in order of change.
  Result<std::vector<std::string>> AlertsOf(const VehicleRef& vehicle);

  // The highest number ever given, also when its row is gone.
  Result<std::uint64_t> NewestChange();
  Result<std::vector<AlertChange>> ChangesAfter(std::uint64_t after, std::size_t bytes_max);
  // {"alerts": [...]}, newest change first.
  Result<std::string> ListJson(std::size_t limit);

 private:
  struct Statements;
  explicit AlertStore(store::Database database) : database_(std::move(database)) {}
  Status Prepare(bool read_only);
  Status PrepareAuthority();
  Status CommitPart(const Commitment& commitment, PartitionId partition, const Part& part,
                    Committed& done);
  Status PrepareEpisodes();
  Status Publish(const Commitment& commitment, const Lanes& lanes, const Part& part,
                 Committed& done);
  Status Upsert(const Commitment& commitment, const Authority& authority,
                const internal::v1::JournalEntry::Output& output, Committed& done);
  struct Version;
  struct Name;
  Result<Version> VersionOf(std::string_view output_id);
  Result<Name> NameOf(const Authority& authority, const internal::v1::JournalEntry::Output& output,
                      Committed& done);
  Result<std::optional<std::string>> FindOpen(const Authority& authority,
                                              const internal::v1::JournalEntry::Output& output,
                                              Committed& done);
  Result<bool> SpokeUntilTheFlip(const std::string& before, Offset from, const std::string& release,
                                 const internal::v1::JournalEntry::Output& output);
  Result<Lanes> ReadLanesOf(PartitionId partition);
  Result<std::int64_t> NumberOfOrder(const Cohort& order);
  Result<Cohort> OrderOf(std::int64_t number);
  Status ReplaceLanes(PartitionId partition, const AuthorityChange::One& one, const Wanted& wanted,
                      Micros at);
  Status WriteNext(PartitionId partition, const Lanes& before, const Lanes& after);

  // The statements die before their database.
  store::Database database_;
  std::shared_ptr<Statements> statements_;
  std::map<std::int64_t, Cohort> orders_;
};

}  // namespace telltale::publish
