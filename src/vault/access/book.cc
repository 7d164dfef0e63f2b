#include "vault/access/book.h"

#include <fmt/format.h>

#include <array>

#include "vault/access/book_rows.h"

namespace telltale::vault {
namespace {

using nlohmann::json;
using store::Database;
using store::Statement;
using store::Transaction;

constexpr std::int32_t kApplicationId = 0x54544143;  // "TTAC"
constexpr std::int64_t kDayUs = 86'400 * 1'000'000ll;

constexpr const char* kMigrations[] = {R"(
CREATE TABLE policy (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT NOT NULL,
  editor TEXT NOT NULL, since_us INTEGER NOT NULL);
CREATE TABLE requests (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL,
  hash TEXT NOT NULL, requester INTEGER NOT NULL, requester_key TEXT NOT NULL,
  at_us INTEGER NOT NULL, state TEXT NOT NULL, result TEXT NOT NULL DEFAULT '',
  forgotten INTEGER NOT NULL DEFAULT 0);
CREATE TABLE request_vehicles (request INTEGER NOT NULL, position INTEGER NOT NULL, ref BLOB,
  PRIMARY KEY (request, position));
CREATE TABLE approvals (request INTEGER NOT NULL, person INTEGER NOT NULL,
  person_key TEXT NOT NULL, hash TEXT NOT NULL, at_us INTEGER NOT NULL,
  PRIMARY KEY (request, person));
CREATE TABLE usage (person INTEGER NOT NULL, day INTEGER NOT NULL, requests INTEGER NOT NULL,
  vehicles INTEGER NOT NULL, row_count INTEGER NOT NULL, PRIMARY KEY (person, day));
CREATE TABLE reviews (request INTEGER PRIMARY KEY, person_key TEXT NOT NULL,
  opened_us INTEGER NOT NULL, closer_key TEXT, closed_us INTEGER);
CREATE TABLE exports (id TEXT PRIMARY KEY, request INTEGER NOT NULL, requester_key TEXT NOT NULL,
  purpose TEXT NOT NULL, created_us INTEGER NOT NULL, dies_at_hour INTEGER NOT NULL,
  secret BLOB NOT NULL, row_count INTEGER NOT NULL);
)"};

constexpr std::array kStates = {RequestState::kWaiting, RequestState::kApproved,
                                RequestState::kRunning, RequestState::kDone,
                                RequestState::kRefused, RequestState::kLapsed};

RequestState StateOf(std::string_view name) {
  for (const RequestState state : kStates) {
    if (StateName(state) == name) return state;
  }
  return RequestState::kRefused;  // unknown: nothing can be done with it
}

std::string StampOf(RequestId id, const PersonKey& requester, Micros at) {
  return fmt::format("{} {} {}", id.value, requester.number, at.value);
}

std::string Text(const json& value) {
  return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

}  // namespace

std::string_view StateName(RequestState state) {
  switch (state) {
    case RequestState::kWaiting:
      return "waiting";
    case RequestState::kApproved:
      return "approved";
    case RequestState::kRunning:
      return "running";
    case RequestState::kDone:
      return "done";
    case RequestState::kRefused:
      return "refused";
    case RequestState::kLapsed:
      return "lapsed";
  }
  return "none";
}

Result<std::unique_ptr<Book>> Book::Open(const std::string& path, const store::DiskVfs* vfs,
                                         Clock& clock) {
  ASSIGN_OR_RETURN(Database database, Database::Open(path, {.application_id = kApplicationId,
                                                            .migrations = kMigrations,
                                                            .permissions = 0600,
                                                            .overwrite_deleted = true,
                                                            .vfs = vfs}));
  return std::unique_ptr<Book>(new Book(std::move(database), clock));
}

std::int64_t Book::Today() const { return clock_.NowUtc().value / kDayUs; }

Status Book::RunOne(std::string_view sql, const std::function<void(Statement&)>& bind) {
  ASSIGN_OR_RETURN(Statement statement, database_.Prepare(sql));
  bind(statement);
  return statement.Run();
}

Result<std::optional<PolicyInForce>> Book::ReadPolicyInForce() {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(Statement read, database_.Prepare("SELECT text, editor, since_us FROM policy"));
  ASSIGN_OR_RETURN(const bool found, read.Step());
  if (!found) return std::optional<PolicyInForce>();
  ASSIGN_OR_RETURN(const PersonKey editor, DecodePerson(read.Text(1)));
  return std::optional<PolicyInForce>({std::string(read.Text(0)), editor, Micros{read.Int(2)}});
}

Status Book::PutPolicyInForce(const PolicyInForce& policy) {
  MutexLock lock(mutex_);
  return RunOne("INSERT OR REPLACE INTO policy VALUES (1, ?, ?, ?)", [&](Statement& put) {
    put.BindText(1, policy.text)
        .BindText(2, EncodePerson(policy.editor))
        .BindInt(3, policy.since.value);
  });
}

Result<BookedRequest> Book::File(const Request& request, const PersonKey& requester) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(Transaction transaction, database_.Begin());
  RequestId id;
  {
    ASSIGN_OR_RETURN(Statement next,
                     database_.Prepare("SELECT coalesce(max(id), 0) + 1 FROM requests"));
    RETURN_IF_ERROR(next.Step());
    id = RequestId{next.Int(0)};
  }
  const Micros now = clock_.NowUtc();
  const std::string body = Text(request.Body());
  const std::string hash = RequestHash(body, request.query.vehicles, StampOf(id, requester, now));
  RETURN_IF_ERROR(
      RunOne("INSERT INTO requests (id, kind, body, hash, requester, requester_key, at_us, state) "
             "VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting')",
             [&](Statement& put) {
               put.BindInt(1, id.value)
                   .BindText(2, KindName(request.kind))
                   .BindText(3, body)
                   .BindText(4, hash)
                   .BindInt(5, requester.number)
                   .BindText(6, EncodePerson(requester))
                   .BindInt(7, now.value);
             }));
  std::int64_t position = 0;
  for (const VehicleRef& vehicle : request.query.vehicles) {
    RETURN_IF_ERROR(RunOne("INSERT INTO request_vehicles VALUES (?, ?, ?)", [&](Statement& put) {
      put.BindInt(1, id.value).BindInt(2, position++).BindBlob(3, AsText(vehicle.bytes));
    }));
  }
  RETURN_IF_ERROR(transaction.Commit());
  return Load(id);
}

Result<BookedRequest> Book::Load(RequestId id) {
  BookedRequest booked;
  booked.id = id;
  ASSIGN_OR_RETURN(Statement read,
                   database_.Prepare("SELECT body, hash, requester_key, at_us, state, result, "
                                     "forgotten FROM requests WHERE id = ?"));
  read.BindInt(1, id.value);
  ASSIGN_OR_RETURN(const bool found, read.Step());
  if (!found) return Error{Code::kNotFound, fmt::format("there is no request {}", id.value)};
  const std::string body(read.Text(0));
  booked.hash = read.Text(1);
  ASSIGN_OR_RETURN(booked.requester, DecodePerson(read.Text(2)));
  booked.at = Micros{read.Int(3)};
  booked.state = StateOf(read.Text(4));
  booked.result = read.Text(5);
  booked.forgotten = read.Int(6) != 0;
  ASSIGN_OR_RETURN(std::vector<VehicleRef> vehicles, ReadVehicles(database_, id.value));
  if (!booked.forgotten &&
      RequestHash(body, vehicles, StampOf(id, booked.requester, booked.at)) != booked.hash) {
    return Error{Code::kCorrupt, fmt::format("request {} is not what was asked for: its hash does "
                                             "not fit its content",
                                             id.value)};
  }
  // A forgotten one may lack every vehicle, which no request does: only its words are left.
  if (booked.forgotten && vehicles.empty()) vehicles.emplace_back();
  ASSIGN_OR_RETURN(booked.request, Request::FromBody(json::parse(body, nullptr, false), vehicles));
  if (booked.forgotten) booked.request.query.vehicles.clear();
  ASSIGN_OR_RETURN(Statement votes,
                   database_.Prepare("SELECT person_key, at_us FROM approvals WHERE request = ? "
                                     "AND hash = ? ORDER BY at_us"));
  votes.BindInt(1, id.value).BindText(2, booked.hash);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, votes.Step());
    if (!more) return booked;
    ASSIGN_OR_RETURN(const PersonKey person, DecodePerson(votes.Text(0)));
    booked.approvals.push_back({person, Micros{votes.Int(1)}});
  }
}

