// access/ - the one way in to the vault: who may ask, who agreed, what is recorded before a row
// leaves.
//   in      a caller as the transport knows him, and his request as JSON
//   out     messages through Send (docs/formats/vault-socket.md), entries of the audit log
//   owns    <vault>/access.db, <vault>/policy/, <vault>/exports/
//   thread  any; what is decided is decided one at a time, rows stream side by side
//   not here: the transports (vault/service, the HTTP side), frames and keys (vault/)
//
// The order of every answer with rows: policy, book, caps, intent appended and synced (with an
// entry for each vehicle), rows, outcome appended. Whatever cannot be written on the way ends it
// there.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/counters.h"
#include "base/random.h"
#include "vault/access/book.h"
#include "vault/access/exports.h"
#include "vault/audit.h"

namespace telltale::vault {

inline constexpr std::uint64_t kRowsMax = 2'000'000;  // of one answer

using access::Caller;
using access::Policy;

// Takes one message of the answer; an error ends the answer.
using Send = std::function<Status(std::string_view)>;

struct RowStats {
  std::uint64_t repeats = 0;  // same boot, seq and content: left out
  std::uint64_t damaged = 0;  // frames that did not open
};
struct RowQuery {
  VehicleRef vehicle;
  Micros from;
  Micros to;
  std::string frame_class;                           // "data", "quarantine", "unknown"
  std::optional<std::uint64_t> hold = std::nullopt;  // what this hold keeps, else what none does
};

// What the store has of a vehicle, decoded: docs/formats/vault-socket.md, "rows". Any thread.
class RowSource {
 public:
  using TakeRow = std::function<Status(nlohmann::json row)>;
  virtual ~RowSource() = default;
  // Ends at the first error of `take`.
  virtual Status Rows(const RowQuery& query, RowStats& stats, const TakeRow& take) = 0;
};

// What stands for a vehicle in the audit log. Any thread.
class VehicleTags {
 public:
  virtual ~VehicleTags() = default;
  // HMAC-SHA256 of the salt under a key that dies with the vehicle's, 64 hex digits.
  //   kNotFound  the vehicle has no key: never stored, or erased. It has no rows then.
  virtual Result<std::string> Tag(const VehicleRef& vehicle, std::string_view salt) = 0;
};

// What approved requests of the other kinds do. Any thread, one at a time.
class Actions {
 public:
  virtual ~Actions() = default;
  // Before it is booked: whether these params can be carried out at all.
  virtual Status Check(const Request& request) = 0;
  // kHold, kHoldLift, kClockConfirm, with all approvals. `answer` is shown to who ran it.
  virtual Status Run(const BookedRequest& request, nlohmann::json& answer) = 0;
};

// What operators and auditors ask beside rows. Any thread.
class Operator {
 public:
  virtual ~Operator() = default;
  // The vehicle's keys at once, its frames within a day. Safe to repeat: says how far it is.
  virtual Status Erase(const VehicleRef& vehicle, const std::string& job,
                       nlohmann::json& answer) = 0;
  // Its reference is to be kept nowhere any more.
  virtual bool IsErased(const VehicleRef& vehicle) = 0;
  virtual Status ListHolds(nlohmann::json& answer) = 0;
  // In which hours there is, or was, something of the vehicle.
  virtual Status Presence(const VehicleRef& vehicle, nlohmann::json& answer) = 0;
  // `report`, `text`, `exit_code` (ledger/report.h).
  virtual Status MakeReport(std::optional<Micros> at, bool list, nlohmann::json& answer) = 0;
};

struct AccessOptions {
  std::string folder;                                        // the vault's
  std::string policy_file;                                   // taken when none was ever activated
  std::string environment_kind;                              // "prod" is strict
  std::optional<std::uint32_t> platform_uid = std::nullopt;  // may say that a vehicle was erased
  Micros window;  // of positions: no kept answer outlives what it holds
  const store::DiskVfs* vfs = nullptr;
};

// All outlive the door.
struct AccessParts {
  Disk& disk;
  Clock& clock;
  Random& random;
  Counters& counters;
  AuditLog& audit;
  RowSource& rows;
  VehicleTags& tags;
  ExportKeys& export_keys;
  Actions& actions;
  Operator& desk;
};

class AccessDoor {
 public:
  // A first policy that is missing or has mistakes does not fail it: nobody is let in then, and
  // Admit() says why; storing and destroying must go on.
  //   what store/sqlite.h says of the book
  static Result<std::unique_ptr<AccessDoor>> Open(const AccessParts& parts, AccessOptions options);

