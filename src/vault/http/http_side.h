// The vault's HTTP server, when the configuration wants one.
#pragma once

#include <memory>

#include "base/config.h"
#include "base/counters.h"
#include "base/disk.h"
#include "vault/http/vault_http.h"

namespace telltale::vault {

class HttpSide {
 public:
  // Both must outlive it.
  HttpSide(AccessDoor& door, Counters& counters) : handler_(door), counters_(counters) {}

  // Nothing when vault.http is off. The port in use is in run/vault/vault.port.
  //   as net::HttpServer::Start
  Status Start(Disk& disk, const Config& config, const Paths& paths);
  // Reads certificates and revocations again. Every few seconds.
  void Reload();

 private:
  VaultHttp handler_;
  Counters& counters_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace telltale::vault
