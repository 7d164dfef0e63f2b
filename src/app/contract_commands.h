// Parts of `telltale contract` that look at an installation; cmd_contract.cc puts them together.
#pragma once

namespace CLI {
class App;
}

namespace telltale::app {

void AddContractActivate(CLI::App& contract, int& exit_code);
void AddContractStatus(CLI::App& contract, int& exit_code);
void AddContractUnknown(CLI::App& contract, int& exit_code);
void AddContractCoverage(CLI::App& contract, int& exit_code);
void AddContractDocs(CLI::App& contract, int& exit_code);

}  // namespace telltale::app