  // Before anything of a request is read: a stranger is refused, and that is recorded.
  Status Admit(const Caller& caller);
  // Answers one request up to its `end` message. The error is the asker's to see
  // (ErrorMessage()); rows may have gone out before it.
  Status Handle(const Caller& caller, const nlohmann::json& message, const Send& send);

  // The vehicle was erased: its reference leaves the book, answers that hold it leave the disk.
  // What was recorded stays. Safe to repeat.
  Status ForgetVehicle(const VehicleRef& vehicle);
  // Removes kept answers whose hour has begun. Now and then.
  Status RemoveExpiredExports();
  // Kept answers that are there, by id, with the hour they die at.
  std::vector<std::pair<std::string, Hour>> KeptAnswers();

  std::string policy_digest() const;

 private:
  // One request's asker under the policy it was judged by.
  struct Asker {
    const Caller& caller;
    std::shared_ptr<const Policy> policy;
    const access::Person& person;
    PersonKey key() const { return access::KeyOf(person); }
  };
  // What lets a query's rows out.
  struct Permit {
    const access::Purpose* purpose = nullptr;  // of a query
    std::string role;
    access::Approval approval;  // who may agree; approvals_wanted says how many must
    std::size_t approvals_wanted = 0;
    std::size_t approvals = 0;
    bool has_lapsed = false;  // one that would have counted
  };
  // What is recorded when the first row leaves.
  struct Started {
    std::uint64_t intent = 0;
    std::vector<VehicleRef> vehicles;  // of those asked for, the ones that can have rows
  };
  struct Ended {
    std::uint64_t intent = 0;
    RequestId request;
    std::uint64_t rows = 0;
    std::string digest;  // empty: no rows were to be had
    Status status;
  };
  class Answer;
  using Operation = Status (AccessDoor::*)(const Asker&, const nlohmann::json&, const Send&);
  static const std::map<std::string, Operation, std::less<>>& Operations();

  AccessDoor(const AccessParts& parts, AccessOptions options)
      : parts_(parts), options_(std::move(options)) {}
  std::shared_ptr<const Policy> CurrentPolicy() const;
  Result<Asker> AskerOf(const Caller& caller);
  bool IsPlatform(const Caller& caller) const;

