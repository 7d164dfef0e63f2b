// Stand-ins for what the key tree gives: tags and keys of exports that live in memory, and actions
// that are not there. Used until a key tree is connected, and by tests.
#pragma once

#include <map>

#include "base/mutex.h"
#include "base/random.h"
#include "vault/access/door.h"

namespace telltale::vault {

// The tag's key comes from the reference alone: equal for equal vehicles, and as good a secret as
// the reference is.
class RefTags final : public VehicleTags {
 public:
  Result<std::string> Tag(const VehicleRef& vehicle, std::string_view salt) override;
};

// Gone with the process: a kept answer does not open after a restart.
class MemoryExportKeys final : public ExportKeys {
 public:
  explicit MemoryExportKeys(Random& random) : random_(random) {}
  Status EnsureHour(Hour dies_at) override;
  Status CopyHour(Hour dies_at, seal::SecretKey& key) override;
  void Destroy(Hour dies_at);

 private:
  Random& random_;
  Mutex mutex_;
  std::map<Hour, std::unique_ptr<seal::SecretKey>> keys_ GUARDED_BY(mutex_);
};

class NoActions final : public Actions {
 public:
  Status Check(const Request& request) override;
  Status Run(const BookedRequest& request, nlohmann::json& answer) override;
};

class NoOperator final : public Operator {
 public:
  Status Erase(const VehicleRef&, const std::string&, nlohmann::json&) override { return None(); }
  bool IsErased(const VehicleRef&) override { return false; }
  Status ListHolds(nlohmann::json&) override { return None(); }
  Status Presence(const VehicleRef&, nlohmann::json&) override { return None(); }
  Status MakeReport(std::optional<Micros>, bool, nlohmann::json&) override { return None(); }

 private:
  static Status None() { return Error{Code::kUnavailable, "there is no operator's desk here"}; }
};

}  // namespace telltale::vault
