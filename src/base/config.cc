#include "base/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace telltale {
namespace {

template <typename T>
Status ReadNumber(const YAML::Node& node, const std::string& key, T low, T high, T& out) {
  long long value = 0;
  try {
    value = node.as<long long>();
  } catch (const YAML::Exception&) {
    return Error{Code::kInvalid, key + " must be a whole number"};
  }
  if (std::cmp_less(value, low) || std::cmp_greater(value, high)) {
    return Error{Code::kInvalid, fmt::format("{} must be between {} and {}", key, low, high)};
  }
  out = static_cast<T>(value);
  return Ok();
}

Status ReadChoice(const YAML::Node& node, const std::string& key,
                  std::initializer_list<const char*> allowed, std::string& out) {
  out = node.as<std::string>("");
  if (std::find(allowed.begin(), allowed.end(), out) != allowed.end()) return Ok();
  return Error{Code::kInvalid, fmt::format("{} must be one of {}", key, fmt::join(allowed, ", "))};
}

Status ReadText(const YAML::Node& node, const std::string& key, std::string& out) {
  if (!node.IsScalar()) return Error{Code::kInvalid, key + " must be a text"};
  out = node.as<std::string>();
  return Ok();
}

Status ReadUids(const YAML::Node& node, const std::string& key, std::vector<std::uint32_t>& out) {
  if (!node.IsSequence()) return Error{Code::kInvalid, key + " must be a list of user ids"};
  for (const YAML::Node& item : node) {
    std::uint32_t uid = 0;
    RETURN_IF_ERROR(ReadNumber<std::uint32_t>(item, key, 0, UINT32_MAX, uid));
    out.push_back(uid);
  }
  return Ok();
}

using Setter = std::function<Status(const YAML::Node&, const std::string&, Config&)>;

template <typename T>
Setter Number(T Config::* member, T low, T high) {
  return [=](const YAML::Node& node, const std::string& key, Config& config) {
    return ReadNumber<T>(node, key, low, high, config.*member);
  };
}

Setter Text(std::string Config::* member) {
  return [=](const YAML::Node& node, const std::string& key, Config& config) {
    return ReadText(node, key, config.*member);
  };
}

struct Key {
  const char* section;
  const char* name;
  Setter set;
};

const std::vector<Key>& Keys() {
  static const std::vector<Key> keys = {
      {"environment", "name", Text(&Config::environment_name)},
      {"environment", "kind",
       [](const YAML::Node& node, const std::string& key, Config& config) {
         return ReadChoice(node, key, {"dev", "staging", "prod"}, config.environment_kind);
       }},
      {"mqtt", "listen", Text(&Config::mqtt_listen)},
      {"mqtt", "port", Number<std::uint16_t>(&Config::mqtt_port, 0, 65535)},
      {"feed", "listen", Text(&Config::feed_listen)},
      {"feed", "port", Number<std::uint16_t>(&Config::feed_port, 0, 65535)},
      {"log", "partitions", Number<std::uint16_t>(&Config::log_partitions, 1, 4096)},
      {"log", "shards", Number<std::uint16_t>(&Config::log_shards, 1, 64)},
      {"log", "segment_bytes",
       Number<std::uint64_t>(&Config::log_segment_bytes, 4u << 20, 1u << 30)},
      {"log", "unsynced_bytes_max",
       Number<std::uint64_t>(&Config::log_unsynced_bytes_max, 4u << 20, 1u << 30)},
      // Finer than 12 is refused here and again on every write (design, "Cell").
      {"privacy", "cell_level", Number<int>(&Config::cell_level, 5, kFinestCellLevel)},
      {"lake", "cadence_s", Number<std::uint32_t>(&Config::lake_cadence_s, 1, 3600)},
      {"vault", "window_days",
       Number<std::uint32_t>(&Config::vault_window_days, 1, kVaultWindowDaysMax)},
      {"vault", "allowed_uids",
       [](const YAML::Node& node, const std::string& key, Config& config) {
         return ReadUids(node, key, config.vault_allowed_uids);
       }},
      {"", "users",
       [](const YAML::Node& node, const std::string& key, Config& config) {
         return ReadChoice(node, key, {"auto", "required", "single"}, config.users);
       }},
  };
  return keys;
}

Status Apply(const std::string& section, const std::string& name, const YAML::Node& value,
             Config& config) {
  const std::string full = section.empty() ? name : section + "." + name;
  for (const Key& key : Keys()) {
    if (section == key.section && name == key.name) return key.set(value, full, config);
  }
  return Error{Code::kInvalid, fmt::format("unknown key {} in line {}; `telltale init` writes a "
                                           "file with every key there is",
                                           full, value.Mark().line + 1)};
}

bool IsSection(const std::string& name) {
  return std::any_of(Keys().begin(), Keys().end(),
                     [&](const Key& key) { return name == key.section && !name.empty(); });
}

Status ApplyAll(const YAML::Node& root, Config& config) {
  if (!root.IsMap()) return Error{Code::kInvalid, "telltale.yaml must be a map of sections"};
  for (const auto& entry : root) {
    const auto name = entry.first.as<std::string>();
    if (!IsSection(name)) {
      RETURN_IF_ERROR(Apply("", name, entry.second, config));
      continue;
    }
    if (!entry.second.IsMap()) return Error{Code::kInvalid, name + " must be a map"};
    for (const auto& inner : entry.second) {
      RETURN_IF_ERROR(Apply(name, inner.first.as<std::string>(), inner.second, config));
    }
  }
  return Ok();
}

}  // namespace

Result<Config> Config::Load(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, path, 1u << 20));
  Config config;
  try {
    if (const Status applied = ApplyAll(YAML::Load(text), config); !applied.ok()) {
      return Annotate(applied.error(), path);
    }
  } catch (const YAML::Exception& e) {
    return Error{Code::kInvalid, fmt::format("{}: {}", path, e.what())};
  }
  if (config.log_shards > config.log_partitions) {
    return Error{Code::kInvalid, path + ": log.shards must not exceed log.partitions"};
  }
  return config;
}

std::string Config::ToYaml() const {
  return fmt::format(
      R"(# Telltale, one installation. Every key there is, with its value.
environment:
  name: {}
  kind: {}              # dev | staging | prod
mqtt:                    # where vehicles connect, TLS with client certificates
  listen: {}
  port: {}              # 0 = any free port, written to run/gateway.port
feed:                    # alerts as server-sent events
  listen: {}
  port: {}              # 0 = any free port, written to run/feed.port
log:
  partitions: {}          # fixed once the log exists
  shards: {}              # fixed once the log exists
  segment_bytes: {}
  unsynced_bytes_max: {}  # per shard; above it the gateway stops reading sockets
privacy:
  cell_level: {}          # S2 level; finer than 12 is refused
lake:
  cadence_s: {}
vault:
  window_days: {}         # exact positions are destroyed after this; at most 62
  allowed_uids: [{}]      # user ids that may query over the local socket
users: {}              # auto | required (two users or refuse to start) | single
)",
      environment_name, environment_kind, mqtt_listen, mqtt_port, feed_listen, feed_port,
      log_partitions, log_shards, log_segment_bytes, log_unsynced_bytes_max, cell_level,
      lake_cadence_s, vault_window_days, fmt::join(vault_allowed_uids, ", "), users);
}

}  // namespace telltale
