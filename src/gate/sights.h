// What the observer of a rollout cannot read out of journals and streams: a seam, since it lies
// with siblings (the register, the alert store, the supervisor's files). Values.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace telltale::gate {

// One release's worker, as run/releases.json and its counters tell.
struct WorkerSight {
  bool is_told = false;
  std::string state = {};  // running, restarting, stopped, ...
  std::string reason = {};
  std::uint64_t restarts = 0;
  std::string last_end = {};
  std::optional<double> cpu_s = std::nullopt;  // since it runs, over all incarnations
  std::optional<std::uint64_t> rss_bytes = std::nullopt;
  std::map<std::string, std::uint64_t> drops = {};  // by counter, "drops_total.<where>.<reason>"
  std::uint64_t partitions_stopped = 0;
};

// The alert store against its own ledger, since the rollout's observer began.
struct AuthoritySight {
  bool is_told = false;
  std::int64_t outputs_without = 0;  // the candidate's changes that no row stands behind
  std::vector<VehicleRef> vehicles = {};
  std::int64_t not_single = 0;  // partitions where lots have none, or two
  std::string what = {};        // of the first
};

struct Sights {
  std::array<WorkerSight, 2> workers = {};  // by Side
  AuthoritySight authority = {};
  bool has_contracts = false;
  std::vector<std::string> opened_fields = {};  // sealed by stable's contract, open by candidate's
  std::vector<Offset> safety_ends = {};         // durable, by partition; empty: not known
};

class Surroundings {
 public:
  virtual ~Surroundings() = default;
  // An observer begins: what was seen of the rollout before is none of its candidate's.
  virtual void Begin() = 0;
  // By rule. Errors of reading a release.
  virtual Result<std::map<std::string, Micros>> HoldsOf(const std::string& release) = 0;
  // Digests by component.
  virtual Result<std::map<std::string, std::string>> ComponentsOf(const std::string& release) = 0;
  virtual Sights Look(const std::string& stable, const std::string& candidate) = 0;
  virtual std::string ModelOf(const VehicleRef& vehicle) = 0;  // "" = not known
};

}  // namespace telltale::gate
