#include "app/release_workers.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/release_traces.h"
#include "base/kept_config.h"
#include "control/release.h"

namespace telltale::app {
namespace {

constexpr Micros kConfigPace{200'000};
constexpr Micros kJournalPace{200'000};  // a disk takes a gigabyte in a second
constexpr Micros kCpuPace{1'000'000};
constexpr Micros kSweepPace = Micros::Seconds(3'600);
constexpr Micros kTryPace = Micros::Seconds(2);  // a part of the release may come later
constexpr std::uint64_t kTrialFiles = 4096;
constexpr int kTrialNice = 10;
constexpr int kTrialOomScoreAdj = 800;
constexpr const char* kJournalFlood = "journal_flood";

// What one count of CPU time is about: a release that changes its place, or is on trial again,
// begins at nothing.
std::string CountedFor(Place place, const control::InForce& in_force) {
  const bool is_trial = place == Place::kCandidate && in_force.rollout;
  return std::string(NameOf(place)) + (is_trial ? " of " + in_force.rollout->id : "");
}

// In seconds, to the millisecond.
double SecondsOf(Micros time) {
  const int64_t whole_ms = time.value / 1000;
  return static_cast<double>(whole_ms) / 1000.0;
}

}  // namespace

const char* NameOf(Place place) {
  switch (place) {
    case Place::kStable:
      return "stable";
    case Place::kPrevious:
      return "previous";
    case Place::kCandidate:
      return "candidate";
  }
  return "";
}

std::vector<WantedWorker> WorkersOf(const control::InForce& in_force) {
  std::vector<WantedWorker> workers;
  const auto add = [&](const std::string& release, Place place) {
    const bool is_there = std::any_of(workers.begin(), workers.end(),
                                      [&](const auto& one) { return one.release == release; });
    if (!release.empty() && !is_there) workers.push_back({release, place});
  };
  add(in_force.SpeakerOfStable(), Place::kStable);
  add(in_force.SpeakerOfPrevious(), Place::kPrevious);
  add(in_force.SpeakerOfCandidate(), Place::kCandidate);
  return workers;
}

std::string WorkerName(const std::string& release) { return "worker-" + release.substr(0, 8); }

ProcessLimits LimitsOf(Place place, const Config& config) {
  if (place == Place::kStable) return {};
  ProcessLimits limits{.memory_bytes = 0,
                       .files = kTrialFiles,
                       .nice = kTrialNice,
                       .oom_score_adj = kTrialOomScoreAdj,
                       .no_core = true};
  if (place == Place::kCandidate) {
    limits.memory_bytes = std::uint64_t{config.releases_candidate_memory_mib} << 20;
  }
  return limits;
}

Result<std::string> EngineOf(Disk& disk, const Paths& paths, const Layout& layout,
                             const Config& config, const std::string& release) {
  ASSIGN_OR_RETURN(const control::Release loaded, control::LoadRelease(disk, paths, release));
  const auto component = loaded.components.find("engine");
  const std::string wanted = component == loaded.components.end() ? "" : component->second;
  const std::string own = paths.data() + "/engines/" + wanted;
  if (!wanted.empty() && disk.Exists(own)) {
    ASSIGN_OR_RETURN(const std::string digest, control::DigestOfFile(disk, own));
    if (digest != wanted) return Error{Code::kCorrupt, own + " is not what its name says"};
    RETURN_IF_ERROR(CheckProgram(own));
    return own;
  }
  ASSIGN_OR_RETURN(const std::string digest, control::DigestOfFile(disk, layout.worker));
  if (digest == wanted) return layout.worker;
  const std::string what = fmt::format(
      "{} is not the engine that release {} was made with: what it writes is not that release's",
      layout.worker, release.substr(0, 12));
  if (config.environment_kind != "dev") return Error{Code::kRefused, what};
  spdlog::warn("serve: {} (allowed in an environment of kind dev)", what);
  return layout.worker;
}

void ReleaseWorkers::Begin(const control::InForce& first, const std::string& control_public) {
  control_public_ = control_public;
  in_force_ = first;
  TakeNewestConfig();
}

bool ReleaseWorkers::TakeNewestConfig() {
  const std::string folder = KeptConfigFolder(options_.paths);
  const auto newest = NewestKeptConfigSeq(disk_, folder);
  if (!newest.ok() || !*newest || **newest <= in_force_.config_seq) return false;
  const auto kept = ReadKeptConfig(disk_, folder, **newest);
  const auto config = kept.ok() ? control::VerifyConfig(*kept, control_public_)
                                : Result<control::InForce>(kept.error());
  if (!config.ok()) {
    const std::string what = config.error().ToString();
    if (std::exchange(refused_, what) != what) {
      spdlog::error("serve: config {}: {}; the workers stay as they are", (*newest)->value, what);
    }
    return false;
  }
  in_force_ = *config;
  return true;
}

Status ReleaseWorkers::StartStable() {
  TakeNewestConfig();
  Apply();
  for (const std::string& name : StrayWorkers(disk_, options_.paths, WorkersOf(in_force_))) {
    RemoveTraces(name);
  }
  const std::string& release = in_force_.SpeakerOfStable();
  ASSIGN_OR_RETURN(const std::string engine,
                   EngineOf(disk_, options_.paths, options_.layout, options_.config, release));
  Program program = options_.program(release);
  program.name = WorkerName(release);
  program.arguments[0] = engine;
  return supervisor_.Keep(program);
}

void ReleaseWorkers::Look() {
  const Micros now = clock_.NowMonotonic();
  if (now - looked_at_config_ >= kConfigPace) {
    looked_at_config_ = now;
    if (TakeNewestConfig()) Apply();
  }
  StartWaiting();
  ForgetDropped();
  if (now - looked_at_journals_ >= kJournalPace) {
    looked_at_journals_ = now;
    LookAtJournals();
  }
  if (now - looked_at_cpu_ >= kCpuPace) {
    looked_at_cpu_ = now;
    LookAtCosts();
  }
  if (now - swept_at_ >= kSweepPace) {
    swept_at_ = now;
    RemoveOldJournals();
  }
  Tell();
}

// What the config says, of what there is.
void ReleaseWorkers::Apply() {
  const auto wanted = WorkersOf(in_force_);
  for (const auto& [release, worker] : workers_) {
    const bool is_wanted = std::any_of(wanted.begin(), wanted.end(), [&](const WantedWorker& one) {
      return one.release == release;
    });
    if (!is_wanted) supervisor_.Drop(WorkerName(release));
  }
  for (const WantedWorker& one : wanted) {
    Worker& worker = workers_[one.release];
    worker.place = one.place;
    CountCpu(one.release, worker);
    const std::string counted_for = CountedFor(one.place, in_force_);
    if (std::exchange(worker.cpu_for, counted_for) != counted_for) {
      worker.cpu = {};
      worker.cpu_since = clock_.NowUtc();
    }
    worker.stopped.clear();
    worker.try_at = {};
    worker.journal_bytes = JournalBytes(options_.paths, one.release);
    worker.journal_from = worker.journal_bytes;
    const std::string name = WorkerName(one.release);
    supervisor_.ChangeLimits(name, LimitsOf(one.place, options_.config));
    supervisor_.SetCounted(name, one.place == Place::kStable);
  }
}

void ReleaseWorkers::StartWaiting() {
  const Micros now = clock_.NowMonotonic();
  for (const WantedWorker& one : WorkersOf(in_force_)) {
    Worker& worker = workers_[one.release];
    if (supervisor_.Keeps(WorkerName(one.release)) || !worker.stopped.empty() ||
        now < worker.try_at) {
      continue;
    }
    worker.try_at = now + kTryPace;
    const Status started = StartOne(one.release, worker);
    const std::string what = started.ok() ? "" : started.error().ToString();
    if (std::exchange(worker.waits_for, what) == what || started.ok()) continue;
    spdlog::error("serve: {} cannot be started: {}; it is tried again", WorkerName(one.release),
                  what);
  }
}

Status ReleaseWorkers::StartOne(const std::string& release, Worker& worker) {
  ASSIGN_OR_RETURN(const std::string engine,
                   EngineOf(disk_, options_.paths, options_.layout, options_.config, release));
  Program program = options_.program(release);
  program.name = WorkerName(release);
  program.arguments[0] = engine;
  program.limits = LimitsOf(worker.place, options_.config);
  supervisor_.KeepTrying(program);
  supervisor_.SetCounted(program.name, worker.place == Place::kStable);
  return Ok();
}

void ReleaseWorkers::LookAtJournals() {
  const std::uint64_t quota = std::uint64_t{options_.config.releases_candidate_journal_mib} << 20;
  for (auto& [release, worker] : workers_) {
    worker.journal_bytes = JournalBytes(options_.paths, release);
    worker.journal_from = std::min(worker.journal_from, worker.journal_bytes);  // some was removed
    if (worker.place != Place::kCandidate || !worker.stopped.empty() ||
        worker.journal_bytes - worker.journal_from <= quota) {
      continue;
    }
    worker.stopped = kJournalFlood;
    spdlog::error(
        "serve: {} wrote {} MiB of journal under one config: it is stopped until the "
        "config changes",
        WorkerName(release), (worker.journal_bytes - worker.journal_from) >> 20);
    supervisor_.Drop(WorkerName(release));
  }
}

void ReleaseWorkers::LookAtCosts() {
  for (auto& [release, worker] : workers_) {
    CountCpu(release, worker);
    const auto child = supervisor_.StateOf(WorkerName(release));
    const bool runs = child && child->pid != 0;
    worker.rss_bytes = runs ? ResidentBytesOf(child->pid).value_or(0) : 0;
  }
}

void ReleaseWorkers::CountCpu(const std::string& release, Worker& worker) {
  const Micros now = supervisor_.CpuOf(WorkerName(release)).value_or(Micros{});
  // Less than before: the supervisor forgot it, and keeps it anew.
  worker.cpu = worker.cpu + (now >= worker.cpu_seen ? now - worker.cpu_seen : now);
  worker.cpu_seen = now;
}

void ReleaseWorkers::ForgetDropped() {
  const auto wanted = WorkersOf(in_force_);
  for (auto at = workers_.begin(); at != workers_.end();) {
    const std::string name = WorkerName(at->first);
    const bool is_wanted = std::any_of(wanted.begin(), wanted.end(), [&](const WantedWorker& one) {
      return WorkerName(one.release) == name;
    });
    if (is_wanted || supervisor_.Keeps(name)) {
      ++at;
      continue;
    }
    RemoveTraces(name);
    at = workers_.erase(at);
  }
}

void ReleaseWorkers::RemoveTraces(const std::string& name) {
  if (!RemoveWorkerTraces(disk_, options_.paths, name)) return;
  run_files_.Remove("counters/" + name + ".json");
  spdlog::info("serve: {} is named by no config: its place and its snapshots were removed", name);
}

void ReleaseWorkers::RemoveOldJournals() {
  const Micros keep_for = Micros::Seconds(std::int64_t{options_.config.log_retention_hours} * 3600);
  for (const std::string& release :
       OldJournals(options_.paths, WorkersOf(in_force_), clock_.NowUtc() - keep_for)) {
    RemoveJournal(options_.paths, release);
    spdlog::info("serve: the journal of {} was older than retention and removed",
                 WorkerName(release));
  }
}

// Other releases that the config names and this one's worker computes for.
nlohmann::ordered_json ReleaseWorkers::SpokenForBy(const std::string& release) const {
  nlohmann::ordered_json others = nlohmann::ordered_json::array();
  const std::string candidate = in_force_.rollout ? in_force_.rollout->candidate : "";
  for (const std::string& one : {in_force_.stable_release, candidate, in_force_.previous_release}) {
    if (one.empty() || one == release || in_force_.SpeakerOf(one) != release) continue;
    others.push_back(one);
  }
  return others;
}

// docs/operate.md, run/releases.json.
void ReleaseWorkers::Tell() {
  nlohmann::ordered_json releases = nlohmann::ordered_json::array();
  for (const auto& [release, worker] : workers_) {
    const std::string name = WorkerName(release);
    const auto child = supervisor_.StateOf(name);
    const bool runs = child && child->pid != 0;
    const char* state = "waiting";
    if (child && child->is_leaving)
      state = "leaving";
    else if (!worker.stopped.empty())
      state = "stopped";
    else if (runs)
      state = "running";
    else if (child && child->restarts > 0)
      state = "restarting";
    releases.push_back({{"release", release},
                        {"name", name},
                        {"place", NameOf(worker.place)},
                        {"speaks_for", SpokenForBy(release)},
                        {"state", state},
                        {"reason", worker.stopped.empty() ? worker.waits_for : worker.stopped},
                        {"pid", child ? child->pid : 0},
                        {"restarts", child ? child->restarts : 0},
                        {"last_end", child ? child->last_end : ""},
                        {"journal_bytes", worker.journal_bytes},
                        {"cpu_s", SecondsOf(worker.cpu)},
                        {"cpu_since", FormatUtc(worker.cpu_since)},
                        {"rss_bytes", worker.rss_bytes}});
  }
  const nlohmann::ordered_json all = {{"config_seq", in_force_.config_seq.value},
                                      {"releases", releases}};
  const std::string text = all.dump(2) + "\n";
  if (text == told_) return;
  const Status written = run_files_.Write("releases.json", text);
  if (!written.ok()) return spdlog::warn("serve: {}", written.error().message);
  told_ = text;
}

}  // namespace telltale::app