Result<BookedRequest> Book::Find(RequestId id) {
  MutexLock lock(mutex_);
  return Load(id);
}

Result<std::vector<BookedRequest>> Book::List(std::uint64_t limit) {
  MutexLock lock(mutex_);
  std::vector<RequestId> ids;
  {
    ASSIGN_OR_RETURN(Statement read,
                     database_.Prepare("SELECT id FROM requests ORDER BY id DESC LIMIT ?"));
    read.BindInt(1, static_cast<std::int64_t>(limit));
    while (true) {
      ASSIGN_OR_RETURN(const bool more, read.Step());
      if (!more) break;
      ids.push_back(RequestId{read.Int(0)});
    }
  }
  std::vector<BookedRequest> requests;
  for (const RequestId id : ids) {
    Result<BookedRequest> one = Load(id);
    // One that was changed must not hide the others; whoever names it is told.
    if (!one.ok() && one.error().code == Code::kCorrupt) continue;
    if (!one.ok()) return one.error();
    requests.push_back(std::move(one).value());
  }
  return requests;
}

Status Book::Approve(RequestId id, const PersonKey& person) {
  MutexLock lock(mutex_);
  return RunOne(
      "INSERT OR REPLACE INTO approvals SELECT id, ?, ?, hash, ? FROM requests WHERE id = ?",
      [&](Statement& put) {
        put.BindInt(1, person.number)
            .BindText(2, EncodePerson(person))
            .BindInt(3, clock_.NowUtc().value)
            .BindInt(4, id.value);
      });
}

