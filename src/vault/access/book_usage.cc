// What people used up today, whose reviews are open, which answers are kept.
#include <fmt/format.h>

#include "vault/access/book.h"
#include "vault/access/book_rows.h"

namespace telltale::vault {

using store::Statement;

Result<Usage> Book::UsageNow(const PersonKey& person) {
  ASSIGN_OR_RETURN(Statement read, database_.Prepare("SELECT requests, vehicles, row_count FROM "
                                                     "usage WHERE person = ? AND day = ?"));
  read.BindInt(1, person.number).BindInt(2, Today());
  ASSIGN_OR_RETURN(const bool found, read.Step());
  if (!found) return Usage{};
  return Usage{static_cast<std::uint64_t>(read.Int(0)), static_cast<std::uint64_t>(read.Int(1)),
               static_cast<std::uint64_t>(read.Int(2))};
}

Result<Usage> Book::UsageOf(const PersonKey& person) {
  MutexLock lock(mutex_);
  return UsageNow(person);
}

Status Book::Charge(const PersonKey& person, const Usage& more, const access::Caps& caps) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  ASSIGN_OR_RETURN(Usage now, UsageNow(person));
  now.requests += more.requests;
  now.vehicles += more.vehicles;
  now.rows += more.rows;
  const char* over = now.requests > caps.requests   ? "requests"
                     : now.vehicles > caps.vehicles ? "vehicles"
                     : now.rows > caps.rows         ? "rows"
                                                    : nullptr;
  if (over != nullptr) {
    return Error{Code::kRefused, fmt::format("your {} of this day are used up; more from 00:00 UTC "
                                             "on, or ask for less",
                                             over)};
  }
  RETURN_IF_ERROR(
      RunOne("INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?, ?)", [&](Statement& put) {
        put.BindInt(1, person.number)
            .BindInt(2, Today())
            .BindInt(3, static_cast<std::int64_t>(now.requests))
            .BindInt(4, static_cast<std::int64_t>(now.vehicles))
            .BindInt(5, static_cast<std::int64_t>(now.rows));
      }));
  return transaction.Commit();
}

Status Book::GiveBackRows(const PersonKey& person, std::uint64_t rows) {
  MutexLock lock(mutex_);
  return RunOne("UPDATE usage SET row_count = max(0, row_count - ?) WHERE person = ? AND day = ?",
                [&](Statement& put) {
                  put.BindInt(1, static_cast<std::int64_t>(rows))
                      .BindInt(2, person.number)
                      .BindInt(3, Today());
                });
}

Status Book::OpenReview(RequestId request, const PersonKey& person) {
  MutexLock lock(mutex_);
  return RunOne("INSERT INTO reviews (request, person_key, opened_us) VALUES (?, ?, ?)",
                [&](Statement& put) {
                  put.BindInt(1, request.value)
                      .BindText(2, EncodePerson(person))
                      .BindInt(3, clock_.NowUtc().value);
                });
}

Result<std::vector<Review>> Book::OpenReviews() {
  MutexLock lock(mutex_);
  std::vector<Review> reviews;
  ASSIGN_OR_RETURN(Statement read,
                   database_.Prepare("SELECT request, person_key, opened_us FROM reviews WHERE "
                                     "closed_us IS NULL ORDER BY request"));
  while (true) {
    ASSIGN_OR_RETURN(const bool more, read.Step());
    if (!more) return reviews;
    ASSIGN_OR_RETURN(const PersonKey person, DecodePerson(read.Text(1)));
    reviews.push_back({RequestId{read.Int(0)}, person, Micros{read.Int(2)}});
  }
}

Status Book::CloseReview(RequestId request, const PersonKey& closer) {
  MutexLock lock(mutex_);
  return RunOne("UPDATE reviews SET closer_key = ?, closed_us = ? WHERE request = ?",
                [&](Statement& put) {
                  put.BindText(1, EncodePerson(closer))
                      .BindInt(2, clock_.NowUtc().value)
                      .BindInt(3, request.value);
                });
}

Status Book::PutExport(const BookedExport& kept) {
  MutexLock lock(mutex_);
  return RunOne("INSERT OR REPLACE INTO exports VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [&](Statement& put) {
                  put.BindText(1, kept.id)
                      .BindInt(2, kept.request.value)
                      .BindText(3, EncodePerson(kept.requester))
                      .BindText(4, kept.purpose)
                      .BindInt(5, kept.created.value)
                      .BindInt(6, kept.dies_at_hour)
                      .BindBlob(7, kept.secret)
                      .BindInt(8, static_cast<std::int64_t>(kept.rows));
                });
}

namespace {

constexpr std::string_view kExportColumns =
    "SELECT id, request, requester_key, purpose, created_us, dies_at_hour, secret, row_count FROM "
    "exports";

Result<BookedExport> ExportAt(Statement& read) {
  BookedExport kept;
  kept.id = read.Text(0);
  kept.request = RequestId{read.Int(1)};
  ASSIGN_OR_RETURN(kept.requester, DecodePerson(read.Text(2)));
  kept.purpose = read.Text(3);
  kept.created = Micros{read.Int(4)};
  kept.dies_at_hour = read.Int(5);
  kept.secret = read.Blob(6);
  kept.rows = static_cast<std::uint64_t>(read.Int(7));
  return kept;
}

}  // namespace

Result<std::optional<BookedExport>> Book::FindExport(const std::string& id) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(Statement read,
                   database_.Prepare(std::string(kExportColumns) + " WHERE id = ?"));
  read.BindText(1, id);
  ASSIGN_OR_RETURN(const bool found, read.Step());
  if (!found) return std::optional<BookedExport>();
  ASSIGN_OR_RETURN(BookedExport kept, ExportAt(read));
  return std::optional<BookedExport>(std::move(kept));
}

Result<std::vector<BookedExport>> Book::Exports() {
  MutexLock lock(mutex_);
  std::vector<BookedExport> all;
  ASSIGN_OR_RETURN(Statement read,
                   database_.Prepare(std::string(kExportColumns) + " ORDER BY created_us, id"));
  while (true) {
    ASSIGN_OR_RETURN(const bool more, read.Step());
    if (!more) return all;
    ASSIGN_OR_RETURN(BookedExport kept, ExportAt(read));
    all.push_back(std::move(kept));
  }
}

Status Book::RemoveExport(const std::string& id) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(
      RunOne("DELETE FROM exports WHERE id = ?", [&](Statement& put) { put.BindText(1, id); }));
  return database_.EmptyWriteAheadLog();
}

}  // namespace telltale::vault
