// Commands that ask the control plane; each file adds its own.
#pragma once

namespace CLI {
class App;
}

namespace telltale::app {

void AddControlCommand(CLI::App& app, int& exit_code);         // control token new|list|revoke
void AddControlObjectCommands(CLI::App& app, int& exit_code);  // environment, cohort, policy …
void AddPromoteCommands(CLI::App& app, int& exit_code);        // promote, hold, resume
void AddRollbackCommand(CLI::App& app, int& exit_code);        // rollback
void AddPinCommands(CLI::App& app, int& exit_code);            // pin, unpin
void AddReinstateCommands(CLI::App& app, int& exit_code);      // reinstate, break-glass
void AddCohortPreview(CLI::App& cohort, int& exit_code);       // cohort preview
void AddGateCommands(CLI::App& gate, int& exit_code);          // gate explain|verdict
void AddGateCalibration(CLI::App& gate, int& exit_code);       // gate calibration|judge-halt
void AddRehearsalCommand(CLI::App& app, int& exit_code);       // rehearsal list
void AddApproveCommand(CLI::App& app, int& exit_code);         // approve
void AddRolloutCommand(CLI::App& app, int& exit_code);         // rollout list|show|watch|report
void AddControlAuditCommand(CLI::App& app, int& exit_code);    // audit
// All of them.
void AddControlCommands(CLI::App& app, int& exit_code);

}  // namespace telltale::app
