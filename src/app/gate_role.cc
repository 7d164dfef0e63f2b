#include "app/gate_role.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <utility>

#include "app/gate_surroundings.h"
#include "base/config.h"
#include "base/kept_config.h"
#include "base/logging.h"
#include "base/stop.h"
#include "control/config_record.h"
#include "gate/kept_evidence.h"
#include "gate/observer.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kIdle{100};
constexpr milliseconds kRetry{500};
constexpr Micros kLookPace{500'000};
constexpr Micros kCountersPace{1'000'000};

// Ids become names of folders.
bool IsName(const std::string& id) {
  return !id.empty() && id.size() <= 128 &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

class GateRole {
 public:
  GateRole(const RoleOptions& options, Config config, log::OpenStreams open_streams)
      : paths_(options.dir),
        config_(std::move(config)),
        open_streams_(open_streams),
        erased_(disk_, paths_.erasure_list()) {}

  Status Run();

 private:
  std::string Folder() const { return paths_.data() + "/gate"; }
  Status LookAtConfig();
  void Tidy();
  Status TakeConfig(const control::InForce& in_force);
  Status LeaveRollout();
  Status Turn(bool& more);
  void Say(const Status& status);
  void WriteCounts(Micros now);

  const Paths paths_;
  const Config config_;
  const log::OpenStreams open_streams_;
  PosixDisk posix_disk_;
  Disk& disk_ = posix_disk_;
  SystemClock clock_;
  Counters counters_;
  ErasureList erased_;
  std::string control_public_;
  std::unique_ptr<log::Streams> streams_;
  std::unique_ptr<GateSurroundings> surroundings_;
  std::unique_ptr<gate::Observer> observer_;
  ConfigSeq taken_;
  bool is_tidied_ = false;
  Micros looked_at_ = Micros{INT64_MIN / 2};
  Micros counted_at_ = Micros{INT64_MIN / 2};
  std::string trouble_;
  std::string untidy_;
};

Status GateRole::LookAtConfig() {
  const std::string folder = KeptConfigFolder(paths_);
  ASSIGN_OR_RETURN(const auto newest, NewestKeptConfigSeq(disk_, folder));
  if (newest && *newest > taken_) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadKeptConfig(disk_, folder, *newest));
    ASSIGN_OR_RETURN(const control::InForce in_force,
                     control::VerifyConfig(bytes, control_public_));
    RETURN_IF_ERROR(TakeConfig(in_force));
    taken_ = *newest;
  }
  ASSIGN_OR_RETURN(const bool was_erased, erased_.Refresh());
  if (was_erased) is_tidied_ = false;
  if (!is_tidied_) Tidy();
  return Ok();
}

// A file of a rollout that is over keeps nobody from observing this one.
void GateRole::Tidy() {
  const std::string current = observer_ ? observer_->options().rollout.id : "";
  const Status tidied = gate::TidyKeptEvidence(disk_, Folder(), current, erased_);
  is_tidied_ = tidied.ok();
  const std::string what = tidied.ok() ? "" : tidied.error().ToString();
  if (what != untidy_ && !what.empty()) {
    spdlog::warn("gate: evidence of rollouts that are over: {}; it is tried again", what);
  }
  untidy_ = what;
}

