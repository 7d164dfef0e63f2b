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
#include "store/sqlite.h"

namespace telltale::publish {

inline constexpr std::size_t kAlertsListedMax = 1000;

// What a journal says of one partition, ready to be committed.
struct Part {
  Offset next;  // outputs of all lower input offsets are in `outputs` or were before
  std::vector<internal::v1::JournalEntry::Output> outputs;  // in input order
};

struct Commitment {
  std::string release;
  ShardId shard;
  std::map<PartitionId, Authority> expected;  // as read; one for each of `parts`
  std::map<PartitionId, Part> parts;
  std::optional<log::Position> journal_position;
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

  Result<std::map<PartitionId, Authority>> ReadAuthority();
  // Epoch 1 and F = 0 for partitions 0..partitions-1, unless there is any row.
  Status InstallAuthority(const std::string& release, std::uint16_t partitions);
  // The flip: a higher epoch than the one in force.
  //   kInvalid  the epoch is not higher
  Status SetAuthority(PartitionId partition, const Authority& authority);

  Result<std::map<PartitionId, Offset>> ReadPositions();
  // nullopt: from the beginning.
  Result<std::optional<log::Position>> ReadJournalPosition(const std::string& release,
                                                           ShardId shard);

  // All of it in one transaction, or nothing.
  //   kRefused      an authority row is not the expected one any more: read it again
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
  Status CommitPart(const Commitment& commitment, PartitionId partition, const Part& part,
                    Committed& done);
  Status Upsert(const Commitment& commitment, const Authority& authority,
                const internal::v1::JournalEntry::Output& output, Committed& done);

  // The statements die before their database.
  store::Database database_;
  std::shared_ptr<Statements> statements_;
};

}  // namespace telltale::publish
