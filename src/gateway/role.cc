#include "gateway/role.h"

#include <spdlog/spdlog.h>

#include <chrono>

#include "base/logging.h"
#include "base/stop.h"
#include "gateway/gateway.h"
#include "net/tls_descriptor_limit.h"
#include "seal/locked.h"

namespace telltale::gateway {
namespace {

constexpr std::chrono::milliseconds kTurn{50};
constexpr int kTurnsPerCounters = 20;  // once a second
constexpr int kTurnsPerTrust = 40;     // every 2 s

class Process {
 public:
  Process(const RoleOptions& options, log::OpenStreams open_streams)
      : paths_(options.dir), open_streams_(open_streams) {}

  Status Run() {
    RETURN_IF_ERROR(seal::ForbidDumps());
    RETURN_IF_ERROR(disk_.MakeFolders(counters_folder(), 0750));
    if (disk_.Exists(port_file())) RETURN_IF_ERROR(disk_.Remove(port_file()));
    ASSIGN_OR_RETURN(const Config config, Config::Load(disk_, paths_.config()));
    RETURN_IF_ERROR(ConfigureLogging("gateway", config.logging_format, config.logging_level));
    if (const Status locked = seal::LockKeysInMemory(); !locked.ok()) {
      if (config.environment_kind == "prod") return locked;
      spdlog::warn("gateway: {}", locked.error().message);
    }
    net::RaiseDescriptorLimit();
    ASSIGN_OR_RETURN(const auto streams, open_streams_(disk_, config, paths_));
    ASSIGN_OR_RETURN(
        const auto gateway,
        Gateway::Start(config, paths_, {disk_, clock_, counters_, *streams, RateOf(config)}));
    Status served = Serve(*gateway);
    gateway->Stop();
    gateway->SaveUnknown();
    WriteCounts();
    return served;
  }

 private:
  // The burst is what the rate gives in the same time as by default.
  static ByteBudget::Rate RateOf(const Config& config) {
    const auto rate = static_cast<std::int64_t>(config.mqtt_vehicle_bytes_per_s);
    return {rate, rate * (kVehicleBurstBytesMax / kVehicleBytesPerSecondMax)};
  }
  std::string port_file() const { return paths_.run() + "/gateway.port"; }
  std::string counters_folder() const { return paths_.run() + "/counters"; }

  Status Serve(Gateway& gateway) {
    ASSIGN_OR_RETURN(ConditionFile condition_file,
                     ConditionFile::Open(disk_, paths_.run() + "/gateway.conditions"));
    bool is_open = false;
    for (int turn = 0; !WaitForStop(kTurn); ++turn) {
      if (gateway.has_failed()) {
        return Error{Code::kUnavailable, "the log failed (why: above); see to its disk or broker"};
      }
      if (!is_open && gateway.has_config()) {
        ASSIGN_OR_RETURN(const std::uint16_t port, gateway.OpenDoor());
        RETURN_IF_ERROR(WriteFileDurably(disk_, port_file(), std::to_string(port) + "\n", 0644));
        spdlog::info("gateway: vehicles may connect to port {}", port);
        is_open = true;
      }
      if (turn % kTurnsPerCounters == 0) {
        WriteCounts();
        gateway.SaveUnknown();
        const Status told = condition_file.Write(gateway.conditions());
        if (!told.ok()) spdlog::warn("gateway: {}", told.error().ToString());
      }
      if (turn % kTurnsPerTrust == 0) {
        gateway.RefreshTrust();
        gateway.RefreshTransportKeys();
      }
    }
    return Ok();
  }

  void WriteCounts() {
    const Status written = WriteCounters(counters_folder(), "gateway", counters_);
    if (!written.ok()) spdlog::warn("gateway: {}", written.error().ToString());
  }

  const Paths paths_;
  const log::OpenStreams open_streams_;
  PosixDisk disk_;
  SystemClock clock_;
  Counters counters_;
};

}  // namespace

int RunGatewayRole(const RoleOptions& options, log::OpenStreams open_streams) {
  StartLogging("gateway");
  const Status done = Process(options, open_streams).Run();
  if (done.ok()) return 0;
  spdlog::error("gateway: {}", done.error().ToString());
  return 1;
}

}  // namespace telltale::gateway
