// telltale-worker: the safety path of one release, a program of its own so that releases can
// differ.
#include "safety/run.h"

#include <cstdio>
#include <cstring>
#include <string>

#include "base/stop.h"
#include "log/kafka/open_streams.h"

namespace {

constexpr const char* kUsage =
    "usage: telltale-worker --dir DIR --release DIGEST\n"
    "  --dir DIR         the folder that `telltale init` made\n"
    "  --release DIGEST  64 hex digits; data/releases/DIGEST has the manifest and rules\n";

}  // namespace

int main(int argc, char** argv) {
  telltale::WatchForStop();
  telltale::safety::WorkerOptions options;
  options.open_streams = telltale::log::kafka::OpenStreams;
  for (int n = 1; n < argc; ++n) {
    if (std::strcmp(argv[n], "--help") == 0) {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (std::strcmp(argv[n], "--dir") == 0 && n + 1 < argc) {
      options.dir = argv[++n];
    } else if (std::strcmp(argv[n], "--release") == 0 && n + 1 < argc) {
      options.release = argv[++n];
    } else {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  if (options.dir.empty() || options.release.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  return telltale::safety::RunWorker(options);
}
