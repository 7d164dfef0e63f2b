// `telltale sim` and `telltale replay`: cars that are not there, through the real door.
#pragma once

namespace CLI {
class App;
}

namespace telltale::app {

void AddSimCommand(CLI::App& app, int& exit_code);
void AddReplayCommand(CLI::App& app, int& exit_code);

}  // namespace telltale::app
