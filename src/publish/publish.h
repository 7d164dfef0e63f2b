// publish/ - authority and sinks: the authoritative release's outputs become alerts, once each.
//   in      output journals of the releases (docs/formats/journal.md)
//   out     the alert store (docs/formats/alerts-db.md), the feed (docs/formats/feed.md)
//   owns    data/publish
//   thread  one loop commits; the feed's HTTP server has a thread and a connection of its own
//   not here: what an alert means (safety/), who decides on a flip (control/)
#pragma once

#include "base/role.h"

namespace telltale::publish {

// `telltale role publisher`. WatchForStop() must have been called. Exit code.
int RunPublisherRole(const RoleOptions& options);

}  // namespace telltale::publish
