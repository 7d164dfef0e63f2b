// What is asked of the vault, from flags to JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace telltale::app {

struct VaultQuestion {
  std::vector<std::string> vehicles;
  std::string from;
  std::string to;
  std::vector<std::string> fields;
  std::string purpose;
  std::string case_id;
  std::int64_t hold = 0;  // 0 = none
  bool quarantine = false;
  bool unknown = false;
  bool break_glass = false;
  bool keep = false;

  // Without `op`.
  //   kInvalid  names the flag
  Result<nlohmann::json> ToJson() const;
};

// Flags for all but break_glass and keep. `question` outlives the parse.
void AddQuestion(CLI::App& command, VaultQuestion& question);

}  // namespace telltale::app
