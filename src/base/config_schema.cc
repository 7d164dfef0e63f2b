#include "base/config_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <type_traits>

namespace telltale {
namespace {

constexpr std::uint64_t kKiB = 1u << 10;
constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kPathBytesMax = 4096;
constexpr std::uint64_t kTextBytesMax = 255;

ConfigKey Text(std::string_view section, std::string_view name, std::string Config::* member,
               std::string_view meaning) {
  return {.section = section,
          .name = name,
          .member = member,
          .kind = ConfigKind::kText,
          .low = 1,
          .high = kTextBytesMax,
          .meaning = meaning};
}

ConfigKey Path(std::string_view section, std::string_view name, std::string Config::* member,
               std::string_view meaning) {
  return {.section = section,
          .name = name,
          .member = member,
          .kind = ConfigKind::kPath,
          .low = 0,
          .high = kPathBytesMax,
          .meaning = meaning};
}

ConfigKey Choice(std::string_view section, std::string_view name, std::string Config::* member,
                 std::vector<std::string_view> choices, std::string_view meaning) {
  return {.section = section,
          .name = name,
          .member = member,
          .kind = ConfigKind::kChoice,
          .choices = std::move(choices),
          .meaning = meaning};
}

struct Bounds {
  std::uint64_t low;
  std::uint64_t high;
  std::string_view unit = {};
};

ConfigKey Number(std::string_view section, std::string_view name, ConfigMember member,
                 Bounds bounds, std::string_view meaning) {
  return {.section = section,
          .name = name,
          .member = member,
          .kind = ConfigKind::kNumber,
          .low = bounds.low,
          .high = bounds.high,
          .unit = bounds.unit,
          .meaning = meaning};
}

ConfigKey Fixed(ConfigKey key) {
  key.fixed_by_init = true;
  return key;
}

// Needed with another key's choice only.
ConfigKey MayBeEmpty(ConfigKey key) {
  key.low = 0;
  return key;
}

void AddDoors(std::vector<ConfigKey>& keys) {
  const auto add = [&](ConfigKey key) { keys.push_back(std::move(key)); };
  add(Text("mqtt", "listen", &Config::mqtt_listen,
           "Address where vehicles connect, by TLS with a certificate of their own."));
  add(Number("mqtt", "port", &Config::mqtt_port, {0, 65535},
             "0 = any free port; the one in use is in run/gateway.port."));
  add(Path("mqtt", "client_ca", &Config::mqtt_client_ca,
           "Authorities whose vehicles are let in, PEM. Empty = ca/ca.crt."));
  add(Path("mqtt", "revocation_list", &Config::mqtt_revocation_list,
           "Certificates that are let in no more, a PEM list signed by mqtt.client_ca; read again "
           "when it changes. Empty = ca/vehicles.crl, if there is one."));
  add(Number(
      "mqtt", "vehicle_bytes_per_s", &Config::mqtt_vehicle_bytes_per_s,
      {64 * kKiB, 1024 * kMiB, "bytes/s"},
      "What is read from one vehicle, a packet counting as 512 bytes at least; a faster one is "
      "slowed down, none is cut off."));
  add(Text("feed", "listen", &Config::feed_listen,
           "Address of the alert feed. Not a loopback one: needs TLS and a token."));
  add(Number("feed", "port", &Config::feed_port, {0, 65535},
             "0 = any free port; the one in use is in run/feed.port."));
  add(Path("feed", "tls_certificate", &Config::feed_tls_certificate,
           "Certificate chain of the feed, PEM. Empty = no TLS."));
  add(Path("feed", "tls_key", &Config::feed_tls_key, "Its private key, PEM."));
  add(Path("feed", "token_file", &Config::feed_token_file,
           "File whose one line readers send as bearer token. Empty = none is asked for."));
  add(Text("operations", "listen", &Config::operations_listen,
           "Address of metrics and health. Not a loopback one: needs TLS and a token."));
  add(Number("operations", "port", &Config::operations_port, {0, 65535},
             "0 = any free port; the one in use is in run/operations.port."));
  add(Path("operations", "tls_certificate", &Config::operations_tls_certificate,
           "Certificate chain of this listener, PEM. Empty = no TLS."));
  add(Path("operations", "tls_key", &Config::operations_tls_key, "Its private key, PEM."));
  add(Path("operations", "token_file", &Config::operations_token_file,
           "File whose one line readers send as bearer token. Empty = none is asked for."));
}

void AddChoices(std::vector<ConfigKey>& keys) {
  const auto add = [&](std::string_view name, std::string Config::* member,
                       std::string_view meaning) {
    keys.push_back(Choice("choice", name, member, {"on", "off"}, meaning));
  };
  add("precise", &Config::choice_precise,
      "Of a vehicle for which nothing else was chosen (docs/choice.md): its exact place is sealed "
      "for the vault; off: dropped at the door.");
  add("cell", &Config::choice_cell, "The same for its coarse cell and heading; off: not derived.");
  add("behaviour", &Config::choice_behaviour,
      "The same for all its open fields; off: only the arrival of its reports is kept.");
  add("safety_always", &Config::choice_safety_always,
      "on: safety fields are kept whatever a vehicle chose for behaviour. Needs a legal ground "
      "other than consent.");
}

void AddStreams(std::vector<ConfigKey>& keys) {
  const auto add = [&](ConfigKey key) { keys.push_back(std::move(key)); };
  add(Fixed(Choice("log", "backend", &Config::log_backend, {"files", "kafka"},
                   "Where the streams live: files of this machine, or Kafka, which the section "
                   "kafka is for.")));
  add(Fixed(Number("log", "partitions", &Config::log_partitions, {1, 4096},
                   "Partitions of every stream; vehicles are spread over them.")));
  add(Fixed(Number("log", "shards", &Config::log_shards, {1, 64},
                   "Files the partitions are spread over, each with a thread of its own; "
                   "not more than log.partitions.")));
  add(Number("log", "segment_bytes", &Config::log_segment_bytes, {4 * kMiB, 1024 * kMiB, "bytes"},
             "Size of one file of a shard."));
  add(Number("log", "unsynced_bytes_max", &Config::log_unsynced_bytes_max,
             {4 * kMiB, 1024 * kMiB, "bytes"},
             "Per shard; above it vehicles are not read until the disk has caught up."));
  add(Number("log", "retention_hours", &Config::log_retention_hours, {1, 24 * 366, "h"},
             "How long safety and telemetry are kept. A reader half of it behind is an alarm; at "
             "0.8 of it vehicles are not read until the reader has caught up."));
  add(Number(
      "log", "sealed_retention_hours", &Config::log_sealed_retention_hours, {1, 24 * 31, "h"},
      "The same for the sealed stream, which holds exact positions until the vault has them."));
  add(MayBeEmpty(Text("kafka", "brokers", &Config::kafka_brokers,
                      "Where to find the cluster: host:port, several separated by commas.")));
  add(Fixed(Text("kafka", "topic_prefix", &Config::kafka_topic_prefix,
                 "Topics are this and the stream's name; one of its own for each installation.")));
  add(Fixed(Number("kafka", "replication", &Config::kafka_replication, {1, 15},
                   "Copies of each partition when a topic is made; a record is durable when all "
                   "but one have it (docs/kafka.md).")));
  add(Path("kafka", "settings_file", &Config::kafka_settings_file,
           "File of librdkafka's own settings, a key=value a line, such as security.protocol and "
           "sasl.*; for the platform's user alone, since it may hold a password."));
  // Finer than 12 is refused here and again on every write (design, "Cell").
  add(Number("privacy", "cell_level", &Config::cell_level, {5, kFinestCellLevel},
             "S2 level of the cells that stand for a position outside the vault; a finer "
             "one is refused."));
  add(Number("lake", "cadence_s", &Config::lake_cadence_s, {1, 3600, "s"},
             "Time between commits to the lake."));
  add(Path("vault", "policy", &Config::vault_policy,
           "Who may ask the vault for what (docs/vault-access.md). Read when no policy was ever "
           "activated; after that `telltale vault policy activate` changes it. Empty = "
           "vault-policy.yaml."));
}

void AddVault(std::vector<ConfigKey>& keys) {
  const auto add = [&](ConfigKey key) { keys.push_back(std::move(key)); };
  const auto days = [&](const char* name, std::uint32_t Config::* member, const char* meaning) {
    add(Number("vault", name, member, {0, kVaultWindowDaysMax, "days"}, meaning));
  };
  days("window_days", &Config::vault_window_days,
       "Exact positions are destroyed after this; 0 = none is stored.");
  days("quarantine_days", &Config::vault_quarantine_days,
       "The same for reports that the door refused.");
  days("refused_days", &Config::vault_refused_days, "The same for envelopes that do not open.");
  days("unknown_days", &Config::vault_unknown_days,
       "The same for fields that the contract has no place for.");
  add(Choice("vault", "key_provider", &Config::vault_key_provider, {"file", "pkcs11", "command"},
             "Where root keys live. With file a destruction cannot be proved against an image of "
             "the disk; a prod environment refuses it without vault.file_keys_waiver."));
  add(MayBeEmpty(Text("vault", "file_keys_waiver", &Config::vault_file_keys_waiver,
                      "Why a prod environment keeps its root keys in files all the same; recorded "
                      "at each start.")));
  add(Path("vault", "pkcs11_module", &Config::vault_pkcs11_module,
           "Shared library of the token. Needed with key_provider pkcs11."));
  add(MayBeEmpty(
      Text("vault", "pkcs11_token", &Config::vault_pkcs11_token, "Label of the token.")));
  add(Path("vault", "pkcs11_pin_file", &Config::vault_pkcs11_pin_file,
           "File whose one line is the token's PIN; for the vault's user alone."));
  add(Path("vault", "key_command", &Config::vault_key_command,
           "Program that makes, wraps, unwraps and destroys root keys "
           "(docs/formats/vault-keys.md). Needed with key_provider command."));
  add(Path("vault", "key_replica", &Config::vault_key_replica,
           "Folder on another disk where the key tree is kept too. Empty = none."));
  add(Choice("vault", "http", &Config::vault_http, {"off", "on"},
             "Whether the audited way in is there over HTTP with client certificates too."));
  add(Text("vault", "listen", &Config::vault_listen, "Address of the vault's HTTP."));
  add(Number("vault", "port", &Config::vault_port, {0, 65535},
             "0 = any free port; the one in use is in run/vault/vault.port."));
  add(Path("vault", "tls_certificate", &Config::vault_tls_certificate,
           "Certificate chain of the vault's HTTP, PEM. Needed with http on."));
  add(Path("vault", "tls_key", &Config::vault_tls_key, "Its private key, PEM."));
  add(Path("vault", "client_ca", &Config::vault_client_ca,
           "Authority of the people who may ask, PEM; who they are is in the policy."));
}

void AddControl(std::vector<ConfigKey>& keys) {
  const auto add = [&](ConfigKey key) { keys.push_back(std::move(key)); };
  add(Choice("control", "http", &Config::control_http, {"off", "on"},
             "Whether `telltale serve` keeps the control plane here, with its API over HTTP "
             "(docs/control.md). One installation keeps it for all environments."));
  add(Text("control", "listen", &Config::control_listen,
           "Address of the control plane's API. Not a loopback one: needs TLS."));
  add(Number("control", "port", &Config::control_port, {0, 65535},
             "0 = any free port; the one in use is in run/control.port."));
  add(Path("control", "tls_certificate", &Config::control_tls_certificate,
           "Certificate chain of the API, PEM. Empty = no TLS."));
  add(Path("control", "tls_key", &Config::control_tls_key, "Its private key, PEM."));
  add(Path("control", "client_ca", &Config::control_client_ca,
           "Authority of people who may show a certificate instead of a token, PEM; use one of its "
           "own. Empty = tokens alone."));
  add(MayBeEmpty(Text("control", "webhook_url", &Config::control_webhook_url,
                      "Who is told of rollouts that halt, are held, pass or go back "
                      "(docs/control.md, webhook): https://, or http:// to this machine. Empty = "
                      "nobody. Nobody either with environment.side_effects off.")));
  add(Path("control", "webhook_secret_file", &Config::control_webhook_secret_file,
           "File with the secret that signs what is told, 16 bytes or more. Needed with "
           "webhook_url."));
  add(Path("control", "webhook_ca", &Config::control_webhook_ca,
           "Authority of the receiver's certificate, PEM. Empty = the system's."));
}

std::vector<ConfigKey> MakeKeys() {
  std::vector<ConfigKey> keys;
  keys.push_back(Fixed(Text("environment", "name", &Config::environment_name,
                            "Name of the environment; part of every alert's id.")));
  keys.push_back(Choice("environment", "kind", &Config::environment_kind,
                        {"dev", "staging", "prod"},
                        "prod refuses what only a trial may do, such as a vault under the "
                        "same user."));
  keys.push_back(Choice(
      "environment", "side_effects", &Config::environment_side_effects, {"on", "off"},
      "off: what is computed here concerns no car that drives, and who reads it must not act "
      "on it. A mark that `telltale mirror run` asks for before it feeds an environment; a "
      "prod one must not have it. It silences control's webhook; alerts Telltale hands to "
      "nobody."));
  AddDoors(keys);
  AddStreams(keys);
  AddVault(keys);
  AddControl(keys);
  AddChoices(keys);
  keys.push_back(Number("releases", "candidate_memory_mib", &Config::releases_candidate_memory_mib,
                        {256, 1u << 20, "MiB"},
                        "Address space of the worker of a rollout's candidate; one that wants more "
                        "ends, and is started again."));
  keys.push_back(Number(
      "releases", "candidate_journal_mib", &Config::releases_candidate_journal_mib,
      {16, 1u << 20, "MiB"},
      "What a candidate's journal may grow by while one config is in force; one that writes more "
      "is stopped until the config changes."));
  keys.push_back(Number("gate", "lateness_s", &Config::gate_lateness_s, {0, 86'400, "s"},
                        "Log time that an output of one release of a rollout waits for the other's "
                        "like before it counts as missing or extra."));
  keys.push_back(Choice("logging", "format", &Config::logging_format, {"logfmt", "json"},
                        "Form of the lines that processes write to stderr."));
  keys.push_back(Choice("logging", "level", &Config::logging_level,
                        {"trace", "debug", "info", "warn", "error"},
                        "Lines below it are not written."));
  keys.push_back(Fixed(Choice(
      "", "users", &Config::users, {"auto", "required", "single"},
      "auto: a user of its own for the vault when root and the folders allow it; required: that or "
      "refuse to start; single: one user, the vault's boundary is not enforced.")));
  return keys;
}

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool IsOneLine(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; });
}

bool IsAllowedText(const ConfigKey& key, std::string_view text) {
  if (key.kind == ConfigKind::kChoice) {
    return std::find(key.choices.begin(), key.choices.end(), text) != key.choices.end();
  }
  return text.size() >= key.low && text.size() <= key.high && IsOneLine(text);
}

// False when `text` is not allowed.
bool Assign(const ConfigKey& key, std::string_view text, std::string& out) {
  if (!IsAllowedText(key, text)) return false;
  out = text;
  return true;
}

template <typename T>
  requires std::is_integral_v<T>
bool Assign(const ConfigKey& key, std::string_view text, T& out) {
  const auto number = ParseNumber(text);
  if (!number || *number < key.low || *number > key.high) return false;
  out = static_cast<T>(*number);
  return true;
}

}  // namespace

