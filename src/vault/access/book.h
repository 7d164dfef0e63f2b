// The request book: who asked for what, who said yes or no, what each person used up today, which
// reviews are open, which answers are kept, which policy is in force. SQLite, <vault>/access.db;
// the audit log is what happened, the book is what may happen next. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/sqlite.h"
#include "vault/access/policy.h"
#include "vault/access/request.h"

namespace telltale::vault {

using access::PersonKey;
using RequestId = Tagged<struct RequestIdTag, std::int64_t>;  // from 1

enum class RequestState { kWaiting, kApproved, kRunning, kDone, kRefused, kLapsed };
std::string_view StateName(RequestState state);

struct Vote {
  PersonKey person;
  Micros at;
};

struct BookedRequest {
  RequestId id;
  Request request;
  std::string hash;  // of everything above and below that does not change
  PersonKey requester;
  Micros at;
  RequestState state = RequestState::kWaiting;
  std::string result;  // kDone, kRefused, kLapsed: a word
  std::vector<Vote> approvals;
  bool forgotten = false;  // a vehicle of it was erased: never run again
};

struct Usage {  // of one person and UTC day
  std::uint64_t requests = 0;
  std::uint64_t vehicles = 0;
  std::uint64_t rows = 0;
};

struct Review {
  RequestId request;
  PersonKey person;  // who broke the glass
  Micros opened;
};

struct PolicyInForce {
  std::string text;
  PersonKey editor;  // number 0: the first one, found at the start
  Micros since;
};

struct BookedExport {
  std::string id;  // 32 hex digits
  RequestId request;
  PersonKey requester;
  std::string purpose;
  Micros created;
  std::int64_t dies_at_hour = 0;
  std::string secret;  // 32 bytes; without it the file does not open
  std::uint64_t rows = 0;
};

// Errors of every call: store/sqlite.h. What fails has changed nothing; kOutcomeUnknown is treated
// as a failure by the door, which then lets nothing out.
class Book {
 public:
  // `vfs` null: the operating system's disk. What a crash left running is marked done
  // ("interrupted") and given to `interrupted`.
  static Result<std::unique_ptr<Book>> Open(const std::string& path, const store::DiskVfs* vfs,
                                            Clock& clock);

  Result<std::optional<PolicyInForce>> ReadPolicyInForce();
  Status PutPolicyInForce(const PolicyInForce& policy);

  Result<BookedRequest> File(const Request& request, const PersonKey& requester);
  //   kNotFound  no such request
  //   kCorrupt   its hash is not that of its content
  Result<BookedRequest> Find(RequestId id);
  // Newest first, at most `limit`.
  Result<std::vector<BookedRequest>> List(std::uint64_t limit);
  Status Approve(RequestId id, const PersonKey& person);
  // To kRunning, once: of two who try, one is refused.
  //   kRefused  it is neither waiting nor approved
  Status Begin(RequestId id);
  Status SetState(RequestId id, RequestState state, const std::string& result);
  // Back to what they were when the process ended: all that were running.
  Result<std::vector<RequestId>> EndInterrupted();

  Result<Usage> UsageOf(const PersonKey& person);
  // Adds, or refuses as a whole.
  //   kRefused  over a cap: the message says which, and when it is free again
  Status Charge(const PersonKey& person, const Usage& more, const access::Caps& caps);
  // What was charged ahead and not used.
  Status GiveBackRows(const PersonKey& person, std::uint64_t rows);

  Status OpenReview(RequestId request, const PersonKey& person);
  Result<std::vector<Review>> OpenReviews();
  Status CloseReview(RequestId request, const PersonKey& closer);

  Status PutExport(const BookedExport& kept);
  Result<std::optional<BookedExport>> FindExport(const std::string& id);
  Result<std::vector<BookedExport>> Exports();
  Status RemoveExport(const std::string& id);

  // Takes the vehicle out of every request; the ids of exports that held it are returned, their
  // rows are the caller's to remove. Nothing of the reference is left in the file.
  Result<std::vector<std::string>> Forget(const VehicleRef& vehicle);

 private:
  Book(store::Database database, Clock& clock) : clock_(clock), database_(std::move(database)) {}
  Result<BookedRequest> Load(RequestId id) REQUIRES(mutex_);
  Result<Usage> UsageNow(const PersonKey& person) REQUIRES(mutex_);
  Status RunOne(std::string_view sql, const std::function<void(store::Statement&)>& bind)
      REQUIRES(mutex_);
  std::int64_t Today() const;

  Clock& clock_;
  Mutex mutex_;
  store::Database database_ GUARDED_BY(mutex_);
};

}  // namespace telltale::vault
