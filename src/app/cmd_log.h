// `telltale log`: looks at a log from outside, as any reader may: how far it is, what it holds.
// Headers and counts only, never a payload.
#pragma once

namespace CLI {
class App;
}

namespace telltale::app {

void AddLogCommand(CLI::App& app, int& exit_code);

}  // namespace telltale::app
