// The audited way in over HTTP: `POST /v1/<op>` with a JSON object, answered line by line; who asks
// is the client certificate's. The same door as the local socket's (access/door.h).
// Messages: docs/formats/vault-http.md.
#pragma once

#include "net/http_server.h"
#include "vault/access/door.h"

namespace telltale::vault {

// Answers that are being made at one time; the next gets 503.
inline constexpr int kHttpAnswersMax = 8;

// Must outlive its server. Serve() blocks: the server needs workers.
class VaultHttp final : public net::HttpHandler {
 public:
  explicit VaultHttp(AccessDoor& door) : door_(door) {}
  ~VaultHttp() override;  // waits for answers that are being made

  net::HttpRoute RouteOf(const std::string& path) override;
  net::HttpAnswer Serve(const net::HttpRequest& request) override;

 private:
  bool Enter();
  void Leave();

  AccessDoor& door_;
  Mutex mutex_;
  CondVar left_;
  int answers_ GUARDED_BY(mutex_) = 0;
};

}  // namespace telltale::vault