Status Book::Begin(RequestId id) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(
      RunOne("UPDATE requests SET state = 'running' WHERE id = ? AND state IN "
             "('waiting', 'approved') AND forgotten = 0",
             [&](Statement& put) { put.BindInt(1, id.value); }));
  if (database_.changes() == 1) return Ok();
  return Error{Code::kRefused, fmt::format("request {} was answered already; ask anew", id.value)};
}

Status Book::SetState(RequestId id, RequestState state, const std::string& result) {
  MutexLock lock(mutex_);
  return RunOne("UPDATE requests SET state = ?, result = ? WHERE id = ?", [&](Statement& put) {
    put.BindText(1, StateName(state)).BindText(2, result).BindInt(3, id.value);
  });
}

Result<std::vector<RequestId>> Book::EndInterrupted() {
  MutexLock lock(mutex_);
  std::vector<RequestId> ids;
  {
    ASSIGN_OR_RETURN(Statement read,
                     database_.Prepare("SELECT id FROM requests WHERE state = 'running'"));
    while (true) {
      ASSIGN_OR_RETURN(const bool more, read.Step());
      if (!more) break;
      ids.push_back(RequestId{read.Int(0)});
    }
  }
  RETURN_IF_ERROR(database_.Execute(
      "UPDATE requests SET state = 'done', result = 'interrupted' WHERE state = 'running'"));
  return ids;
}

Result<std::vector<std::string>> Book::Forget(const VehicleRef& vehicle) {
  MutexLock lock(mutex_);
  std::vector<std::string> exports;
  ASSIGN_OR_RETURN(Transaction transaction, database_.Begin());
  {
    ASSIGN_OR_RETURN(Statement read,
                     database_.Prepare("SELECT id FROM exports WHERE request IN (SELECT request "
                                       "FROM request_vehicles WHERE ref = ?)"));
    read.BindBlob(1, AsText(vehicle.bytes));
    while (true) {
      ASSIGN_OR_RETURN(const bool more, read.Step());
      if (!more) break;
      exports.emplace_back(read.Text(0));
    }
  }
  const auto bind = [&](Statement& put) { put.BindBlob(1, AsText(vehicle.bytes)); };
  RETURN_IF_ERROR(
      RunOne("DELETE FROM exports WHERE request IN (SELECT request FROM "
             "request_vehicles WHERE ref = ?)",
             bind));
  RETURN_IF_ERROR(
      RunOne("UPDATE requests SET forgotten = 1 WHERE id IN (SELECT request FROM "
             "request_vehicles WHERE ref = ?)",
             bind));
  RETURN_IF_ERROR(
      RunOne("UPDATE requests SET state = 'lapsed', result = 'vehicle_erased' WHERE "
             "state IN ('waiting', 'approved') AND id IN (SELECT request FROM "
             "request_vehicles WHERE ref = ?)",
             bind));
  RETURN_IF_ERROR(RunOne("UPDATE request_vehicles SET ref = NULL WHERE ref = ?", bind));
  RETURN_IF_ERROR(transaction.Commit());
  RETURN_IF_ERROR(database_.EmptyWriteAheadLog());
  return exports;
}

}  // namespace telltale::vault
