#include "app/control_lake.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/process.h"
#include "base/config.h"
#include "base/format_version.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::size_t kSaidMax = 1500;  // of the end of what a run said
constexpr int kNice = 10;

// Without the last line's end.
std::string EndOf(int fd) {
  const off_t size = lseek(fd, 0, SEEK_END);
  if (size <= 0) return "";
  std::array<char, kSaidMax> bytes{};
  const auto from = std::max<off_t>(0, size - static_cast<off_t>(bytes.size()));
  const ssize_t got = pread(fd, bytes.data(), bytes.size(), from);
  std::string text(bytes.data(), got < 0 ? 0 : static_cast<std::size_t>(got));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string ReportsOf(const LakeErrand& errand) {
  return Paths(errand.dir).lake() + "/shadow/" + errand.release;
}

// docs/formats/shadow-report.md. An empty object: it is not there or cannot be read.
json ReportIn(Disk& disk, const std::string& path) {
  const auto text = ReadWholeFile(disk, path);
  json report = text.ok() ? json::parse(*text, nullptr, false) : json();
  if (!report.is_object()) return json::object();
  const json version = report.value("version", json());
  if (!version.is_number_unsigned()) return json::object();
  const auto needed = version.get<std::uint64_t>();
  return CheckReadable(Format::kShadowReport, path, needed, needed).ok() ? report : json::object();
}

bool IsClosed(const json& report) { return !report.value("closed_at_us", json()).is_null(); }

std::vector<std::string> SqlIn(Disk& disk, const std::string& folder) {
  auto names = disk.List(folder);
  if (!names.ok()) return {};
  std::erase_if(*names, [](const std::string& name) { return !name.ends_with(".sql"); });
  return std::move(names).value();
}

// Where the newest rollouts are: while that stays, the list of all does.
json PlacesIn(const json& status) {
  json places = json::array();
  for (const json& environment : status.at("environments")) {
    const json& rollout = environment.at("rollout");
    if (rollout.is_null()) continue;
    places.push_back({rollout.at("id"), rollout.at("stage"), rollout.at("phase"),
                      rollout.at("shadow_per_10000")});
  }
  return places;
}

}  // namespace

ControlLake::ControlLake(control::Plane& plane, control::Actor actor, Disk& disk,
                         const Clock& clock, Layout layout)
    : plane_(plane),
      actor_(std::move(actor)),
      disk_(disk),
      clock_(clock),
      layout_(std::move(layout)) {}

// It may be killed at any moment: the next run begins anew.
ControlLake::~ControlLake() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  (void)WaitFor(pid_);
  close(said_fd_);
}

void ControlLake::Look() {
  Status seen = Ok();
  try {
    seen = See();
    if (pid_ != 0) Watch();
    if (pid_ == 0 && is_leader_) {
      if (const auto errand = Next()) Start(*errand);
    }
  } catch (const json::exception& error) {
    seen = Error{Code::kCorrupt, error.what()};
  }
  const std::string trouble = seen.ok() ? "" : seen.error().ToString();
  if (trouble != trouble_ && !trouble.empty()) spdlog::warn("control: lakes: {}", trouble);
  trouble_ = trouble;
}

Status ControlLake::See() {
  ASSIGN_OR_RETURN(const json status, Ask("status", json::object()));
  const json& leader = status.at("leader");
  is_leader_ = leader.is_object() && leader.at("is_this").get<bool>();
  json places = PlacesIn(status);
  if (places == places_) return Ok();
  ASSIGN_OR_RETURN(rollouts_, AskRollouts());
  places_ = std::move(places);
  return Ok();
}

Result<std::vector<LakeRollout>> ControlLake::AskRollouts() {
  ASSIGN_OR_RETURN(const json environments, Ask("environments.list", json::object()));
  std::map<std::string, std::string> dirs;
  for (const json& one : environments.at("items")) dirs[one.at("key")] = one.at("dir");
  ASSIGN_OR_RETURN(json listed, Ask("rollouts.list", json::object()));
  std::vector<LakeRollout> rollouts;
  for (json& rollout : listed.at("items")) {
    const auto dir = dirs.find(rollout.at("environment"));
    if (dir == dirs.end()) continue;
    LakeRollout& one = rollouts.emplace_back();
    one.rollout = std::move(rollout);
    one.dir = dir->second;
    if (IsCompared(one.rollout)) AskDiff(one);
  }
  return rollouts;
}

// Without a diff nothing is compared.
void ControlLake::AskDiff(LakeRollout& one) {
  const auto diff = Ask(
      "release.diff", {{"key", one.rollout.at("stable")}, {"other", one.rollout.at("candidate")}});
  if (!diff.ok()) {
    spdlog::warn("control: lakes: {} is not compared: {}", one.rollout.at("id").get<std::string>(),
                 diff.error().ToString());
    return;
  }
  const json& dual_run = diff->at("dual_run");
  one.telemetry = dual_run.at("telemetry").get<bool>();
  // The same features over other columns are still compared.
  one.features =
      !dual_run.at("features").empty() && (one.telemetry || !HasTheInstalledFeatures(one));
}

