#include "app/control_live_releases.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "app/release_workers.h"
#include "base/kept_config.h"
#include "base/local_socket.h"
#include "control/contracts.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

using internal::v1::PartitionAuthority;
using internal::v1::PublisherReply;
using nlohmann::json;

constexpr std::chrono::milliseconds kPublisherTimeout{250};
constexpr std::size_t kWorkersBytesMax = 1u << 20;

// When config number `began` was made; none when the log's owner keeps it no more.
std::optional<Micros> MadeAt(Disk& disk, const Paths& paths, ConfigSeq began,
                             std::string_view control_public) {
  const auto bytes = ReadKeptConfig(disk, KeptConfigFolder(paths), began);
  if (!bytes.ok()) return std::nullopt;
  const auto config = control::VerifyConfig(*bytes, control_public);
  if (!config.ok()) return std::nullopt;
  return config->created_at;
}

const RoleState* WorkerOf(const OperationsState& state, const std::string& release,
                          bool is_stable) {
  const RoleState* found = nullptr;
  for (const RoleState& role : state.roles) {
    if (role.name == WorkerName(release)) return &role;
    if (is_stable && role.name == "worker") found = &role;  // one process for the one release
  }
  return found;
}

// `said` is of run/releases.json; null where there is no such file.
json WorkerToJson(const RoleState* worker, const json& said) {
  if (worker == nullptr && said.is_null()) return nullptr;
  json out = {{"alive", worker != nullptr && worker->is_up}};
  for (const char* name : {"state", "reason", "restarts", "last_end", "cpu_s", "cpu_since"}) {
    out[name] = said.is_object() && said.contains(name) ? said[name] : json();
  }
  const auto at = [worker](std::optional<Micros> RoleState::* time) {
    return worker != nullptr && worker->*time ? json(FormatUtc(*(worker->*time))) : json();
  };
  out["started_at"] = at(&RoleState::started_at);
  out["counted_at"] = at(&RoleState::counted_at);
  const std::pair<const char*, const char*> counters[] = {
      {"records_read", "safety_records_total"},
      {"episodes_opened", "episodes_opened_total"},
      {"episodes_closed", "episodes_closed_total"}};
  for (const auto& [name, counter] : counters) {
    const bool is_there = worker != nullptr && worker->counters.contains(counter);
    out[name] = is_there ? json(worker->counters.at(counter)) : json();
  }
  return out;
}

// Of all partitions whose journal of `release` the publisher follows; null: of none.
json MarksOf(const PublisherReply& publisher, const std::string& release) {
  std::uint64_t partitions = 0;
  std::int64_t oldest_us = INT64_MAX;
  std::int64_t newest_us = INT64_MIN;
  std::uint32_t lots = kLots;
  for (const PartitionAuthority& partition : publisher.partitions()) {
    for (const auto& mark : partition.releases()) {
      if (mark.release() != release || mark.log_time_us() == 0) continue;
      ++partitions;
      oldest_us = std::min(oldest_us, mark.log_time_us());
      newest_us = std::max(newest_us, mark.log_time_us());
      lots = std::min(lots, mark.lots());
    }
  }
  if (partitions == 0) return nullptr;
  return {{"partitions", partitions},
          {"oldest_at", FormatUtc(Micros{oldest_us})},
          {"newest_at", FormatUtc(Micros{newest_us})},
          {"lots_computed", lots}};
}

json RecordsBehind(const OperationsState& state, const std::string& release) {
  json behind;
  for (const ConsumerLag& lag : state.lags) {
    if (lag.consumer != WorkerName(release) || lag.stream != "safety") continue;
    behind = lag.records + (behind.is_null() ? 0 : behind.get<std::uint64_t>());
  }
  return behind;
}

json RolloutToJson(const ReleasesInForce& in_force) {
  if (!in_force.config.rollout) return nullptr;
  const control::Rollout& rollout = *in_force.config.rollout;
  return {{"id", rollout.id},
          {"candidate", rollout.candidate},
          {"shadow_lots", rollout.shadow_lots},
          {"authority_lots", rollout.authority_lots},
          {"lots", kLots},
          {"began_at", FormatUtc(in_force.since)}};
}

}  // namespace

Result<ReleasesInForce> ReadReleasesInForce(Disk& disk, const Paths& paths) {
  ASSIGN_OR_RETURN(const std::string control_public,
                   seal::LoadKey(disk, paths.keys() + "/control.pub"));
  ASSIGN_OR_RETURN(control::Contracts contracts,
                   control::ReadContracts(disk, paths, control_public));
  ReleasesInForce out{std::move(contracts.in_force), {}};
  out.since = out.config.created_at;
  if (out.config.rollout) {
    const auto began = MadeAt(disk, paths, out.config.rollout->began, control_public);
    if (began) out.since = *began;
  }
  return out;
}

