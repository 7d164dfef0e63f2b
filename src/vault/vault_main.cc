// telltale-vault: the only program that opens what the door sealed.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/config.h"
#include "base/format_version.h"
#include "base/logging.h"
#include "base/stop.h"
#include "seal/locked.h"
#include "vault/access/local_parts.h"
#include "vault/intake.h"
#include "vault/owner_loop.h"
#include "vault/query.h"
#include "vault/service.h"

namespace telltale::vault {
namespace {

constexpr std::int64_t kDayUs = 86'400 * 1'000'000ll;

Status RunVault(const std::string& dir) {
  RETURN_IF_ERROR(seal::ForbidDumps());
  if (const Status locked = seal::LockKeysInMemory(); !locked.ok()) {
    spdlog::warn("vault: {}", locked.error().message);
  }
  PosixDisk disk;
  SystemClock clock;
  SystemRandom random;
  Counters counters;
  for (const char* name :
       {"frames_stored", "frames_expired", "hours_destroyed", "queries", "refusals", "rows_sent"}) {
    counters.Get(name);  // a count that is zero is shown as such
  }
  const Paths paths(dir);
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, paths.config()));
  RETURN_IF_ERROR(ConfigureLogging("vault", config.logging_format, config.logging_level));

  ASSIGN_OR_RETURN(std::string private_key, seal::LoadKey(disk, paths.vault() + "/keys/seal.key"));
  GatewayKeys gateways(disk, paths.vault() + "/gateways");
  if (const Status loaded = gateways.Reload(); !loaded.ok()) {
    spdlog::warn("vault: {}", loaded.error().ToString());
  }
  ASSIGN_OR_RETURN(const auto opener, Opener::Make(private_key, gateways, clock));
  seal::Wipe(private_key);
  const Result<std::string> control = seal::LoadKey(disk, paths.keys() + "/control.pub");
  if (!control.ok()) spdlog::warn("vault: {}", control.error().ToString());

  const Micros window{static_cast<std::int64_t>(config.vault_window_days) * kDayUs};
  ASSIGN_OR_RETURN(const auto store,
                   Store::Open(disk, clock, random, counters, {paths.vault(), window}));
  if (!store->keys_locked()) {
    spdlog::warn("vault: its keys cannot be kept out of swap (RLIMIT_MEMLOCK)");
  }
  const auto started =
      store->audit().Append("started", {{"v", std::to_string(VersionOf(Format::kAuditLog).written)},
                                        {"window_days", std::to_string(config.vault_window_days)}});
  if (!started.ok()) spdlog::error("vault: {}", started.error().ToString());

  RecordIntake records(*opener, *store, counters, control.ok() ? *control : "");
  Intake intake(disk, clock, counters, records, *store,
                {paths.log(), paths.positions(), config.log_shards});
  Decoder decoder(disk, paths.contracts(),
                  [&](std::uint32_t number) { return store->ContractDigest(number); });
  StoreRows rows(*store, decoder, clock, counters);
  RefTags tags;
  MemoryExportKeys export_keys(random);
  NoActions actions;
  ASSIGN_OR_RETURN(
      const auto door,
      AccessDoor::Open(
          {disk, clock, random, counters, store->audit(), rows, tags, export_keys, actions},
          {.folder = paths.vault(),
           .policy_file = config.vault_policy.empty() ? paths.vault_policy() : config.vault_policy,
           .environment_kind = config.environment_kind,
           .window = window}));
  const auto service = std::make_shared<Service>(*door);
  RETURN_IF_ERROR(disk.MakeFolders(paths.run() + "/vault", 0755));
  // Anyone may connect; the kernel says who it is, and that decides.
  ASSIGN_OR_RETURN(LocalListener listener, LocalListener::Listen(paths.vault_socket(), 0666));
  std::thread serving([&] { (void)Service::Run(service, std::move(listener)); });
  spdlog::info("vault: window {} days, {} gateways", config.vault_window_days, gateways.size());
  OwnerLoop(clock, counters, *store, intake, paths).Run();
  serving.join();
  // A peer that does not take its answer may still hold a thread: all is durable, so end here.
  std::_Exit(EXIT_SUCCESS);
}

}  // namespace
}  // namespace telltale::vault

int main(int argc, char** argv) {
  telltale::WatchForStop();
  telltale::StartLogging("vault");
  const std::string flag = argc == 3 ? argv[1] : "";
  if (flag != "--dir") {
    fmt::print(stderr, "usage: telltale-vault --dir DIR\n");
    return 2;
  }
  const telltale::Status ran = telltale::vault::RunVault(argv[2]);
  if (!ran.ok()) {
    spdlog::error("vault: {}", ran.error().ToString());
    return 1;
  }
  return 0;
}