  // door.cc
  Status Start();
  Status CheckUnchanged(const Asker& asker) const REQUIRES(deciding_);
  AuditFields Who(const Asker& asker) const;
  void RecordRefusal(const Caller& caller, const access::Person* person, const std::string& reason);
  Status Refuse(const Asker& asker, const std::string& reason, Error error);
  Status Need(const Asker& asker, access::Verb verb);
  Status ShowStatus(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status ListAudit(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status GiveCheckpoint(const Asker& asker, const nlohmann::json& message, const Send& send);
  // door_policy.cc
  Status StartPolicy() REQUIRES(deciding_);
  Status StartFirstPolicy() REQUIRES(deciding_);
  void Adopt(const Policy& policy);
  void Close(const Error& why);
  void TryToReopen();
  Status ShowPolicy(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status ActivatePolicy(const Asker& asker, const nlohmann::json& message, const Send& send);
  Result<bool> IsEditor(const PersonKey& person);
  // door_requests.cc
  Status FileRequest(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status Query(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status RunBooked(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status ListRequests(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status Approve(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status RefuseRequest(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status CloseReview(const Asker& asker, const nlohmann::json& message, const Send& send);
  Result<BookedRequest> Enter(const Asker& asker, const nlohmann::json& message);
  Result<BookedRequest> Wanted(const Asker& asker, const nlohmann::json& message);
  Status Park(const Asker& asker, const BookedRequest& booked, const Permit& permit,
              const Send& send) REQUIRES(deciding_);
  static Status TellParked(const BookedRequest& booked, const Permit& permit, const Send& send);
  Status RunAction(const Asker& asker, const BookedRequest& booked, const Permit& permit,
                   const Send& send) REQUIRES(deciding_);
  // door_permit.cc
  Result<Permit> Judge(const Asker& asker, const BookedRequest& booked) REQUIRES(deciding_);
  Status JudgeQuery(const Asker& asker, const QueryRequest& query, Permit& permit);
  Status JudgeBreakGlass(const Asker& asker, const QueryRequest& query,
                         const access::Purpose& purpose);
  Status JudgeAction(const Asker& asker, RequestKind kind, Permit& permit);
  Status CountApprovals(const Policy& policy, const BookedRequest& booked, Permit& permit);
  // door_answer.cc
  Status RunQuery(const Asker& asker, const BookedRequest& booked, bool is_new, const Send& send);
  Result<std::uint64_t> Record(const Asker& asker, const BookedRequest& booked,
                               const Permit& permit) REQUIRES(deciding_);
  // The vehicles that can have rows.
  Result<std::vector<VehicleRef>> RecordVehicles(const std::vector<VehicleRef>& vehicles,
                                                 std::uint64_t intent);
  Result<Started> StartQuery(const Asker& asker, const BookedRequest& booked, const Permit& permit)
      REQUIRES(deciding_);
  Status Alarm(const Asker& asker, const BookedRequest& booked) REQUIRES(deciding_);
  Status ChargeAndRecord(const Asker& asker, const BookedRequest& booked, const Permit& permit,
                         Started& started) REQUIRES(deciding_);
  Status StillWaits(const BookedRequest& booked, const Permit& permit, const Send& send)
      REQUIRES(deciding_);
  Status KeepAnswer(const BookedRequest& booked, const Permit& permit, BookedExport& kept,
                    std::unique_ptr<ExportWriter>& writer);
  Status StreamVehicles(const BookedRequest& booked, const Permit& permit, const Started& started,
                        Answer& answer);
  Status SendAnswer(const Asker& asker, const BookedRequest& booked, const Permit& permit,
                    const Started& started, const Send& send);
  Result<std::uint64_t> RecordOutcome(const Asker& asker, const Ended& ended);
  // door_exports.cc
  Status ListExports(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status GetExport(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status RemoveExportOf(const Asker& asker, const nlohmann::json& message, const Send& send);
  Result<BookedExport> OwnExport(const Asker& asker, const nlohmann::json& message);
  Status RemoveExportFile(const std::string& id);
  std::string ExportsFolder() const { return options_.folder + "/exports"; }
  // door_operator.cc
  Status EraseVehicle(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status EraseFor(const Caller& caller, const nlohmann::json& message, const Send& send);
  Status ListHolds(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status ShowPresence(const Asker& asker, const nlohmann::json& message, const Send& send);
  Status MakeReport(const Asker& asker, const nlohmann::json& message, const Send& send);
  // door_subject.cc
  Status ExportSubject(const Asker& asker, const nlohmann::json& message, const Send& send);

  AccessParts parts_;
  const AccessOptions options_;
  std::unique_ptr<Book> book_;
  // Held from the look at the policy to the intent: a policy that is activated, a vote and an
  // answer's beginning come one after the other.
  Mutex deciding_;
  mutable Mutex mutex_;
  std::shared_ptr<const Policy> policy_ GUARDED_BY(mutex_);
  std::string closed_ GUARDED_BY(mutex_);  // why nobody is let in, or empty
  struct Refusals {
    Micros since;
    std::uint64_t recorded = 0;
    std::uint64_t left_out = 0;
  };
  std::map<std::string, Refusals> refusals_ GUARDED_BY(mutex_);  // by who
  std::set<std::string> erasing_ GUARDED_BY(mutex_);             // jobs that are recorded
};

// {"kind":"error",…}
std::string ErrorMessage(const Error& error);
// The rows of a `rows` message, one a line; false when it is another message.
bool AppendNdjson(std::string_view message, std::string& out);

}  // namespace telltale::vault