Status GateRole::TakeConfig(const control::InForce& in_force) {
  // Where one worker speaks for both there are no two journals that could differ.
  const bool has_two =
      in_force.rollout && in_force.SpeakerOfCandidate() != in_force.SpeakerOfStable();
  if (!has_two) return LeaveRollout();
  const control::Rollout& rollout = *in_force.rollout;
  if (!IsName(rollout.id)) return Error{Code::kInvalid, "a rollout's id is no name"};
  if (observer_ && observer_->options().rollout.id == rollout.id &&
      observer_->options().rollout.candidate == rollout.candidate &&
      observer_->options().stable == in_force.stable_release) {
    observer_->SetRollout(rollout);
    return Ok();
  }
  RETURN_IF_ERROR(LeaveRollout());
  auto observer = std::make_unique<gate::Observer>(
      gate::Observer::Parts{.disk = disk_,
                            .streams = *streams_,
                            .clock = clock_,
                            .counters = counters_,
                            .surroundings = *surroundings_},
      gate::ObserverOptions{.environment = in_force.environment,
                            .stable = in_force.stable_release,
                            .stable_speaker = in_force.SpeakerOfStable(),
                            .rollout = rollout,
                            .journals = paths_.journal(),
                            .folder = Folder() + "/" + rollout.id,
                            .erasure_list = paths_.erasure_list(),
                            .shards = config_.log_shards,
                            .partitions = config_.log_partitions,
                            .lateness = Micros::Seconds(config_.gate_lateness_s)});
  RETURN_IF_ERROR(observer->Start());
  observer_ = std::move(observer);
  spdlog::info("gate: observes {}", rollout.id);
  return Ok();
}

// What it counted last stays to be read; where it was is of no use any more.
Status GateRole::LeaveRollout() {
  if (!observer_) return Ok();
  RETURN_IF_ERROR(observer_->WriteEvidence());
  spdlog::info("gate: {} is over", observer_->options().rollout.id);
  observer_.reset();
  is_tidied_ = false;
  return Ok();
}

Status GateRole::Turn(bool& more) {
  const Micros now = clock_.NowMonotonic();
  if (now - looked_at_ >= kLookPace) {
    looked_at_ = now;
    RETURN_IF_ERROR(LookAtConfig());
  }
  if (!observer_) return Ok();
  ASSIGN_OR_RETURN(more, observer_->RunOnce());
  return Ok();
}

// Whatever is wrong may be mended while it runs, and nobody else waits for it.
void GateRole::Say(const Status& status) {
  const std::string what = status.ok() ? "" : status.error().ToString();
  if (what != trouble_ && !what.empty()) spdlog::warn("gate: {}; it is tried again", what);
  if (what != trouble_ && what.empty()) spdlog::info("gate: goes on");
  trouble_ = what;
  if (!status.ok()) counters_.Get("turns_failed").Add();
}

void GateRole::WriteCounts(Micros now) {
  if (now - counted_at_ < kCountersPace) return;
  counted_at_ = now;
  const Status written = WriteCounters(paths_.run() + "/counters", "gate", counters_);
  if (!written.ok()) spdlog::warn("gate: counters: {}", written.error().message);
}

Status GateRole::Run() {
  RETURN_IF_ERROR(disk_.MakeFolders(paths_.run() + "/counters"));
  ASSIGN_OR_RETURN(control_public_, seal::LoadKey(disk_, paths_.keys() + "/control.pub"));
  ASSIGN_OR_RETURN(streams_, open_streams_(disk_, config_, paths_));
  surroundings_ = std::make_unique<GateSurroundings>(disk_, clock_, *streams_, paths_);
  for (bool more = false; !StopRequested(); more = false) {
    const Status done = Turn(more);
    Say(done);
    WriteCounts(clock_.NowMonotonic());
    if (!more) WaitForStop(done.ok() ? kIdle : kRetry);
  }
  return observer_ ? observer_->SaveState() : Ok();
}

}  // namespace

int RunGateRole(const RoleOptions& options, log::OpenStreams open_streams) {
  StartLogging("gate");
  PosixDisk disk;
  auto config = Config::Load(disk, Paths(options.dir).config());
  Status done = config.ok()
                    ? ConfigureLogging("gate", config->logging_format, config->logging_level)
                    : Status(config.error());
  if (done.ok()) done = GateRole(options, std::move(config).value(), open_streams).Run();
  if (done.ok()) return 0;
  spdlog::error("gate: {}", done.error().ToString());
  return 1;
}

}  // namespace telltale::app