std::string ConfigKey::FullName() const {
  return section.empty() ? std::string(name) : fmt::format("{}.{}", section, name);
}

std::string ConfigKey::EnvironmentName() const {
  std::string text = "TELLTALE_" + FullName();
  for (char& c : text) {
    if (c == '.') c = '_';
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

std::string ConfigKey::Allowed() const {
  switch (kind) {
    case ConfigKind::kText:
      return fmt::format("a text of {} to {} bytes on one line", low, high);
    case ConfigKind::kPath:
      return "a path, or \"\"";
    case ConfigKind::kNumber:
      return fmt::format("a whole number from {} to {}", low, high);
    case ConfigKind::kChoice:
      return fmt::format("one of {}", fmt::join(choices, ", "));
  }
  return {};
}

const std::vector<ConfigKey>& ConfigKeys() {
  static const std::vector<ConfigKey> keys = MakeKeys();
  return keys;
}

const ConfigKey* FindConfigKey(std::string_view section, std::string_view name) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section == section && key.name == name) return &key;
  }
  return nullptr;
}

bool IsConfigSection(std::string_view name) {
  return !name.empty() && std::any_of(ConfigKeys().begin(), ConfigKeys().end(),
                                      [&](const ConfigKey& key) { return key.section == name; });
}

bool IsOtherVariable(std::string_view name) {
  // The data sets that tests and demonstrations read, and the log that the latter use.
  return name == "TELLTALE_DATA" || name == "TELLTALE_LOG" || name == "TELLTALE_CONTROL_URL" ||
         name == "TELLTALE_CONTROL_TOKEN_FILE";
}

std::string ConfigText(const ConfigKey& key, const Config& config) {
  return std::visit(
      [&](auto member) -> std::string {
        const auto& value = config.*member;
        if constexpr (std::is_same_v<decltype(value), const std::string&>) {
          return value;
        } else {
          return fmt::format("{}", value);
        }
      },
      key.member);
}

Status SetConfig(const ConfigKey& key, std::string_view text, Config& config) {
  const bool is_set =
      std::visit([&](auto member) { return Assign(key, text, config.*member); }, key.member);
  if (is_set) return Ok();
  const bool is_number = key.kind == ConfigKind::kNumber && ParseNumber(text).has_value();
  return Error{Code::kInvalid,
               fmt::format("{} must be {}, but is {}", key.FullName(), key.Allowed(),
                           is_number ? std::string(text) : ShownInMessage(text))};
}

std::string ShownInMessage(std::string_view text) {
  constexpr std::size_t kBytesMax = 64;
  std::string shown = "\"";
  for (const char c : text.substr(0, kBytesMax)) {
    const bool is_plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    shown += is_plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return shown + (text.size() > kBytesMax ? "...\"" : "\"");
}

}  // namespace telltale
