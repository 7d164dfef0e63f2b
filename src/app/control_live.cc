#include "app/control_live.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "app/control_lake_findings.h"
#include "app/control_live_releases.h"
#include "app/operations_state.h"
#include "app/streams.h"
#include "base/config.h"
#include "publish/alert_store.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::string_view kDropsPrefix = "drops_total.";

void Miss(json& live, const std::string& part, const std::string& why) {
  live["missing"].push_back({{"part", part}, {"why", why}});
}

std::uint64_t CountOf(const RoleState& role, const char* name) {
  const auto found = role.counters.find(name);
  return found == role.counters.end() ? 0 : found->second;
}

// Of the gateway; null when it never counted.
json Arrivals(const OperationsState& state) {
  for (const RoleState& role : state.roles) {
    if (role.name != "gateway" || !role.counted_at) continue;
    const std::uint64_t opened = CountOf(role, "connections_total");
    const std::uint64_t closed = CountOf(role, "connections_closed_total");
    return {{"counted_at", FormatUtc(*role.counted_at)},
            {"reports_accepted", CountOf(role, "reports_accepted")},
            {"reports_quarantined", CountOf(role, "reports_quarantined")},
            {"batches_quarantined", CountOf(role, "batches_quarantined")},
            {"payload_bytes", CountOf(role, "payload_bytes")},
            {"connections_open", opened - std::min(opened, closed)},
            {"connections", opened},
            {"vehicles_added", CountOf(role, "vehicles_added_unknown")}};
  }
  return nullptr;
}

// The most first; a count of nothing is left out.
json Drops(const OperationsState& state) {
  struct Drop {
    std::uint64_t count;
    std::string role, where, reason;
  };
  std::vector<Drop> drops;
  for (const RoleState& role : state.roles) {
    for (const auto& [name, count] : role.counters) {
      if (count == 0 || !name.starts_with(kDropsPrefix)) continue;
      const std::string rest = name.substr(kDropsPrefix.size());
      const std::size_t dot = rest.find('.');
      if (dot == std::string::npos) continue;
      drops.push_back({count, role.name, rest.substr(0, dot), rest.substr(dot + 1)});
    }
  }
  std::sort(drops.begin(), drops.end(), [](const Drop& a, const Drop& b) {
    return std::tie(b.count, a.role, a.where, a.reason) <
           std::tie(a.count, b.role, b.where, b.reason);
  });
  json out = json::array();
  for (const Drop& drop : drops) {
    out.push_back({{"role", drop.role},
                   {"where", drop.where},
                   {"reason", drop.reason},
                   {"count", drop.count}});
  }
  return out;
}

// Where a consumer stands on a record's way, for the order of the page.
int StageOf(const std::string& consumer) {
  constexpr std::string_view kOrder[] = {"worker", "publisher", "lake-feed",
                                         "lake",   "committer", "vault"};
  for (int i = 0; i < std::ssize(kOrder); ++i) {
    if (consumer == kOrder[i] || consumer.starts_with(std::string(kOrder[i]) + "-")) return i;
  }
  return std::ssize(kOrder);
}

// By consumer and stream, over all shards.
json Lag(const OperationsState& state) {
  std::map<std::tuple<int, std::string, std::string>, std::uint64_t> records;
  for (const ConsumerLag& lag : state.lags) {
    // "lake-feed" begins like a lake with a name of its own: its whole name comes first.
    const int stage = lag.consumer == "lake-feed" ? 2 : StageOf(lag.consumer);
    records[{stage, lag.consumer, lag.stream}] += lag.records;
  }
  json out = json::array();
  for (const auto& [key, count] : records) {
    const auto& [stage, consumer, stream] = key;
    out.push_back({{"consumer", consumer}, {"stream", stream}, {"records_behind", count}});
  }
  return out;
}

