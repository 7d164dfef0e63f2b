#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>

#include "app/commands.h"

namespace telltale::app {

int ExitCode(const Status& status) {
  if (status.ok()) return 0;
  fmt::print(stderr, "telltale: {}\n", status.error().ToString());
  return 1;
}

bool WantsColor() {
  const char* no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): one thread
  return isatty(STDOUT_FILENO) != 0 && (no_color == nullptr || no_color[0] == '\0');
}

}  // namespace telltale::app
