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
#include "vault/desk.h"
#include "vault/owner_loop.h"
#include "vault/provider_choice.h"
#include "vault/query.h"
#include "vault/service.h"
#include "vault/settings.h"
#include "vault/tree_parts.h"
#ifdef TELLTALE_VAULT_HTTP
#include "vault/http/http_side.h"
#endif

namespace telltale::vault {
namespace {

constexpr Micros kMinute = Micros::Seconds(60);
constexpr Micros kReloadPause = Micros::Seconds(5);
constexpr Micros kHourPause{kHourUs};

// With the key without an end of an installation from before they had dates, if there is one.
Status LoadTransportKeys(Disk& disk, const Paths& paths, TransportKeys& keys) {
  if (const Status loaded = keys.Reload(); !loaded.ok()) {
    spdlog::error("vault: {}; what is sealed for it is kept aside", loaded.error().ToString());
  }
  Result<std::string> undated = seal::LoadKey(disk, paths.vault() + "/keys/seal.key");
  if (!undated.ok()) {
    return undated.error().code == Code::kNotFound ? Ok() : Status(undated.error());
  }
  const Status added = keys.AddUndated(*undated);
  seal::Wipe(*undated);
  return added;
}

void RecordStart(Store& store, const Config& config, const std::string& waiver) {
  AuditFields fields{{"v", std::to_string(VersionOf(Format::kAuditLog).written)},
                     {"window_days", std::to_string(config.vault_window_days)},
                     {"provider", AuditText(config.vault_key_provider)}};
  if (!waiver.empty()) {
    spdlog::warn("vault: root keys lie in files of a prod environment, waived: {}", waiver);
    fields.emplace_back("waiver", AuditText(waiver));
  }
  const auto started = store.audit().Append("started", fields);
  if (!started.ok()) spdlog::error("vault: {}", started.error().ToString());
}

std::vector<Expiring> ExpiringAnswers(AccessDoor& door) {
  std::vector<Expiring> expiring;
  for (const auto& [id, dies_at] : door.KeptAnswers()) {
    expiring.push_back({"kept answer " + id, StartOf(dies_at)});
  }
  return expiring;
}

// On the owner's thread, beside its own work.
void AddChores(OwnerLoop& loop, Desk& desk, AccessDoor& door, TransportKeys& transport_keys,
               Store& store, const Config& config) {
  const Micros keep_for = SealedRetentionOf(config);
  loop.Add(kHourPause, [&desk] { desk.Reconcile(); });
  loop.Add(kMinute, [&door] {
    const Status removed = door.RemoveExpiredExports();
    if (!removed.ok()) spdlog::error("vault: kept answers: {}", removed.error().ToString());
  });
  loop.Add(kMinute, [&transport_keys, &store, keep_for] {
    const Status destroyed =
        DestroyExpiredTransportKeys(transport_keys, store.guard().NowForKeys(), keep_for);
    if (!destroyed.ok()) spdlog::error("vault: {}", destroyed.error().ToString());
  });
}

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

  TransportKeys transport_keys(disk, paths.vault() + "/keys/transport");
  RETURN_IF_ERROR(LoadTransportKeys(disk, paths, transport_keys));
  GatewayKeys gateways(disk, paths.vault() + "/gateways");
  if (const Status loaded = gateways.Reload(); !loaded.ok()) {
    spdlog::warn("vault: {}", loaded.error().ToString());
  }
  const auto opener = Opener::Make(transport_keys, gateways, clock);
  const Result<std::string> control = seal::LoadKey(disk, paths.keys() + "/control.pub");
  if (!control.ok()) spdlog::warn("vault: {}", control.error().ToString());

  std::string waiver;
  ASSIGN_OR_RETURN(auto provider, ChooseProvider(disk, clock, random, config, paths, waiver));
  ASSIGN_OR_RETURN(const auto folder,
                   VaultFolder::Open(disk, clock, random, counters, std::move(provider),
                                     {.dir = paths.vault(),
                                      .windows = WindowsOf(config),
                                      .partitions = config.log_partitions,
                                      .replicas = ReplicasOf(config)}));
  Store& store = folder->store();
  if (!store.keys_locked()) {
    spdlog::warn("vault: its keys cannot be kept out of swap (RLIMIT_MEMLOCK)");
  }
  RecordStart(store, config, waiver);

  RecordIntake records(*opener, store, counters, control.ok() ? *control : "");
  Intake intake(disk, clock, counters, records, store,
                {paths.log(), paths.positions(), config.log_shards});
  OwnerTasks tasks;
  Decoder decoder(disk, paths.contracts(),
                  [&](std::uint32_t number) { return store.ContractDigest(number); });
  StoreRows rows(store, decoder, counters);
  TreeTags tags(folder->keys());
  TreeExportKeys export_keys(folder->keys(), tasks);
  std::unique_ptr<AccessDoor> door;
  const Micros sealed_retention = SealedRetentionOf(config);
  Desk desk(disk, counters, *folder, intake, tasks, paths,
            {.sealed = [&] { return SealedPartitions(disk, paths.log()); },
             .transport_keys = [&] { return ExpiringKeys(transport_keys, sealed_retention); },
             .exports = [&] { return ExpiringAnswers(*door); },
             .sealed_retention = sealed_retention});
  ASSIGN_OR_RETURN(
      door,
      AccessDoor::Open(
          {disk, clock, random, counters, store.audit(), rows, tags, export_keys, desk, desk},
          {.folder = paths.vault(),
           .policy_file = config.vault_policy.empty() ? paths.vault_policy() : config.vault_policy,
           .environment_kind = config.environment_kind,
           .platform_uid = OwnerOf(paths.data()),
           .window = WindowsOf(config).Of(RetentionClass::kPosition)}));
  RETURN_IF_ERROR(disk.MakeFolders(paths.run() + "/vault", 0755));
  const auto service = std::make_shared<Service>(*door);
  // Anyone may connect; the kernel says who it is, and that decides.
  ASSIGN_OR_RETURN(LocalListener listener, LocalListener::Listen(paths.vault_socket(), 0666));
  std::thread serving([&] { (void)Service::Run(service, std::move(listener)); });
  spdlog::info("vault: window {} days, {} gateways, root keys: {}", config.vault_window_days,
               gateways.size(), folder->provider().name());
  OwnerLoop loop(clock, counters, store, intake, tasks, paths);
  AddChores(loop, desk, *door, transport_keys, store, config);
#ifdef TELLTALE_VAULT_HTTP
  HttpSide http(*door, counters);
  RETURN_IF_ERROR(http.Start(disk, config, paths));
  loop.Add(kReloadPause, [&http] { http.Reload(); });
#endif
  loop.Run();
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
