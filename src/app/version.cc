#include "app/version.h"

#include <fmt/format.h>

#include "base/format_version.h"

namespace telltale::app {

std::string VersionText() {
  std::string text =
      fmt::format("telltale {}\ncommit {}\n\n{:<18}{:>8}{:>8}{:>15}\n", TELLTALE_VERSION,
                  BuildCommit(), "format", "writes", "reads", "oldest reader");
  for (const FormatVersion& one : kFormats) {
    text += fmt::format("{:<18}{:>8}{:>8}{:>15}\n", one.name, one.written,
                        one.reads == 1 ? "1" : fmt::format("1-{}", one.reads), one.min_reader);
  }
  text.pop_back();  // whoever prints it ends the line
  return text;
}

nlohmann::json VersionJson() {
  nlohmann::json version{{"version", TELLTALE_VERSION}, {"commit", BuildCommit()}};
  version["formats"] = nlohmann::json::array();
  for (const FormatVersion& one : kFormats) {
    version["formats"].push_back({{"name", one.name},
                                  {"writes", one.written},
                                  {"reads", one.reads},
                                  {"oldest_reader", one.min_reader}});
  }
  return version;
}

}  // namespace telltale::app
