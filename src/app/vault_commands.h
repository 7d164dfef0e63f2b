// Parts of `telltale vault`; cmd_vault.cc puts them together.
#pragma once

namespace CLI {
class App;
}

namespace telltale::app {

void AddVaultQuery(CLI::App& vault, int& exit_code);
void AddVaultRequests(CLI::App& vault,
                      int& exit_code);  // request, requests, approve, refuse, review
void AddVaultExport(CLI::App& vault, int& exit_code);
void AddVaultPolicy(CLI::App& vault, int& exit_code);
void AddVaultAudit(CLI::App& vault, int& exit_code);
void AddVaultReport(CLI::App& vault, int& exit_code);  // report, holds

}  // namespace telltale::app
