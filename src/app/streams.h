// The streams of an installation, for commands that look at them.
#pragma once

#include <memory>
#include <string>

#include "log/streams.h"

namespace telltale::app {

// As telltale.yaml says. `disk` must outlive them. Errors of Config::Load and of
// kafka::OpenStreams.
Result<std::unique_ptr<log::Streams>> StreamsOf(Disk& disk, const std::string& dir);

// The same for who looks at an installation that may be broken: without a config that can be read,
// those in files.
std::unique_ptr<log::Streams> StreamsOrFiles(Disk& disk, const std::string& dir);

}  // namespace telltale::app
