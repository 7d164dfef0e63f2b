// `telltale vault transport-keys`: needs no running vault.
#pragma once

namespace CLI {
class App;
}

namespace telltale::app {

void AddTransportKeysCommand(CLI::App& vault, int& exit_code);

}  // namespace telltale::app
