// `telltale vault`: asks the vault over its local socket. It opens nothing itself.
#pragma once

namespace CLI {
class App;
}

namespace telltale {

void AddVaultCommand(CLI::App& app, int& exit_code);

}  // namespace telltale
