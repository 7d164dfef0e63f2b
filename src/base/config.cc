#include "base/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/config_read.h"
#include "base/config_schema.h"

namespace telltale {
namespace {

// Plain where every reader of YAML takes it for the same text or number.
std::string InYaml(const ConfigKey& key, const Config& config) {
  const std::string text = ConfigText(key, config);
  if (key.kind == ConfigKind::kNumber || key.kind == ConfigKind::kChoice) return text;
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c == '_' || c == '.' || c == '-' || c == '/' || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  const bool is_word = !text.empty() && text[0] != '-' && text[0] != '.' && text != "null" &&
                       text != "Null" && text != "NULL" && text != "true" && text != "false";
  if (is_plain && is_word) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// The comment above a key: its meaning, then what is allowed where the value does not show it.
std::string Comment(const ConfigKey& key, std::string_view indent) {
  std::string text(key.meaning);
  if (key.kind == ConfigKind::kNumber) {
    text += fmt::format(" {} to {}{}{}.", key.low, key.high, key.unit.empty() ? "" : " ", key.unit);
  }
  if (key.kind == ConfigKind::kChoice) text += fmt::format(" ({})", fmt::join(key.choices, " | "));
  if (key.fixed_by_init) text += " Fixed from init on.";
  constexpr std::size_t kColumns = 98;
  const std::string start = fmt::format("{}# ", indent);
  std::string comment;
  while (start.size() + text.size() > kColumns) {
    const std::size_t space = text.rfind(' ', kColumns - start.size());
    comment += start + text.substr(0, space) + "\n";
    text.erase(0, space + 1);
  }
  return comment + start + text + "\n";
}

}  // namespace

Environment ProcessEnvironment() {
  Environment environment;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::size_t equals = text.find('=');
    if (!text.starts_with("TELLTALE_") || equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

Result<Config> Config::Load(Disk& disk, const std::string& path, const Environment& environment) {
  ASSIGN_OR_RETURN(const ConfigReading reading,
                   ReadConfig(disk, {.path = path, .environment = environment, .settings = {}}));
  return ConfigOf(reading);
}

std::string Config::ToYaml() const {
  std::string text =
      "# Telltale, one installation. Every key there is, with its value; relative paths are "
      "relative "
      "to\n# this folder. `telltale config check` reads it back, `telltale config reference` says "
      "more.\n";
  std::string_view section;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section != section) {
      section = key.section;
      text += section.empty() ? "\n" : fmt::format("\n{}:\n", section);
    }
    const std::string_view indent = section.empty() ? "" : "  ";
    text += Comment(key, indent);
    text += fmt::format("{}{}: {}\n", indent, key.name, InYaml(key, *this));
  }
  return text;
}

}  // namespace telltale