// What the lanes have not published of what the journals say.
json PublisherLag(const internal::v1::PublisherReply& publisher) {
  std::uint64_t behind = 0;
  for (const auto& partition : publisher.partitions()) {
    std::uint64_t furthest = 0;
    for (const auto& lane : partition.lanes()) {
      for (const auto& mark : partition.releases()) {
        if (mark.release() != lane.release() || mark.below_offset() <= lane.next_offset()) continue;
        furthest = std::max(furthest, mark.below_offset() - lane.next_offset());
      }
    }
    behind += furthest;
  }
  return {{"consumer", "publisher"}, {"stream", "journal"}, {"records_behind", behind}};
}

void AddAlerts(Result<publish::AlertStore>& store, json& live) {
  live["alerts"] = json::array();
  if (!store.ok()) {
    // Nothing was published yet: no alerts, and no fault.
    if (store.error().code != Code::kNotFound) Miss(live, "alerts", store.error().ToString());
    return;
  }
  const auto listed = store->ListJson(kLiveAlertsMax);
  if (!listed.ok()) return Miss(live, "alerts", listed.error().ToString());
  auto parsed = json::parse(*listed, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return Miss(live, "alerts", "a row of the alert store is no JSON");
  live["alerts"] = std::move(parsed["alerts"]);
}

// Of the release on trial, or of the one that was until the window began.
json LakeOf(Disk& disk, const std::string& dir, const control::InForce& config) {
  if (config.rollout) {
    return LakeFindings(disk, dir,
                        {.release = config.rollout->candidate, .salt = config.rollout->order.salt});
  }
  if (config.previous_release.empty()) return nullptr;
  return LakeFindings(disk, dir, {.release = config.stable_release, .salt = ""});
}

}  // namespace

struct ControlLive::Counted {
  std::optional<SideBySide> side_by_side;
};

ControlLive::ControlLive(Disk& disk, const Clock& clock) : disk_(disk), clock_(clock) {}
ControlLive::~ControlLive() = default;

Result<json> ControlLive::Look(const std::string& dir) {
  const Paths paths(dir);
  if (!disk_.Exists(paths.config())) {
    return Error{Code::kNotFound,
                 "the environment's folder is no installation: it has no telltale.yaml"};
  }
  const MutexLock lock(mutex_);
  const OperationsState state = LookAtOperations(disk_, clock_, dir, *StreamsOrFiles(disk_, dir));
  const auto causes = NotReadyCauses(state);
  json live = {{"looked_at", FormatUtc(state.looked_at)},
               {"serving", state.is_serving},
               {"ready", causes.empty()},
               {"causes", causes},
               {"warnings", Warnings(state)},
               {"arrivals", Arrivals(state)},
               {"drops", Drops(state)},
               {"lag", Lag(state)},
               {"rollout", nullptr},
               {"since", nullptr},
               {"releases", json::array()},
               {"lake", nullptr},
               {"missing", json::array()}};
  auto store = publish::AlertStore::OpenReadOnly(paths.publish() + "/alerts.db");
  AddAlerts(store, live);

  internal::v1::PublisherReply publisher;
  if (auto asked = AskPublisher(paths); asked.ok()) {
    publisher = std::move(asked).value();
    live["lag"].push_back(PublisherLag(publisher));
  } else if (state.is_serving) {
    Miss(live, "publisher", asked.error().ToString());
  }

  auto in_force = ReadReleasesInForce(disk_, paths);
  if (!in_force.ok()) {
    Miss(live, "releases", in_force.error().ToString());
    return live;
  }
  live["lake"] = LakeOf(disk_, dir, in_force->config);
  auto& counted = counted_[dir];
  if (counted == nullptr) counted = std::make_unique<Counted>();
  if (!counted->side_by_side || !counted->side_by_side->IsAbout(*in_force)) {
    counted->side_by_side.emplace(*std::move(in_force));
  }
  for (const auto& [part, why] : counted->side_by_side->Look(disk_, paths, store)) {
    Miss(live, part, why);
  }
  live.update(counted->side_by_side->ToJson(state, ReadWorkers(disk_, paths), publisher));
  return live;
}

}  // namespace telltale::app