Result<PublisherReply> AskPublisher(const Paths& paths) {
  ASSIGN_OR_RETURN(LocalConnection connection,
                   LocalConnection::Connect(paths.run() + "/publish/orders.sock"));
  internal::v1::PublisherRequest request;
  request.mutable_status();
  RETURN_IF_ERROR(connection.Send(request.SerializeAsString()));
  ASSIGN_OR_RETURN(const auto frame, connection.Receive(kPublisherTimeout));
  PublisherReply reply;
  if (!frame || !reply.ParseFromString(*frame)) {
    return Error{Code::kUnavailable, "the publisher does not answer on orders.sock"};
  }
  if (reply.has_failure()) return Error{Code::kUnavailable, reply.failure().message()};
  return reply;
}

std::map<std::string, json> ReadWorkers(Disk& disk, const Paths& paths) {
  std::map<std::string, json> workers;
  const auto text = ReadWholeFile(disk, paths.run() + "/releases.json", kWorkersBytesMax);
  if (!text.ok()) return workers;
  const auto all = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!all.is_object() || !all.contains("releases") || !all["releases"].is_array()) return workers;
  for (const json& one : all["releases"]) {
    if (!one.is_object() || !one.contains("release") || !one["release"].is_string()) continue;
    workers[one["release"].get<std::string>()] = one;
  }
  return workers;
}

SideBySide::SideBySide(ReleasesInForce in_force)
    : in_force_(std::move(in_force)), published_(in_force_.since) {
  const control::InForce& config = in_force_.config;
  if (!config.previous_release.empty()) roles_[config.previous_release] = "previous";
  if (config.rollout) roles_[config.rollout->candidate] = "candidate";
  roles_[config.stable_release] = "stable";
}

bool SideBySide::IsAbout(const ReleasesInForce& in_force) const {
  const control::InForce& mine = in_force_.config;
  const control::InForce& other = in_force.config;
  return mine.stable_release == other.stable_release && mine.rollout == other.rollout &&
         mine.previous_release == other.previous_release &&
         mine.stable_speaker == other.stable_speaker &&
         mine.previous_speaker == other.previous_speaker;
}

std::map<std::string, std::string> SideBySide::Look(Disk& disk, const Paths& paths,
                                                    Result<publish::AlertStore>& store) {
  std::map<std::string, std::string> missing;
  const auto& rollout = in_force_.config.rollout;
  for (const auto& [release, role] : roles_) {
    const std::string speaker = in_force_.config.SpeakerOf(release);
    auto& tally = opened_[speaker];
    if (tally == nullptr) {
      tally = std::make_unique<OpenedTally>(
          disk, OpenedTally::Options{.journal_dir = paths.journal() + "/" + speaker,
                                     .order = rollout ? rollout->order : Cohort{},
                                     .lots = rollout ? rollout->shadow_lots : kLots,
                                     .since = in_force_.since});
    }
    if (const Status look = tally->Look(); !look.ok()) {
      missing["journal of " + role] = look.error().ToString();
    }
  }
  if (!store.ok()) return missing;  // said where the alerts are
  if (const Status look = published_.Look(*store); !look.ok()) {
    missing["published"] = look.error().ToString();
  }
  return missing;
}

json SideBySide::RulesOf(const std::string& speaker) const {
  static const CountsByRule kNone;
  const auto tally = opened_.find(speaker);
  const CountsByRule& opened = tally == opened_.end() ? kNone : tally->second->counts();
  const CountsByRule& published = published_.Of(speaker);
  std::set<std::string> names;
  for (const auto& [rule, count] : opened) names.insert(rule);
  for (const auto& [rule, count] : published) names.insert(rule);
  const auto count_of = [](const CountsByRule& counts, const std::string& rule) {
    const auto found = counts.find(rule);
    return found == counts.end() ? std::uint64_t{0} : found->second;
  };
  json rules = json::array();
  for (const std::string& rule : names) {
    rules.push_back({{"rule", rule},
                     {"opened", count_of(opened, rule)},
                     {"published", count_of(published, rule)}});
  }
  return rules;
}

json SideBySide::ToJson(const OperationsState& state, const std::map<std::string, json>& workers,
                        const PublisherReply& publisher) const {
  json releases = json::array();
  for (const char* role : {"stable", "candidate", "previous"}) {
    for (const auto& [release, has_role] : roles_) {
      if (has_role != role) continue;
      // Whose worker, journal and alerts these are: one may speak for several.
      const std::string speaker = in_force_.config.SpeakerOf(release);
      const bool is_stables = speaker == in_force_.config.SpeakerOfStable();
      const auto tally = opened_.find(speaker);
      const bool is_complete = tally != opened_.end() && tally->second->is_complete();
      const auto said = workers.find(speaker);
      releases.push_back({{"release", release},
                          {"role", role},
                          {"speaker", speaker},
                          {"rules", RulesOf(speaker)},
                          {"counted_all", is_complete && published_.is_complete()},
                          {"records_behind", RecordsBehind(state, speaker)},
                          {"marks", MarksOf(publisher, speaker)},
                          {"worker", WorkerToJson(WorkerOf(state, speaker, is_stables),
                                                  said == workers.end() ? json() : said->second)}});
    }
  }
  return {{"rollout", RolloutToJson(in_force_)},
          {"since", FormatUtc(in_force_.since)},
          {"releases", releases}};
}

}  // namespace telltale::app
