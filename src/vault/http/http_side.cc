#include "vault/http/http_side.h"

#include <spdlog/spdlog.h>

namespace telltale::vault {

Status HttpSide::Start(Disk& disk, const Config& config, const Paths& paths) {
  if (config.vault_http != "on") return Ok();
  net::HttpOptions options;
  options.section = "vault";
  options.listen = config.vault_listen;
  options.port = config.vault_port;
  options.tls_certificate = config.vault_tls_certificate;
  options.tls_key = config.vault_tls_key;
  options.tls_client_ca = config.vault_client_ca;
  options.workers = static_cast<std::size_t>(kHttpAnswersMax);
  ASSIGN_OR_RETURN(server_, net::HttpServer::Start(options, handler_, counters_));
  spdlog::info("vault: HTTP with client certificates on {}:{}", config.vault_listen,
               server_->port());
  return WriteFileDurably(disk, paths.run() + "/vault/vault.port",
                          std::to_string(server_->port()) + "\n", 0644);
}

void HttpSide::Reload() {
  if (server_ == nullptr) return;
  const auto reloaded = server_->ReloadTls();
  if (!reloaded.ok()) spdlog::warn("vault: {}", reloaded.error().ToString());
}

}  // namespace telltale::vault