// The release that `init` made names no features and runs the installed ones, so a diff calls all
// of its successor's new, also where they are the same.
bool ControlLake::HasTheInstalledFeatures(const LakeRollout& one) {
  const auto stable = Ask("release.get", {{"key", one.rollout.at("stable")}});
  if (!stable.ok() || stable->at("components").contains("features")) return false;
  const std::string installed = ParentFolder(layout_.contract_descriptor) + "/features";
  const std::string own = Paths(one.dir).releases() + "/" +
                          one.rollout.at("candidate").get<std::string>() + "/features";
  const auto names = SqlIn(disk_, installed);
  return names == SqlIn(disk_, own) && std::all_of(names.begin(), names.end(), [&](const auto& n) {
           const auto before = ReadWholeFile(disk_, installed + "/" + n);
           const auto after = ReadWholeFile(disk_, own + "/" + n);
           return before.ok() && after.ok() && *before == *after;
         });
}

std::optional<LakeErrand> ControlLake::Next() {
  std::vector<LakeErrand> errands = LakeErrands(rollouts_, outcomes_);
  // What was done before this process began; that may make room for others.
  while (std::any_of(errands.begin(), errands.end(), [this](const LakeErrand& one) {
    return IsThere(one) && outcomes_.emplace(one.name, LakeOutcome::kDone).second;
  })) {
    errands = LakeErrands(rollouts_, outcomes_);
  }
  const Micros now = clock_.NowMonotonic();
  for (LakeErrand& errand : errands) {
    const auto tries = tries_.find(errand.name);
    if (tries != tries_.end() && now < tries->second.due) continue;
    if (!disk_.Exists(Paths(errand.dir).lake() + "/catalog.db")) continue;  // no lake, or not yet
    return std::move(errand);
  }
  return std::nullopt;
}

// The reports say what was done. The folder is made before the first run, so a run that was killed
// and left a table is closed too.
bool ControlLake::IsThere(const LakeErrand& errand) const {
  const std::string folder = ReportsOf(errand);
  if (errand.kind != "close") {
    const json report = ReportIn(disk_, folder + "/" + errand.kind + ".json");
    return !IsClosed(report) && report.value("salt", json()) == errand.salt &&
           report.value("lots", json()) == errand.lots;
  }
  const auto names = disk_.List(folder);
  if (!names.ok()) return names.error().code == Code::kNotFound;
  std::size_t closed = 0;
  for (const std::string& name : *names) {
    if (!name.ends_with(".json")) continue;
    if (!IsClosed(ReportIn(disk_, folder + "/" + name))) return false;
    ++closed;
  }
  return closed > 0;
}

// A comparison for a rollout that ended meanwhile.
bool ControlLake::IsUseless(const LakeErrand& errand) const {
  return errand.kind != "close" &&
         std::any_of(rollouts_.begin(), rollouts_.end(), [&](const LakeRollout& one) {
           return one.rollout.at("id") == errand.rollout && IsOver(one.rollout);
         });
}

void ControlLake::Start(const LakeErrand& errand) {
  if (errand.kind != "close") {
    if (const Status made = disk_.MakeFolders(ReportsOf(errand)); !made.ok()) {
      return Fail(errand, made.error().message);
    }
  }
  said_fd_ = memfd_create("telltale-lake-errand", MFD_CLOEXEC);
  if (said_fd_ < 0) return Fail(errand, "no more files");
  Program program;
  program.name = "telltale_lake";
  program.arguments = {layout_.python, "-m", "telltale_lake"};
  program.arguments.insert(program.arguments.end(), errand.arguments.begin(),
                           errand.arguments.end());
  program.variables = {"PYTHONPATH=" + layout_.python_site, "PYTHONDONTWRITEBYTECODE=1"};
  program.output_fd = said_fd_;
  program.error_fd = said_fd_;
  program.limits.nice = kNice;
  const auto pid = app::Start(program);
  if (!pid.ok()) {
    close(std::exchange(said_fd_, -1));
    return Fail(errand, pid.error().message);
  }
  spdlog::info("control: lakes: {} begins", errand.name);
  pid_ = *pid;
  running_ = errand;
  kill_at_ = clock_.NowMonotonic() + kLakeErrandMax;
}

void ControlLake::Watch() {
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) return Finish(status);
  const bool is_useless = IsUseless(running_);
  if (!is_useless && clock_.NowMonotonic() < kill_at_) return;
  kill(pid_, SIGKILL);
  (void)WaitFor(pid_);
  pid_ = 0;
  close(std::exchange(said_fd_, -1));
  if (!is_useless) {
    return Fail(running_, fmt::format("it ran for {} s", kLakeErrandMax.value / 1'000'000));
  }
  spdlog::info("control: lakes: {} is ended: its rollout is over", running_.name);
  outcomes_[running_.name] = LakeOutcome::kGivenUp;
}

void ControlLake::Finish(int wait_status) {
  pid_ = 0;
  const std::string said = EndOf(said_fd_);
  close(std::exchange(said_fd_, -1));
  const bool is_quiet = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
  // A comparison that could not compute one feature is kept, too, and says so.
  if (!is_quiet && (running_.kind == "close" || !IsThere(running_))) {
    return Fail(running_, fmt::format("it {}: {}", DescribeEnd(wait_status), said));
  }
  outcomes_[running_.name] = LakeOutcome::kDone;
  spdlog::info("control: lakes: {} is done{}{}", running_.name, said.empty() ? "" : ": ", said);
}

void ControlLake::Fail(const LakeErrand& errand, const std::string& why) {
  Tries& tries = tries_[errand.name];
  ++tries.count;
  tries.due = clock_.NowMonotonic() + kLakeErrandPause;
  const bool is_last = tries.count >= kLakeErrandTries;
  if (is_last) outcomes_[errand.name] = LakeOutcome::kGivenUp;
  spdlog::warn("control: lakes: {} failed ({} of {} tries): {}", errand.name, tries.count,
               kLakeErrandTries, why);
}

}  // namespace telltale::app
