// `telltale vehicles choice`: what a vehicle's owner wants kept (docs/choice.md).
#pragma once

namespace CLI {
class App;
}

namespace telltale::app {

void AddChoiceCommand(CLI::App& vehicles, int& exit_code);

}  // namespace telltale::app
