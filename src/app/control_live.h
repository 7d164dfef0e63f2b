// What goes on in one environment now, for the page: newest alerts, arrivals, drops by reason, lag
// by stage, and the releases that run side by side. docs/control-page.md has the JSON.
//   in      the installation's folder: run/, the log's ends and positions, journals, the alert
//           store, the config in force; and run/publish/orders.sock, asked for its status
//   out     JSON; nothing is written
//   thread  any; one look at a time
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "base/disk.h"
#include "base/mutex.h"
#include "base/result.h"

namespace telltale::app {

inline constexpr std::size_t kLiveAlertsMax = 50;

class ControlLive {
 public:
  // Both must outlive it.
  ControlLive(Disk& disk, const Clock& clock);
  ~ControlLive();

  // A part that cannot be read is left empty and named in `missing`, with the reason.
  //   kNotFound  `dir` is no installation
  Result<nlohmann::json> Look(const std::string& dir);

 private:
  struct Counted;  // what was counted of one installation so far
  Disk& disk_;
  const Clock& clock_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<Counted>> counted_ GUARDED_BY(mutex_);
};

}  // namespace telltale::app
