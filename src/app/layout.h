// Where the installation's own programs and files lie, seen from the real path of this program:
// bin/telltale, libexec/telltale/, lib/telltale/, share/telltale/. The build tree looks the same.
#pragma once

#include <string>

#include "base/result.h"

namespace telltale::app {

struct Layout {
  // From /proc/self/exe. kUnavailable when it cannot be read.
  static Result<Layout> OfThisProgram();
  static Layout At(const std::string& prefix);

  std::string telltale;             // bin/telltale
  std::string worker;               // libexec/telltale/telltale-worker
  std::string lake;                 // libexec/telltale/telltale-lake
  std::string vault;                // libexec/telltale/telltale-vault
  std::string python;               // lib/telltale/python/bin/python3
  std::string python_site;          // lib/telltale/site, holds the package telltale_lake
  std::string contract_descriptor;  // share/telltale/contract.desc
  std::string rules;                // share/telltale/release/default/rules.yaml
};

// kNotFound, naming the path, unless there is a program at `path` that may be executed.
Status CheckProgram(const std::string& path);

}  // namespace telltale::app
