#include "vault/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format_version.h"
#include "seal/seal.h"

namespace telltale::vault {
namespace {

constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kLineBytesMax = 64u << 10;
constexpr std::uint32_t kLogMode = 0600;

std::string HashOf(std::string_view previous, std::string_view json) {
  std::string text(previous);
  text += ' ';
  text += json;
  return HexEncode(seal::Sha256(text));
}

// Calls `line` for every whole line; returns how many bytes they take. Reads in pieces: a log
// outgrows memory.
Result<std::uint64_t> ForEachLine(const File& file,
                                  const std::function<void(std::string_view)>& line) {
  std::string pending;
  std::vector<std::uint8_t> piece(256u << 10);
  std::uint64_t at = 0;
  std::uint64_t whole = 0;
  while (true) {
    ASSIGN_OR_RETURN(const std::size_t got, file.ReadAt(at, piece));
    if (got == 0) return whole;
    at += got;
    pending += AsText({piece.data(), got});
    std::size_t start = 0;
    for (std::size_t end = pending.find('\n'); end != std::string::npos;
         end = pending.find('\n', start)) {
      line(std::string_view(pending).substr(start, end - start));
      whole += end - start + 1;
      start = end + 1;
    }
    pending.erase(0, start);
    if (pending.size() > kLineBytesMax) {
      return Error{Code::kCorrupt, "a line is longer than any entry"};
    }
  }
}

std::string EntryJson(std::uint64_t number, Micros at, const std::string& event,
                      const AuditFields& fields) {
  AuditFields all = fields;
  all.emplace_back("n", std::to_string(number));
  all.emplace_back("at", AuditText(FormatUtc(at)));
  all.emplace_back("event", AuditText(event));
  std::sort(all.begin(), all.end());
  std::string json = "{";
  for (const auto& [key, value] : all) {
    if (json.size() > 1) json += ',';
    json += AuditText(key) + ':' + value;
  }
  return json + "}";
}

}  // namespace

std::string AuditText(std::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

bool AuditChain::Broken(const std::string& what) {
  problem_ = fmt::format("entry {}: {}", head_.entries + 1, what);
  return false;
}

bool AuditChain::Add(std::string_view line) {
  if (!problem_.empty()) return false;
  if (line.size() < kHashDigits + 2 || line[kHashDigits] != ' ') {
    return Broken("not a line of the audit log");
  }
  const std::string_view json = line.substr(kHashDigits + 1);
  const std::string hash = HashOf(head_.hash, json);
  if (line.substr(0, kHashDigits) != hash) {
    return Broken("the hash does not follow from the entries before: edited, removed or inserted");
  }
  const auto entry = nlohmann::json::parse(json, nullptr, false);
  if (!entry.is_object() || !entry.contains("n") || !entry["n"].is_number_unsigned() ||
      entry["n"].get<std::uint64_t>() != head_.entries + 1) {
    return Broken("its number is not the next one");
  }
  // Whoever opens the log says first in which version it goes on.
  if (entry.contains("v")) {
    const std::uint64_t version =
        entry["v"].is_number_unsigned() ? entry["v"].get<std::uint64_t>() : 0;
    if (version == 0) return Broken("its version is not a number from 1 on");
    const Status readable = CheckReadable(Format::kAuditLog, "the audit log", version, version);
    if (!readable.ok()) return Broken(readable.error().message);
  }
  ++head_.entries;
  head_.hash = hash;
  return true;
}

Result<std::unique_ptr<AuditLog>> AuditLog::Open(Disk& disk, Clock& clock, std::string folder,
                                                 const AuditHead& recorded) {
  RETURN_IF_ERROR(disk.MakeFolders(folder, 0700));
  std::unique_ptr<AuditLog> log(new AuditLog(disk, clock, folder + "/audit.log"));
  const bool is_new = !disk.Exists(log->path_);
  if (is_new) {
    ASSIGN_OR_RETURN(const auto file, disk.Open(log->path_, OpenMode::kCreate, kLogMode));
    RETURN_IF_ERROR(file->Sync());
    RETURN_IF_ERROR(disk.SyncFolder(folder));
  }
  RETURN_IF_ERROR(log->Recover(recorded));
  return log;
}

namespace {

// A line that power loss left half written can lack its beginning and have its end: the disk writes
// sectors in any order, and what it did not write reads as zeros, which no entry has.
Result<bool> IsTorn(const File& file, std::uint64_t from, std::uint64_t size) {
  if (size - from > kLineBytesMax) return false;
  std::string rest(size - from, '\0');
  ASSIGN_OR_RETURN(const std::size_t got,
                   file.ReadAt(from, {reinterpret_cast<std::uint8_t*>(rest.data()), rest.size()}));
  return std::string_view(rest).substr(0, got).find('\0') != std::string_view::npos;
}

}  // namespace

Status AuditLog::Recover(const AuditHead& recorded) {
  ASSIGN_OR_RETURN(const auto file, disk_.Open(path_, OpenMode::kReadWrite, kLogMode));
  AuditChain chain;
  std::string last;
  std::uint64_t good = 0;  // bytes of the lines before the first that breaks the chain
  std::string at_recorded = recorded.entries == 0 ? recorded.hash : "";
  const Result<std::uint64_t> read = ForEachLine(*file, [&](std::string_view line) {
    if (chain.Add(line)) {
      last = line;
      good += line.size() + 1;
    }
    if (chain.head().entries == recorded.entries) at_recorded = chain.head().hash;
  });
  if (!read.ok() && read.error().code != Code::kCorrupt) return read.error();
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  std::uint64_t whole = read.ok() ? *read : size;
  std::string problem = read.ok() ? chain.problem() : read.error().message;
  if (!problem.empty()) {
    ASSIGN_OR_RETURN(const bool is_torn, IsTorn(*file, good, size));
    if (is_torn) {
      whole = good;
      problem.clear();
    }
  }
  // A torn append: nothing was answered on its account.
  if (size > whole && problem.empty()) {
    RETURN_IF_ERROR(file->Truncate(whole));
    RETURN_IF_ERROR(file->Sync());
  }
  MutexLock lock(mutex_);
  head_ = chain.head();
  size_ = whole;
  last_line_ = last.empty() ? "" : last + "\n";
  problem_ = problem;
  if (problem_.empty() && chain.head().entries < recorded.entries) {
    problem_ =
        fmt::format("the log ends at entry {} but had {}", chain.head().entries, recorded.entries);
  } else if (problem_.empty() && at_recorded != recorded.hash) {
    problem_ = fmt::format("entry {} is not the one that was written", recorded.entries);
  }
  return Ok();
}

Status AuditLog::CheckUntouched(File& file) {
  ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  std::string tail(last_line_.size(), '\0');
  if (size == size_) {
    ASSIGN_OR_RETURN(const std::size_t got,
                     file.ReadAt(size_ - tail.size(),
                                 {reinterpret_cast<std::uint8_t*>(tail.data()), tail.size()}));
    tail.resize(got);
  }
  if (size != size_ || tail != last_line_) {
    return Error{Code::kCorrupt,
                 "the audit log is not as this process left it; nothing is answered until it is"};
  }
  return Ok();
}

// After a disk error, when the disk works again: only bytes that are ours are taken back. Anything
// else is left for CheckUntouched() to refuse.
Status AuditLog::RemoveFailedLine(File& file) {
  if (failed_line_.empty()) return Ok();
  ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (size > size_ && size - size_ <= failed_line_.size()) {
    std::string rest(size - size_, '\0');
    ASSIGN_OR_RETURN(
        const std::size_t got,
        file.ReadAt(size_, {reinterpret_cast<std::uint8_t*>(rest.data()), rest.size()}));
    rest.resize(got);
    if (failed_line_.starts_with(rest)) {
      RETURN_IF_ERROR(file.Truncate(size_));
      RETURN_IF_ERROR(file.Sync());
    }
  }
  failed_line_.clear();
  return Ok();
}

Result<std::uint64_t> AuditLog::Append(const std::string& event, const AuditFields& fields) {
  MutexLock lock(mutex_);
  if (!problem_.empty()) {
    return Error{Code::kCorrupt,
                 "the audit log fails its check, so nothing is answered: " + problem_};
  }
  // By path every time: a log that was removed or replaced must not go on in a file nobody sees.
  Result<std::unique_ptr<File>> opened = disk_.Open(path_, OpenMode::kReadWrite, kLogMode);
  if (!opened.ok()) {
    return Error{Code::kUnavailable, "the audit log cannot be written: " + opened.error().message};
  }
  File& file = **opened;
  RETURN_IF_ERROR(RemoveFailedLine(file));
  RETURN_IF_ERROR(CheckUntouched(file));
  const std::string json = EntryJson(head_.entries + 1, clock_.NowUtc(), event, fields);
  const std::string hash = HashOf(head_.hash, json);
  std::string line = hash + ' ' + json + '\n';
  Status written = file.WriteAt(size_, AsBytes(line));
  if (written.ok()) written = file.Sync();
  if (!written.ok()) {
    // If even this fails the next append takes it back.
    if (!file.Truncate(size_).ok()) failed_line_ = std::move(line);
    return Annotate(written.error(), "writing the audit log");
  }
  ++head_.entries;
  head_.hash = hash;
  size_ += line.size();
  last_line_ = std::move(line);
  return head_.entries;
}

AuditHead AuditLog::head() const {
  MutexLock lock(mutex_);
  return head_;
}

std::string AuditLog::problem() const {
  MutexLock lock(mutex_);
  return problem_;
}

Result<AuditCheck> AuditLog::List(std::uint64_t from, std::uint64_t limit,
                                  const std::function<void(std::string_view)>& line) const {
  ASSIGN_OR_RETURN(const auto file, disk_.Open(path_, OpenMode::kRead));
  AuditChain chain;
  std::uint64_t number = 0;
  const Result<std::uint64_t> read = ForEachLine(*file, [&](std::string_view entry) {
    chain.Add(entry);
    ++number;
    if (number >= from && number - from < limit) line(entry);
  });
  if (!read.ok()) return read.error();
  AuditCheck check{chain.head(), chain.problem()};
  if (check.problem.empty()) check.problem = problem();
  return check;
}

}  // namespace telltale::vault
