// Reading telltale.yaml with everything that comes before it: a flag `--set section.key=value`
// before a variable TELLTALE_<SECTION>_<NAME> before the file before the default. All mistakes are
// found at once, each with its place and, for a mistyped name, what was probably meant. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"

namespace telltale {

struct ConfigSources {
  std::string path;  // of the file; relative paths in any source are relative to its folder
  Environment environment;
  std::vector<std::string> settings;  // "mqtt.port=0", from --set
};

struct ConfigMistake {
  std::string where;  // "DIR/telltale.yaml:7", "env TELLTALE_MQTT_PORT", "flag --set mqtt.port"
  std::string what;

  std::string ToString() const { return where + ": " + what; }
};

struct ConfigReading {
  Config config;                        // holds for a process only if there are no mistakes
  std::vector<ConfigMistake> mistakes;  // of the file, by line; of variables and flags; of rules
  std::vector<ConfigMistake> warnings;  // TELLTALE_* variables that nothing here knows
  std::vector<std::string> origins;     // of each of ConfigKeys(): as `where`, or "default"
};

//   kNotFound no such file
//   kTooBig   over 1 MiB
// Mistakes are no error here.
Result<ConfigReading> ReadConfig(Disk& disk, const ConfigSources& sources);
// The same for a file's text.
ConfigReading ReadConfigText(std::string_view text, const ConfigSources& sources);

// The config if there are no mistakes, else kInvalid with all of them, one a line.
Result<Config> ConfigOf(const ConfigReading& reading);

}  // namespace telltale
