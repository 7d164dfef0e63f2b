// telltale-worker as a process: one thread per shard until asked to stop.
#pragma once

#include <string>

#include "log/streams.h"

namespace telltale::safety {

struct WorkerOptions {
  std::string dir;      // the folder `telltale init` made
  std::string release;  // 64 hex digits
  log::OpenStreams open_streams = nullptr;
};

// Exit code. WatchForStop() must have been called.
int RunWorker(const WorkerOptions& options);

}  // namespace telltale::safety
