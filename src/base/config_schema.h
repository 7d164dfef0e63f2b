// The table of telltale.yaml: one entry per key. From it follow parsing, the file `init` writes,
// the names of variables and flags, the hints for a mistyped name and docs/configuration.md. A new
// key is a member of Config and an entry here. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/config.h"
#include "base/result.h"

namespace telltale {

enum class ConfigKind { kText, kPath, kNumber, kChoice };

using ConfigMember = std::variant<std::string Config::*, std::uint16_t Config::*,
                                  std::uint32_t Config::*, std::uint64_t Config::*, int Config::*>;

struct ConfigKey {
  std::string_view section;  // "" = stands at the top of the file
  std::string_view name;
  ConfigMember member;  // its value in a fresh Config is the default
  ConfigKind kind = ConfigKind::kText;
  std::uint64_t low = 0;  // of a number; of a text: bytes
  std::uint64_t high = 0;
  std::vector<std::string_view> choices = {};
  std::string_view unit = {};  // of a number; "" = a count or none
  std::string_view meaning = {};
  std::string_view since = "0.1";  // version of Telltale that first knew it
  bool fixed_by_init = false;      // what is stored depends on it: no flag or variable changes it

  std::string FullName() const;         // mqtt.port
  std::string EnvironmentName() const;  // TELLTALE_MQTT_PORT
  std::string Allowed() const;          // "a whole number from 0 to 65535"
};

// In the order of the file: sections together, keys without a section last.
const std::vector<ConfigKey>& ConfigKeys();
const ConfigKey* FindConfigKey(std::string_view section, std::string_view name);  // or null
bool IsConfigSection(std::string_view name);

// TELLTALE_* variables that are no keys: someone else reads them.
bool IsOtherVariable(std::string_view name);

// The value as text.
std::string ConfigText(const ConfigKey& key, const Config& config);
// Sets the value from a text.
//   kInvalid  what is allowed and what was given ("must be ..., but is ..."); config is unchanged
Status SetConfig(const ConfigKey& key, std::string_view text, Config& config);

// What a mistyped name was meant to be, "" when nothing is close.
std::string NearestConfigSection(std::string_view name);
const ConfigKey* NearestConfigKey(std::string_view section, std::string_view name);  // or null
const ConfigKey* NearestConfigVariable(std::string_view variable);                   // or null

// In quotes, on one line, not longer than a message bears.
std::string ShownInMessage(std::string_view text);

}  // namespace telltale
