// Whom the door lets in: the authorities, what they took back, and the gateway's own certificate,
// as the files say now.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/counters.h"
#include "net/tls_reload.h"

namespace telltale::gateway {

// Any thread, but Refresh() on one at a time.
class VehicleTrust {
 public:
  // `clock` and `counters` must outlive this and every connection.
  //   errors of TlsContext::ForServer
  static Result<std::unique_ptr<VehicleTrust>> Load(net::TlsFiles files, const Clock& clock,
                                                    Counters& counters);

  // For the next connection.
  net::TlsContext current() const { return tls_->current(); }
  // Also for a connection that was accepted with a former context.
  bool IsRevoked(const net::TlsConnection& connection) const {
    return current().IsRevoked(connection);
  }

  // Looks at the files. True: they have changed and are in force, so connections that are open may
  // be revoked by now. Files that are no good leave the former in force: they are counted at each
  // look and logged once.
  bool Refresh();

 private:
  VehicleTrust(std::unique_ptr<net::ReloadableTlsContext> tls, const Clock& clock,
               Counters& counters);
  void WarnOfStaleList();

  const std::unique_ptr<net::ReloadableTlsContext> tls_;
  const Clock& clock_;
  Counter& reloads_;
  Counter& failures_;
  std::string last_failure_;  // empty: the files were good when last looked at
  bool has_warned_ = false;
};

}  // namespace telltale::gateway
