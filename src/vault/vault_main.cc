// telltale-vault: the only program that opens what the door sealed.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/logging.h"
#include "base/stop.h"
#include "seal/locked.h"
#include "vault/service.h"
#include "vault/vault_program.h"
#ifdef TELLTALE_VAULT_HTTP
#include "vault/http/http_side.h"
#endif

namespace telltale::vault {
namespace {

#ifdef TELLTALE_VAULT_HTTP
constexpr Micros kReloadPause = Micros::Seconds(5);
#endif

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
  ASSIGN_OR_RETURN(const auto program, VaultProgram::Open(disk, clock, random, counters, dir));
  const Paths& paths = program->paths();
  RETURN_IF_ERROR(disk.MakeFolders(paths.run() + "/vault", 0755));
  const auto service = std::make_shared<Service>(program->door());
  // Anyone may connect; the kernel says who it is, and that decides.
  ASSIGN_OR_RETURN(LocalListener listener, LocalListener::Listen(paths.vault_socket(), 0666));
#ifdef TELLTALE_VAULT_HTTP
  HttpSide http(program->door(), counters);
  RETURN_IF_ERROR(http.Start(disk, program->config(), paths));
  program->loop().Add(kReloadPause, [&http] { http.Reload(); });
#endif
  std::thread serving([&] { (void)Service::Run(service, std::move(listener)); });
  program->loop().Run();
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
