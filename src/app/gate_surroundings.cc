#include "app/gate_surroundings.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/control_vehicles.h"
#include "app/release_workers.h"
#include "control/json_lookup.h"
#include "control/opened_fields.h"
#include "control/release.h"
#include "gate/evidence.h"
#include "safety/release.h"

namespace telltale::app {
namespace {

using control::TextOf;
using nlohmann::json;

constexpr std::uint64_t kFileBytesMax = 1u << 20;
constexpr std::size_t kChangesBytesMax = 1u << 20;  // looked at in one turn
constexpr Micros kModelsPace = Micros::Seconds(300);

json ReadJson(Disk& disk, const std::string& path) {
  const auto text = ReadWholeFile(disk, path, kFileBytesMax);
  if (!text.ok()) return nullptr;
  json read = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return read.is_discarded() ? json() : read;
}

std::uint64_t CountOrZero(const json& object, const char* name) {
  return control::CountOf(object, name).value_or(0);
}

// The rows in force lie side by side from the first lot to the last.
bool IsSingle(std::vector<std::pair<std::uint32_t, std::uint32_t>> lots) {
  std::sort(lots.begin(), lots.end());
  std::uint32_t next = 0;
  for (const auto& [from, to] : lots) {
    if (from != next) return false;
    next = to;
  }
  return next == kLots;
}

bool HasSpeaker(const std::vector<publish::LedgerRow>& ledger, const json& change,
                const VehicleRef& vehicle) {
  const std::uint64_t partition = CountOrZero(change, "input_partition");
  const Offset offset{CountOrZero(change, "input_offset")};
  const AuthorityEpoch epoch{CountOrZero(change, "authority_epoch")};
  const std::string release = TextOf(change, "release");
  return std::any_of(ledger.begin(), ledger.end(), [&](const publish::LedgerRow& row) {
    if (row.partition.value != partition || row.release != release) return false;
    if (row.authority_epoch != epoch || offset < row.from) return false;
    if (row.to && offset >= *row.to) return false;
    const std::uint32_t lot = LotOf(row.order, vehicle);
    return lot >= row.lot_from && lot < row.lot_to;
  });
}

}  // namespace

void GateSurroundings::Begin() {
  checked_to_.reset();
  authority_ = {};
}

Result<std::map<std::string, Micros>> GateSurroundings::HoldsOf(const std::string& release) {
  ASSIGN_OR_RETURN(const safety::Release loaded, safety::LoadRelease(disk_, paths_, release));
  std::map<std::string, Micros> holds;
  for (const safety::Rule& rule : loaded.rules.rules) holds[rule.name] = rule.hold;
  return holds;
}

Result<std::map<std::string, std::string>> GateSurroundings::ComponentsOf(
    const std::string& release) {
  ASSIGN_OR_RETURN(const control::Release loaded, control::LoadRelease(disk_, paths_, release));
  return loaded.components;
}

gate::Sights GateSurroundings::Look(const std::string& stable, const std::string& candidate) {
  gate::Sights sights;
  LookAtWorkers(stable, candidate, sights);
  LookAtAuthority(candidate);
  sights.authority = authority_;
  LookAtContracts(stable, candidate, sights);
  LookAtEnds(sights);
  return sights;
}

void GateSurroundings::LookAtWorkers(const std::string& stable, const std::string& candidate,
                                     gate::Sights& sights) {
  const json all = ReadJson(disk_, paths_.run() + "/releases.json");
  const auto releases = all.is_object() ? all.find("releases") : all.end();
  if (!all.is_object() || releases == all.end() || !releases->is_array()) return;
  for (const json& one : *releases) {
    if (!one.is_object()) continue;
    const std::string release = TextOf(one, "release");
    if (release != stable && release != candidate) continue;
    gate::WorkerSight& worker = sights.workers[release == stable ? 0 : 1];
    worker.is_told = true;
    worker.state = TextOf(one, "state");
    worker.reason = TextOf(one, "reason");
    worker.restarts = CountOrZero(one, "restarts");
    worker.last_end = TextOf(one, "last_end");
    if (one.contains("cpu_s") && one["cpu_s"].is_number()) worker.cpu_s = one["cpu_s"];
    worker.rss_bytes = control::CountOf(one, "rss_bytes");
    LookAtCounters(release, worker);
  }
}

void GateSurroundings::LookAtCounters(const std::string& release, gate::WorkerSight& worker) {
  const json counters =
      ReadJson(disk_, paths_.run() + "/counters/" + WorkerName(release) + ".json");
  if (!counters.is_object()) return;
  worker.partitions_stopped = CountOrZero(counters, "partitions_stopped");
  for (const auto& [name, value] : counters.items()) {
    if (name.starts_with("drops_total.") && value.is_number_unsigned()) worker.drops[name] = value;
  }
}

void GateSurroundings::LookAtAuthority(const std::string& candidate) {
  if (CheckAuthority(candidate).ok()) return;
  store_.reset();  // it is opened again; until then nobody watches
  authority_.is_told = false;
}

// Changes first: what the ledger says of their places is there when they are.
Status GateSurroundings::CheckAuthority(const std::string& candidate) {
  if (!store_) {
    ASSIGN_OR_RETURN(publish::AlertStore store,
                     publish::AlertStore::OpenReadOnly(paths_.publish() + "/alerts.db"));
    store_ = std::make_unique<publish::AlertStore>(std::move(store));
  }
  if (!checked_to_) {
    ASSIGN_OR_RETURN(checked_to_, store_->NewestChange());
  }
  ASSIGN_OR_RETURN(const auto changes, store_->ChangesAfter(*checked_to_, kChangesBytesMax));
  ASSIGN_OR_RETURN(const auto ledger, store_->ReadLedger());
  for (const publish::AlertChange& change : changes) {
    checked_to_ = change.number;
    const json line = json::parse(change.data, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || TextOf(line, "release") != candidate) continue;  // none of its doing
    const auto vehicle = VehicleRef::FromHex(TextOf(line, "vehicle_ref"));
    if (vehicle.ok() && HasSpeaker(ledger, line, *vehicle)) continue;
    ++authority_.outputs_without;
    if (vehicle.ok() && authority_.vehicles.size() < gate::kExamplesMax &&
        std::find(authority_.vehicles.begin(), authority_.vehicles.end(), *vehicle) ==
            authority_.vehicles.end()) {
      authority_.vehicles.push_back(*vehicle);
    }
    if (authority_.what.empty()) authority_.what = fmt::format("alert change {}", change.number);
  }
  std::map<PartitionId, std::vector<std::pair<std::uint32_t, std::uint32_t>>> in_force;
  for (const publish::LedgerRow& row : ledger) {
    auto& lots = in_force[row.partition];  // also of one in which nobody speaks any more
    if (!row.to) lots.emplace_back(row.lot_from, row.lot_to);
  }
  std::int64_t not_single = 0;
  for (const auto& [partition, lots] : in_force) {
    if (IsSingle(lots)) continue;
    ++not_single;
    if (authority_.what.empty()) authority_.what = fmt::format("partition {}", partition.value);
  }
  authority_.not_single = std::max(authority_.not_single, not_single);
  authority_.is_told = true;
  return Ok();
}

void GateSurroundings::LookAtContracts(const std::string& stable, const std::string& candidate,
                                       gate::Sights& sights) {
  if (contracts_of_ != stable + candidate) {
    auto opened = control::OpenedFieldsOf(disk_, paths_, stable, candidate);
    if (!opened.ok()) return;
    opened_fields_ = std::move(*opened);
    contracts_of_ = stable + candidate;
  }
  sights.has_contracts = true;
  sights.opened_fields = opened_fields_;
}

void GateSurroundings::LookAtEnds(gate::Sights& sights) {
  const auto ends = streams_.Ends("safety");
  if (!ends.ok()) return;
  for (const log::DurableEnd& end : *ends) {
    sights.safety_ends.resize(std::max(sights.safety_ends.size(), end.next.size()));
    for (std::size_t p = end.shard.value; p < end.next.size(); p += ends->size()) {
      sights.safety_ends[p] = end.next[p];
    }
  }
}

std::string GateSurroundings::ModelOf(const VehicleRef& vehicle) {
  const Micros now = clock_.NowMonotonic();
  if (!models_at_ || now - *models_at_ >= kModelsPace) {
    models_at_ = now;
    const auto vehicles = VehiclesOfEnvironment(paths_.root);
    if (vehicles.ok()) {
      models_.clear();
      for (const json& one : *vehicles) {
        const auto ref = VehicleRef::FromHex(TextOf(one, "vehicle_ref"));
        if (ref.ok()) models_[*ref] = TextOf(one, "model");
      }
    }
  }
  const auto model = models_.find(vehicle);
  return model == models_.end() ? "" : model->second;
}

}  // namespace telltale::app
