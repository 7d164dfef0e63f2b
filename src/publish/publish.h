// publish/ - authority and sinks: the authoritative release's outputs become alerts, once each.
//   in      output journals of the releases (docs/formats/journal.md); signed config records on
//           run/publish/orders.sock (docs/decisions/0009-authority-by-lot.md)
//   out     the alert store (docs/formats/alerts-db.md), the feed (docs/formats/feed.md)
//   owns    data/publish, run/publish
//   thread  one loop commits and flips; the feed's HTTP server has a thread and a connection of its
//           own, so has each peer of orders.sock
//   not here: what an alert means (safety/), who decides on a flip (control/)
#pragma once

#include "base/role.h"

namespace telltale::publish {

// `telltale role publisher`. WatchForStop() must have been called. Exit code.
int RunPublisherRole(const RoleOptions& options);

}  // namespace telltale::publish
