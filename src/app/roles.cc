#include "app/roles.h"

namespace telltale::app {

std::string ProgramPathOf(const std::string& role, const Layout& layout) {
  if (role == "worker") return layout.worker;
  if (role == "lake") return layout.lake;
  if (role == "committer") return layout.python;
  if (role == "vault") return layout.vault;
  return layout.telltale;
}

Program ProgramOf(const std::string& role, const ServeOptions& options, const std::string& release,
                  const std::optional<Users>& users) {
  Program program;
  program.name = role;
  program.arguments = {ProgramPathOf(role, options.layout)};
  auto& arguments = program.arguments;
  if (role == "committer") {
    arguments.insert(arguments.end(), {"-m", "telltale_lake", "commit", "--follow"});
    // -m finds the package here; nothing is written beside the sources.
    program.variables = {"PYTHONPATH=" + options.layout.python_site, "PYTHONDONTWRITEBYTECODE=1",
                         "PYTHONUNBUFFERED=1"};
  } else if (program.arguments[0] == options.layout.telltale) {
    arguments.insert(arguments.end(), {"role", role});
  }
  arguments.insert(arguments.end(), {"--dir", options.dir});
  if (role == "worker") arguments.insert(arguments.end(), {"--release", release});
  if (role == "registry" && options.demo) arguments.push_back("--demo");
  if (role == "registry" && options.seed) {
    arguments.insert(arguments.end(), {"--seed", std::to_string(*options.seed)});
  }
  if (users) program.user = role == "vault" ? users->vault : users->platform;
  return program;
}

}  // namespace telltale::app
