// The plane's shelf of releases, on the store: what is taken in is signed, trusted and whole.
#pragma once

#include <memory>

#include "control/release_shelf.h"
#include "control/release_store.h"

namespace telltale::control {

// `disk` must outlive it. Any thread. Errors of ReleaseStore; Diff() as ToJson(ReleaseDiff).
std::unique_ptr<ReleaseShelf> MakeStoreShelf(Disk& disk, const Paths& paths,
                                             RulesCheck check_rules);

}  // namespace telltale::control
