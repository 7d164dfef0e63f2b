#include "base/config_read.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>

#include "base/config_anchors.h"
#include "base/config_rules.h"
#include "base/config_schema.h"

namespace telltale {
namespace {

constexpr std::uint64_t kFileBytesMax = 1u << 20;
constexpr std::string_view kDefault = "default";
constexpr std::string_view kFlag = "flag --set ";
constexpr std::string_view kVariable = "env ";

std::string DidYouMean(std::string_view name) {
  return name.empty() ? "" : fmt::format("; did you mean {}?", name);
}

std::string DidYouMean(const ConfigKey* key) {
  return DidYouMean(key == nullptr ? "" : key->FullName());
}

// Names come from files and command lines: shown as they are only if they look like names.
std::string NameInMessage(std::string_view name) {
  const bool is_plain = name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
                          return c == '_' || c == '.' || c == '-' || (c >= '0' && c <= '9') ||
                                 (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                        });
  return is_plain && !name.empty() ? std::string(name) : ShownInMessage(name);
}

std::string Joined(std::string_view section, std::string_view name) {
  return section.empty() ? std::string(name) : fmt::format("{}.{}", section, name);
}

std::string KindOfNode(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  return node.IsScalar() ? ShownInMessage(node.Scalar()) : "empty";
}

class Reader {
 public:
  explicit Reader(const ConfigSources& sources) : sources_(sources) {
    reading_.origins.assign(ConfigKeys().size(), std::string(kDefault));
  }

  ConfigReading Read(std::string_view text) {
    ReadFile(text);
    const Config in_file = reading_.config;
    ReadVariables();
    ReadSettings();
    RefuseChangesToFixed(in_file);
    JoinPaths();
    for (const ConfigRuleBreak& broken : BrokenConfigRules(reading_.config)) {
      const bool is_set = OriginOf(*broken.key) != kDefault;
      AddMistake(OriginOf(is_set ? *broken.key : *broken.other), broken.what);
    }
    return std::move(reading_);
  }

 private:
  // The file

  void ReadFile(std::string_view text) {
    if (RefuseTabs(text)) return;
    try {
      const YamlExtras extras = FindYamlExtras(text);
      if (extras.anchor_line) {
        AddMistake(InLine(*extras.anchor_line),
                   "an anchor or alias (& or *); write the value itself");
        return;
      }
      if (extras.second_document_line) {
        AddMistake(InLine(*extras.second_document_line),
                   "a second document; everything stands in one");
        return;
      }
      const YAML::Node root = YAML::Load(std::string(text));
      if (!root.IsMap()) {
        AddMistake(sources_.path,
                   "holds no map of sections; `telltale init` writes a file with every key");
        return;
      }
      ReadRoot(root);
    } catch (const YAML::Exception& e) {
      AddMistake(InLine(e.mark), fmt::format("not YAML: {}", e.msg));
    }
  }

  // yaml-cpp takes some tabs for a value's text and calls others an "illegal map value".
  bool RefuseTabs(std::string_view text) {
    bool found = false;
    int line = 0;
    for (std::size_t at = 0; at < text.size(); ++line) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view whole = text.substr(at, end - at);
      const std::size_t start = std::min(whole.find_first_not_of(" \t\r"), whole.size());
      const bool says_something = start < whole.size() && whole[start] != '#';
      if (says_something && whole.substr(0, start).find('\t') != std::string_view::npos) {
        AddMistake(InLine(line), "indented with a tab; use spaces");
        found = true;
      }
      at = end + 1;
    }
    return found;
  }

  void ReadRoot(const YAML::Node& root) {
    std::map<std::string, int> lines;
    for (const auto& entry : root) {
      const int line = entry.first.Mark().line;
      if (!IsNewName("", entry.first, lines)) continue;
      const std::string& name = entry.first.Scalar();
      if (!IsConfigSection(name)) {
        ReadTop(name, entry.second, line);
      } else if (entry.second.IsMap()) {
        ReadSection(name, entry.second);
      } else if (!entry.second.IsNull()) {
        AddMistake(InLine(line), fmt::format("{} must be a map of keys, but is {}", name,
                                             KindOfNode(entry.second)));
      }
    }
  }

  void ReadTop(const std::string& name, const YAML::Node& value, int line) {
    if (const ConfigKey* key = FindConfigKey("", name)) return ReadValue(*key, value, line);
    const std::string section = NearestConfigSection(name);
    if (value.IsMap()) {
      AddMistake(InLine(line),
                 fmt::format("unknown section {}{}", NameInMessage(name), DidYouMean(section)));
      return;
    }
    const ConfigKey* nearest = NearestConfigKey("", name);
    AddMistake(InLine(line),
               fmt::format("unknown key {}{}", NameInMessage(name),
                           nearest != nullptr ? DidYouMean(nearest) : DidYouMean(section)));
  }

  void ReadSection(const std::string& section, const YAML::Node& map) {
    std::map<std::string, int> lines;
    for (const auto& entry : map) {
      if (!IsNewName(section, entry.first, lines)) continue;
      const std::string& name = entry.first.Scalar();
      const int line = entry.first.Mark().line;
      if (const ConfigKey* key = FindConfigKey(section, name)) {
        ReadValue(*key, entry.second, line);
        continue;
      }
      AddMistake(InLine(line), fmt::format("unknown key {}{}", NameInMessage(Joined(section, name)),
                                           DidYouMean(NearestConfigKey(section, name))));
    }
  }

