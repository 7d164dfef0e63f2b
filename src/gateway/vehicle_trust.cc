#include "gateway/vehicle_trust.h"

#include <spdlog/spdlog.h>

namespace telltale::gateway {

VehicleTrust::VehicleTrust(std::unique_ptr<net::ReloadableTlsContext> tls, const Clock& clock,
                           Counters& counters)
    : tls_(std::move(tls)),
      clock_(clock),
      reloads_(counters.Get("certificates_reloaded")),
      failures_(counters.Get("certificates_refused")) {}

Result<std::unique_ptr<VehicleTrust>> VehicleTrust::Load(net::TlsFiles files, const Clock& clock,
                                                         Counters& counters) {
  auto tickets = std::make_shared<net::TicketKeys>(clock);
  ASSIGN_OR_RETURN(auto tls, net::ReloadableTlsContext::ForServer(std::move(files),
                                                                  {.tickets = std::move(tickets)}));
  std::unique_ptr<VehicleTrust> made(new VehicleTrust(std::move(tls), clock, counters));
  made->WarnOfStaleList();
  return made;
}

bool VehicleTrust::Refresh() {
  WarnOfStaleList();
  const Result<bool> changed = tls_->ReloadIfChanged();
  if (!changed.ok()) {
    failures_.Add();
    std::string failure = changed.error().ToString();
    if (failure != last_failure_) {
      spdlog::error("gateway: new certificates refused, the former stay in force: {}", failure);
    }
    last_failure_ = std::move(failure);
    return false;
  }
  if (!*changed) {
    if (!last_failure_.empty()) spdlog::info("gateway: the former certificates are back");
  } else {
    reloads_.Add();
    spdlog::info("gateway: certificates and revocation list read again");
  }
  last_failure_.clear();
  return *changed;
}

void VehicleTrust::WarnOfStaleList() {
  const bool is_stale = current().has_stale_list(clock_.NowUtc());
  if (is_stale && !has_warned_) {
    spdlog::warn(
        "gateway: the revocation list has expired; what it names stays revoked, newer revocations "
        "are missing: get a fresh one from the authority");
  }
  has_warned_ = is_stale;
}

}  // namespace telltale::gateway
