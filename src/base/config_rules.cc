#include "base/config_rules.h"

#include <arpa/inet.h>
#include <fmt/format.h>

namespace telltale {
namespace {

struct Listener {
  const char* section;
  const std::string& listen;
  const std::string& certificate;
  const std::string& key;
  const std::string& token;
};

void CheckListener(const Listener& listener, std::vector<ConfigRuleBreak>& broken) {
  const char* section = listener.section;
  if (listener.certificate.empty() != listener.key.empty()) {
    const char* missing = listener.key.empty() ? "tls_key" : "tls_certificate";
    const char* given = listener.key.empty() ? "tls_certificate" : "tls_key";
    broken.push_back({FindConfigKey(section, given), FindConfigKey(section, missing),
                      fmt::format("{0}.{1} needs {0}.{2} as well", section, given, missing)});
  }
  std::vector<std::string> missing;
  if (listener.certificate.empty()) missing.push_back(fmt::format("{}.tls_certificate", section));
  if (listener.key.empty()) missing.push_back(fmt::format("{}.tls_key", section));
  if (listener.token.empty()) missing.push_back(fmt::format("{}.token_file", section));
  if (IsLoopback(listener.listen) || missing.empty()) return;
  broken.push_back(
      {FindConfigKey(section, "listen"), FindConfigKey(section, "tls_certificate"),
       fmt::format("{}.listen {} can be reached from elsewhere, which needs TLS and a "
                   "token: set {}, or listen on 127.0.0.1",
                   section, ShownInMessage(listener.listen), fmt::join(missing, ", "))});
}

void CheckVault(const Config& config, std::vector<ConfigRuleBreak>& broken) {
  const auto need = [&](const char* key, const std::string& value, const char* why) {
    if (!value.empty()) return;
    broken.push_back({FindConfigKey("vault", key), FindConfigKey("vault", key),
                      fmt::format("vault.{} is needed: {}", key, why)});
  };
  if (config.vault_key_provider == "pkcs11") {
    const char* why = "vault.key_provider is pkcs11";
    need("pkcs11_module", config.vault_pkcs11_module, why);
    need("pkcs11_token", config.vault_pkcs11_token, why);
    need("pkcs11_pin_file", config.vault_pkcs11_pin_file, why);
  }
  if (config.vault_key_provider == "command") {
    need("key_command", config.vault_key_command, "vault.key_provider is command");
  }
  if (config.vault_http == "on") {
    const char* why = "vault.http is on, and that speaks TLS with client certificates alone";
    need("tls_certificate", config.vault_tls_certificate, why);
    need("tls_key", config.vault_tls_key, why);
    need("client_ca", config.vault_client_ca, why);
  }
}

bool IsWebhookUrl(std::string_view url) {
  if (url.starts_with("https://")) return url.size() > 8;
  if (!url.starts_with("http://")) return false;
  const std::string_view host = url.substr(7, url.find_first_of(":/", 7) - 7);
  return host == "localhost" || host == "127.0.0.1" || url.substr(7).starts_with("[::1]");
}

template <typename Breaks>
void CheckWebhook(const Config& config, const Breaks& breaks) {
  const std::string& url = config.control_webhook_url;
  if (url.empty() != config.control_webhook_secret_file.empty()) {
    breaks("webhook_url", "webhook_secret_file",
           "control.webhook_url and control.webhook_secret_file go together");
  } else if (!url.empty() && !IsWebhookUrl(url)) {
    breaks("webhook_url", "webhook_url",
           fmt::format("control.webhook_url {} is neither https:// nor http:// to this machine",
                       ShownInMessage(url)));
  }
}

// It always asks who it is, by a token or a certificate.
void CheckControl(const Config& config, std::vector<ConfigRuleBreak>& broken) {
  const auto breaks = [&](const char* key, const char* other, std::string what) {
    broken.push_back(
        {FindConfigKey("control", key), FindConfigKey("control", other), std::move(what)});
  };
  const bool has_certificate = !config.control_tls_certificate.empty();
  if (has_certificate != !config.control_tls_key.empty()) {
    const char* given = has_certificate ? "tls_certificate" : "tls_key";
    const char* missing = has_certificate ? "tls_key" : "tls_certificate";
    breaks(given, missing, fmt::format("control.{} needs control.{} as well", given, missing));
  } else if (!has_certificate && !config.control_client_ca.empty()) {
    breaks("client_ca", "tls_certificate",
           "control.client_ca needs control.tls_certificate and control.tls_key as well");
  } else if (!has_certificate && !IsLoopback(config.control_listen)) {
    breaks("listen", "tls_certificate",
           fmt::format("control.listen {} can be reached from elsewhere, which needs TLS: set "
                       "control.tls_certificate and control.tls_key, or listen on 127.0.0.1",
                       ShownInMessage(config.control_listen)));
  }
  CheckWebhook(config, breaks);
}

}  // namespace

std::vector<ConfigRuleBreak> BrokenConfigRules(const Config& config) {
  std::vector<ConfigRuleBreak> broken;
  if (config.log_shards > config.log_partitions) {
    broken.push_back({FindConfigKey("log", "shards"), FindConfigKey("log", "partitions"),
                      fmt::format("log.shards must not exceed log.partitions, but {} is more than "
                                  "{}",
                                  config.log_shards, config.log_partitions)});
  }
  if (config.environment_kind == "prod" && config.environment_side_effects == "off") {
    broken.push_back({FindConfigKey("environment", "side_effects"),
                      FindConfigKey("environment", "side_effects"),
                      "environment.side_effects off is for environments that no car depends on: "
                      "one of kind prod must tell what it sees"});
  }
  if (config.log_backend == "kafka" && config.kafka_brokers.empty()) {
    broken.push_back({FindConfigKey("log", "backend"), FindConfigKey("kafka", "brokers"),
                      "log.backend kafka needs kafka.brokers: host:port of the cluster"});
  }
  CheckListener({.section = "feed",
                 .listen = config.feed_listen,
                 .certificate = config.feed_tls_certificate,
                 .key = config.feed_tls_key,
                 .token = config.feed_token_file},
                broken);
  CheckListener({.section = "operations",
                 .listen = config.operations_listen,
                 .certificate = config.operations_tls_certificate,
                 .key = config.operations_tls_key,
                 .token = config.operations_token_file},
                broken);
  CheckVault(config, broken);
  CheckControl(config, broken);
  return broken;
}

bool IsLoopback(const std::string& listen) {
  in_addr v4{};
  if (inet_pton(AF_INET, listen.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, listen.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return listen == "localhost";
}

}  // namespace telltale
