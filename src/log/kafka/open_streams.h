// Which streams an installation has.
#pragma once

#include "log/streams.h"

namespace telltale::log::kafka {

// By log.backend of `config`: those of the log in paths.log(), or those on Kafka. Nothing is asked
// of the cluster yet. `disk` must outlive it.
//   kInvalid, kNotFound  the settings file: missing, unreadable, or it sets what is ours to set
Result<std::unique_ptr<Streams>> OpenStreams(Disk& disk, const Config& config, const Paths& paths);

}  // namespace telltale::log::kafka
