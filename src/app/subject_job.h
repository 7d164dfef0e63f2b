// An erasure as a durable job with a receipt: docs/formats/erasure-job.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/ids.h"

namespace telltale::app {

enum class LineState { kOpen, kDone, kAgesOut, kHeld, kNotApplicable };
std::string_view LineStateName(LineState state);

// One store of docs/erasure-map.md.
struct JobLine {
  std::string store;
  LineState state = LineState::kOpen;
  std::map<std::string, std::int64_t> counts;
  std::string note;
  std::string last_error;
  Micros due_by;      // when it is gone at the latest; 0 = not known
  Micros changed_at;  // when the state last changed
  friend bool operator==(const JobLine&, const JobLine&) = default;

  bool closed() const { return state == LineState::kDone || state == LineState::kNotApplicable; }
};

struct ErasureJob {
  std::string id;           // 16 hex digits
  std::string tag;          // SHA-256 of the reference, 64 hex digits: as in the erasure list
  std::string vehicle_ref;  // 32 hex digits; "" once no line needs it
  std::string basis;
  std::string asked_by;
  Micros asked_at;
  Micros closed_at;  // 0 = open
  std::vector<JobLine> lines;
  friend bool operator==(const ErasureJob&, const ErasureJob&) = default;

  bool closed() const { return closed_at != Micros{}; }
  const JobLine* Find(std::string_view store) const;
};

std::string EncodeJob(const ErasureJob& job);
//   kCorrupt      not a job
//   kUnsupported  needs a newer reader
Result<ErasureJob> DecodeJob(std::string_view text);

inline constexpr std::uint64_t kJobBytesMax = 1u << 20;

// The jobs of one folder. One process at a time: the caller holds the lock.
class JobFolder {
 public:
  JobFolder(Disk& disk, std::string folder) : disk_(disk), folder_(std::move(folder)) {}

  // Whole or not at all, durable when it returns. Makes the folder.
  Status Save(const ErasureJob& job);
  //   kInvalid   not an id; kNotFound  no such job; as DecodeJob
  Result<ErasureJob> Load(const std::string& id);
  // Oldest first. One that cannot be read is an error: a job must not be overlooked.
  Result<std::vector<ErasureJob>> List();

 private:
  Disk& disk_;
  std::string folder_;
};

}  // namespace telltale::app
