// telltale.yaml and the folder it lies in. One file for every process of one installation; paths
// follow from the folder, so that a process needs only `--dir DIR`. What each key means and may be
// is in the table of config_schema.h and on the page it gives, docs/configuration.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/cell.h"
#include "base/disk.h"
#include "base/ids.h"
#include "base/limits.h"

namespace telltale {

// The process's variables that begin with TELLTALE_, by name: the seam to getenv.
using Environment = std::map<std::string, std::string>;
Environment ProcessEnvironment();

struct Config {
  // environment
  std::string environment_name = "local";
  std::string environment_kind = "dev";         // dev | staging | prod
  std::string environment_side_effects = "on";  // on | off
  // mqtt, feed: port 0 = any free one; the ports in use are in run/gateway.port and run/feed.port
  std::string mqtt_listen = "127.0.0.1";
  std::uint16_t mqtt_port = 8883;
  std::string mqtt_client_ca;        // "" = ca/ca.crt of the folder
  std::string mqtt_revocation_list;  // "" = ca/vehicles.crl of the folder, which may be absent
  std::uint64_t mqtt_vehicle_bytes_per_s = 4u << 20;
  std::string feed_listen = "127.0.0.1";
  std::uint16_t feed_port = 8080;
  // Certificate and key come together; without all three feed.listen must be a loopback address.
  std::string feed_tls_certificate;
  std::string feed_tls_key;
  std::string feed_token_file;
  // operations: metrics and health; the port in use is in run/operations.port
  std::string operations_listen = "127.0.0.1";
  std::uint16_t operations_port = 9464;
  std::string operations_tls_certificate;  // as for the feed
  std::string operations_tls_key;
  std::string operations_token_file;
  // log
  std::string log_backend = "files";  // files | kafka
  std::uint16_t log_partitions = kPartitionsDefault;
  std::uint16_t log_shards = kShardsDefault;
  std::uint16_t vault_port = 8443;      // with the others of its size
  std::uint16_t control_port = 8444;    // with the others of its size
  std::uint16_t kafka_replication = 3;  // copies of each partition; with the others of its size
  std::uint64_t log_segment_bytes = 64u << 20;
  std::uint64_t log_unsynced_bytes_max = 16u << 20;  // per shard; then sockets are not read
  // What is older goes, by whole segments, when every reader has passed it (log/log.h, Retain).
  std::uint32_t log_retention_hours = 28 * 24;
  std::uint32_t log_sealed_retention_hours = 72;
  // kafka: where the streams live with log.backend kafka
  std::string kafka_brokers;  // host:port, host:port
  std::string kafka_topic_prefix = "telltale.";
  std::string kafka_settings_file;  // "" = none; librdkafka's own settings, such as SASL and TLS
  // privacy
  int cell_level = kFinestCellLevel;
  std::uint32_t lake_cadence_s = 60;  // with the other of its size
  // choice: of a vehicle whose register says nothing (docs/choice.md); on | off
  std::string choice_precise = "on";
  std::string choice_cell = "on";
  std::string choice_behaviour = "on";
  std::string choice_safety_always = "off";
  // vault
  std::uint32_t vault_window_days = 30;
  std::uint32_t vault_quarantine_days = 14;
  std::uint32_t vault_refused_days = 14;
  std::uint32_t vault_unknown_days = 30;
  std::string vault_key_provider = "file";  // file | pkcs11 | command
  std::string vault_key_replica;            // "" = none
  std::string vault_pkcs11_module;
  std::string vault_pkcs11_token;
  std::string vault_pkcs11_pin_file;
  std::string vault_key_command;
  std::string vault_file_keys_waiver;  // why a prod environment goes without a token
  // The audited way in over HTTP with client certificates; the port in use is in
  // run/vault/vault.port.
  std::string vault_http = "off";  // off | on
  std::string vault_listen = "127.0.0.1";
  std::string vault_tls_certificate;
  std::string vault_tls_key;
  std::string vault_client_ca;
  std::string vault_policy;  // "" = DIR/vault-policy.yaml; who may ask the vault for what
  // releases: what a release on trial may take (docs/operate.md)
  std::uint32_t releases_candidate_memory_mib = 2048;
  std::uint32_t releases_candidate_journal_mib = 1024;
  // gate: how a rollout is compared
  std::uint32_t gate_lateness_s = 300;
  // control: the API of releases and rollouts; the port in use is in run/control.port
  std::string control_http = "off";  // off | on
  std::string control_listen = "127.0.0.1";
  std::string control_tls_certificate;
  std::string control_tls_key;
  std::string control_client_ca;            // "" = tokens alone
  std::string control_webhook_url;          // "" = nobody is told
  std::string control_webhook_secret_file;  // what the bodies are signed with
  std::string control_webhook_ca;           // "" = the system's authorities
  // logging
  std::string logging_format = "logfmt";  // logfmt | json
  std::string logging_level = "info";     // trace | debug | info | warn | error
  // users: auto = two users when root and the folders can be reached; required; single
  std::string users = "auto";

  // What holds for a process: a variable TELLTALE_<SECTION>_<NAME> before the file before the
  // default. Relative paths come out joined to the file's folder. config_read.h says more.
  //   kInvalid  every mistake there is, one a line: where it is, what is wrong, what is allowed
  //   kNotFound no such file
  static Result<Config> Load(Disk& disk, const std::string& path,
                             const Environment& environment = ProcessEnvironment());
  // With a comment on each key. Loading it gives the same again (relative paths: joined).
  std::string ToYaml() const;
};

// Where everything lies below DIR.
struct Paths {
  explicit Paths(std::string dir) : root(std::move(dir)) {}
  std::string root;

  std::string config() const { return root + "/telltale.yaml"; }
  std::string ca() const { return root + "/ca"; }        // ca.crt, ca.key
  std::string certs() const { return root + "/certs"; }  // server.crt, server.key
  std::string keys() const { return root + "/keys"; }    // see seal/keys.h, control/
  std::string data() const { return root + "/data"; }
  std::string log() const { return data() + "/log"; }
  std::string contracts() const { return data() + "/contracts"; }  // <digest>.desc
  std::string unknown_fields() const { return log() + "/unknown.json"; }
  std::string releases() const { return data() + "/releases"; }  // <digest>/manifest.json, rules
  std::string registry() const { return data() + "/registry"; }
  std::string journal() const { return data() + "/journal"; }  // <release>/
  std::string worker() const { return data() + "/worker"; }    // <release>/ snapshots
  std::string publish() const { return data() + "/publish"; }  // alerts.db
  std::string lake() const { return data() + "/lake"; }        // handoff/, warehouse/, catalog.db
  std::string positions() const { return data() + "/positions"; }
  std::string erased() const { return data() + "/erased"; }  // list, jobs/, lock
  std::string erasure_list() const { return erased() + "/list"; }
  std::string vault() const { return root + "/vault"; }                // 0700, the vault's own user
  std::string run() const { return root + "/run"; }                    // sockets, ports, counters
  std::string log_socket() const { return run() + "/log/wake.sock"; }  // wake-ups
  std::string append_socket() const { return run() + "/log/append.sock"; }      // config records
  std::string orders_socket() const { return run() + "/publish/orders.sock"; }  // publisher's
  std::string registry_socket() const { return run() + "/registry/registry.sock"; }
  std::string vault_policy() const { return root + "/vault-policy.yaml"; }
  std::string vault_socket() const { return run() + "/vault/vault.sock"; }
};

}  // namespace telltale