  // yaml-cpp would keep one of two equal keys and say nothing.
  bool IsNewName(const std::string& section, const YAML::Node& name,
                 std::map<std::string, int>& lines) {
    const int line = name.Mark().line;
    if (!name.IsScalar()) {
      AddMistake(InLine(line), "a key must be a name");
      return false;
    }
    const auto [seen, is_new] = lines.emplace(name.Scalar(), line);
    if (!is_new) {
      AddMistake(InLine(line),
                 fmt::format("{} is given twice; first in line {}",
                             NameInMessage(Joined(section, name.Scalar())), seen->second + 1));
    }
    return is_new;
  }

  void ReadValue(const ConfigKey& key, const YAML::Node& value, int line) {
    if (!value.IsScalar()) return RefuseKind(key, value, line);
    Set(key, value.Scalar(), InLine(line));
  }

  void RefuseKind(const ConfigKey& key, const YAML::Node& value, int line) {
    AddMistake(InLine(line), fmt::format("{} must be {}, but is {}", key.FullName(), key.Allowed(),
                                         KindOfNode(value)));
  }

  // What comes before the file

  void ReadVariables() {
    for (const auto& [name, value] : sources_.environment) {
      if (!name.starts_with("TELLTALE_") || IsOtherVariable(name)) continue;
      const std::string where = std::string(kVariable) + name;
      const auto key =
          std::find_if(ConfigKeys().begin(), ConfigKeys().end(),
                       [&](const ConfigKey& one) { return one.EnvironmentName() == name; });
      if (key != ConfigKeys().end()) {
        Set(*key, value, where);
      } else {
        RefuseVariable(name, where);
      }
    }
  }

  // One that looks like a key is a mistake: it would be without effect. Others may belong to
  // another program.
  void RefuseVariable(const std::string& name, const std::string& where) {
    std::string lower = name.substr(std::string_view("TELLTALE_").size());
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    const std::size_t end = lower.find('_');
    const bool has_section = end != std::string::npos && IsConfigSection(lower.substr(0, end));
    const ConfigKey* nearest = has_section
                                   ? NearestConfigKey(lower.substr(0, end), lower.substr(end + 1))
                                   : NearestConfigVariable(name);
    const std::string hint = DidYouMean(nearest == nullptr ? "" : nearest->EnvironmentName());
    std::vector<ConfigMistake>& list =
        has_section || nearest != nullptr ? reading_.mistakes : reading_.warnings;
    list.push_back({where, "no key has this name" + hint});
  }

  void ReadSettings() {
    std::map<std::string, int> seen;
    for (const std::string& setting : sources_.settings) {
      const std::size_t equals = setting.find('=');
      const std::string name = setting.substr(0, equals);
      const std::string where = std::string(kFlag) + NameInMessage(name);
      if (equals == std::string::npos) {
        AddMistake(where, "must be section.key=value");
        continue;
      }
      const std::size_t dot = name.find('.');
      const std::string section = dot == std::string::npos ? "" : name.substr(0, dot);
      const std::string last = dot == std::string::npos ? name : name.substr(dot + 1);
      const ConfigKey* key = FindConfigKey(section, last);
      if (key == nullptr) {
        AddMistake(where, fmt::format("unknown key {}{}", NameInMessage(name),
                                      DidYouMean(NearestConfigKey(section, last))));
      } else if (++seen[name] > 1) {
        AddMistake(where, "is given twice");
      } else {
        Set(*key, setting.substr(equals + 1), where);
      }
    }
  }

  // What is stored depends on these: a process that was told otherwise would misread it.
  void RefuseChangesToFixed(const Config& in_file) {
    for (const ConfigKey& key : ConfigKeys()) {
      const std::string written = ConfigText(key, in_file);
      if (!key.fixed_by_init || ConfigText(key, reading_.config) == written) continue;
      AddMistake(OriginOf(key), fmt::format("{} is fixed by `telltale init`; here it is {}",
                                            key.FullName(), ShownInMessage(written)));
    }
  }

  void JoinPaths() {
    for (const ConfigKey& key : ConfigKeys()) {
      if (key.kind != ConfigKind::kPath) continue;
      std::string& path = reading_.config.*std::get<std::string Config::*>(key.member);
      if (!path.empty() && path[0] != '/') path = ParentFolder(sources_.path) + "/" + path;
    }
  }

  void Set(const ConfigKey& key, std::string_view text, const std::string& where) {
    if (const Status set = SetConfig(key, text, reading_.config); !set.ok()) {
      AddMistake(where, set.error().message);
      return;
    }
    OriginOf(key) = where;
  }

  std::string& OriginOf(const ConfigKey& key) {
    return reading_.origins[static_cast<std::size_t>(&key - ConfigKeys().data())];
  }

  void AddMistake(std::string where, std::string what) {
    reading_.mistakes.push_back({std::move(where), std::move(what)});
  }

  std::string InLine(int line) const { return fmt::format("{}:{}", sources_.path, line + 1); }
  std::string InLine(const YAML::Mark& mark) const {
    return mark.is_null() ? sources_.path : InLine(mark.line);
  }

  const ConfigSources& sources_;
  ConfigReading reading_;
};

}  // namespace

Result<ConfigReading> ReadConfig(Disk& disk, const ConfigSources& sources) {
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, sources.path, kFileBytesMax));
  return ReadConfigText(text, sources);
}

ConfigReading ReadConfigText(std::string_view text, const ConfigSources& sources) {
  return Reader(sources).Read(text);
}

Result<Config> ConfigOf(const ConfigReading& reading) {
  if (reading.mistakes.empty()) return reading.config;
  std::string all;
  for (const ConfigMistake& mistake : reading.mistakes) {
    if (!all.empty()) all += '\n';
    all += mistake.ToString();
  }
  return Error{Code::kInvalid, all};
}

}  // namespace telltale
