#include <fmt/core.h>

#include "app/commands.h"

namespace telltale::app {

int ExitCode(const Status& status) {
  if (status.ok()) return 0;
  fmt::print(stderr, "telltale: {}\n", status.error().ToString());
  return 1;
}

}  // namespace telltale::app
