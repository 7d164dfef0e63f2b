// run/gateway.conditions: why vehicles wait, for who looks at the folder (/readyz, status).
//   stalled_shards <number>
//   retention_stop <stream> <reader> <percent of retention that it is behind>
// A line only while it is so. The file has one size and is written over in place: on a full disk,
// which it has to tell of, nothing that grows or is made anew can be written.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/disk.h"

namespace telltale::gateway {

inline constexpr std::size_t kConditionFileBytes = 512;

struct Conditions {
  struct RetentionStop {
    std::string stream;
    std::string reader;
    int percent = 0;
    friend bool operator==(const RetentionStop&, const RetentionStop&) = default;
  };
  std::uint64_t stalled_shards = 0;
  std::optional<RetentionStop> retention_stop;
  friend bool operator==(const Conditions&, const Conditions&) = default;

  std::string ToText() const;  // kConditionFileBytes long, blank at the end
};

// One thread.
class ConditionFile {
 public:
  // Makes it, or clears what a process before left.
  static Result<ConditionFile> Open(Disk& disk, const std::string& path);
  // Writes when it differs from what was written last.
  Status Write(const Conditions& conditions);

 private:
  explicit ConditionFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  std::unique_ptr<File> file_;
  std::optional<Conditions> written_;
};

}  // namespace telltale::gateway
