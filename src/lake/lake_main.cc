// telltale-lake --dir DIR: stream `telemetry` into Parquet and hand-offs. See lake.h.
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>

#include "base/config.h"
#include "base/logging.h"
#include "base/stop.h"
#include "lake/lake.h"

namespace telltale::lake {
namespace {

constexpr std::chrono::milliseconds kWakeTimeout{200};
constexpr std::chrono::milliseconds kRetryTimeout{200};
constexpr Micros kCountersEvery = Micros::Seconds(1);

constexpr std::uint64_t kShadowRunBytesMax = 64u << 20;

struct Arguments {
  std::string dir;
  bool once = false;
  std::string shadow;  // folder; empty: the lake of the installation
};

LakeOptions OptionsOf(const Config& config, const Paths& paths) {
  LakeOptions options;
  options.lake_folder = paths.lake();
  options.erased_list = paths.data() + "/erased/list";
  options.contracts_folder = paths.contracts();
  options.positions_folder = paths.positions();
  options.partitions = config.log_partitions;
  options.shards = config.log_shards;
  options.cadence = Micros::Seconds(config.lake_cadence_s);
  return options;
}

// Reads the same stream for a candidate release; all that it writes lies in `folder`. Nobody wants
// that when whoever started it is killed.
Status AddShadow(Disk& disk, const std::string& folder, LakeOptions& options) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const std::string path = folder + "/run.json";
  ASSIGN_OR_RETURN(const std::string json, ReadWholeFile(disk, path, kShadowRunBytesMax));
  auto run = ParseShadowRun(json);
  if (!run.ok()) return Error{run.error().code, path + ": " + run.error().message};
  options.shadow = std::move(run).value();
  options.lake_folder = folder;
  options.positions_folder = folder + "/positions";
  return Ok();
}

class Counting {
 public:
  Counting(Disk& disk, Clock& clock, std::string folder)
      : clock_(clock), folder_(std::move(folder)) {
    // A count is no promise: where the folder cannot be made, there are no counts.
    (void)disk.MakeFolders(folder_);
  }
  Counters& counters() { return counters_; }
  void WriteWhenDue() {
    const Micros now = clock_.NowMonotonic();
    if (written_at_ && now - *written_at_ < kCountersEvery) return;
    written_at_ = now;
    Write();
  }
  void Write() { (void)WriteCounters(folder_, "lake", counters_); }

 private:
  Clock& clock_;
  std::string folder_;
  Counters counters_;
  std::optional<Micros> written_at_;
};

// The log may not be there yet when we start.
Result<std::unique_ptr<Lake>> OpenWhenThere(Disk& disk, Clock& clock, Counters& counters,
                                            const LakeOptions& options, const Paths& paths,
                                            bool once) {
  const auto open = [&](ShardId shard, const log::Position& from) {
    return log::Reader::Open(disk, paths.log(), "telemetry", shard, from);
  };
  while (true) {
    auto lake = Lake::Open(disk, clock, counters, options, open);
    if (lake.ok() || lake.error().code != Code::kNotFound || once) return lake;
    if (WaitForStop(kRetryTimeout)) return Error{Code::kUnavailable, "asked to stop"};
  }
}

Status Run(const Arguments& arguments) {
  PosixDisk disk;
  SystemClock clock;
  const Paths paths(arguments.dir);
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, paths.config()));
  RETURN_IF_ERROR(ConfigureLogging("lake", config.logging_format, config.logging_level));
  LakeOptions options = OptionsOf(config, paths);
  const bool is_shadow = !arguments.shadow.empty();
  if (is_shadow) RETURN_IF_ERROR(AddShadow(disk, arguments.shadow, options));
  const bool once = arguments.once || is_shadow;
  Counting counting(disk, clock, is_shadow ? arguments.shadow : paths.run() + "/counters");
  auto opened = OpenWhenThere(disk, clock, counting.counters(), options, paths, once);
  if (!opened.ok()) return StopRequested() ? Ok() : Status(opened.error());
  Lake& lake = **opened;
  log::WakeClient wake(paths.log_socket());
  spdlog::info("reading from hand-off {} on", lake.newest_handoff());
  while (!StopRequested()) {
    ASSIGN_OR_RETURN(const bool has_read, lake.Step());
    counting.WriteWhenDue();
    if (has_read) continue;
    if (once) {
      const Status cut = lake.Cut();
      counting.Write();
      return cut;
    }
    wake.Wait(kWakeTimeout);
  }
  return Ok();
}

int Main(int argc, char** argv) {
  CLI::App app{
      "Writes stream `telemetry` as Parquet files and hand-offs for the Iceberg committer"};
  Arguments arguments;
  app.add_option("--dir", arguments.dir, "the folder `telltale init` made")->required();
  app.add_flag("--once", arguments.once, "write what is durable now, then end");
  app.add_option("--shadow", arguments.shadow,
                 "for a candidate release: into this folder, as its run.json says, then end");
  CLI11_PARSE(app, argc, argv);
  const Status status = Run(arguments);
  if (status.ok()) return 0;
  spdlog::error("{}", status.error().ToString());
  return 1;
}

}  // namespace
}  // namespace telltale::lake

int main(int argc, char** argv) {
  telltale::WatchForStop();
  telltale::StartLogging("lake");
  return telltale::lake::Main(argc, argv);
}
