#include "app/layout.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <system_error>

#include "base/disk.h"

namespace telltale::app {

Result<Layout> Layout::OfThisProgram() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size <= 0) {
    return Error{Code::kUnavailable, fmt::format("cannot read /proc/self/exe: {}",
                                                 std::generic_category().message(errno))};
  }
  const std::string program(path, static_cast<std::size_t>(size));
  return At(ParentFolder(ParentFolder(program)));
}

Layout Layout::At(const std::string& prefix) {
  Layout layout;
  layout.telltale = prefix + "/bin/telltale";
  layout.worker = prefix + "/libexec/telltale/telltale-worker";
  layout.lake = prefix + "/libexec/telltale/telltale-lake";
  layout.vault = prefix + "/libexec/telltale/telltale-vault";
  layout.python = prefix + "/lib/telltale/python/bin/python3";
  layout.python_site = prefix + "/lib/telltale/site";
  layout.contract_descriptor = prefix + "/share/telltale/contract.desc";
  layout.rules = prefix + "/share/telltale/release/default/rules.yaml";
  return layout;
}

Status CheckProgram(const std::string& path) {
  if (::access(path.c_str(), X_OK) == 0) return Ok();
  return Error{Code::kNotFound, fmt::format("the program {} is missing or cannot be executed ({})",
                                            path, std::generic_category().message(errno))};
}

}  // namespace telltale::app
