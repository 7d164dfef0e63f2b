#include "app/metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/metrics_names.h"

namespace telltale::app {
namespace {

std::string Escaped(std::string_view text, bool with_quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || (c == '"' && with_quotes)) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string ToText(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", name, Escaped(value, true));
  }
  return out.empty() ? out : "{" + out + "}";
}

double Seconds(Micros time) { return static_cast<double>(time.value) / 1e6; }

void AddRole(const RoleState& role, Micros now, Metrics& metrics) {
  const std::string name = RoleOf(role);
  Labels labels = {{"role", name}};
  if (!role.release.empty()) labels.emplace_back("release", role.release);
  if (role.is_wanted) {
    metrics.Count("telltale_up", "1 while the role's process runs.", labels, role.is_up ? 1 : 0,
                  MetricKind::kGauge);
  }
  if (role.counted_at) {
    metrics.Gauge("telltale_role_counters_age_seconds",
                  "Since the role last wrote its counters; it does once a second.", labels,
                  std::max(0.0, Seconds(now - *role.counted_at)));
  }
  for (const auto& [counter, value] : role.counters) {
    MetricOfCounter metric = DescribeCounter(name, counter);
    if (!role.release.empty()) metric.labels.emplace_back("release", role.release);
    metrics.Count(metric.name, metric.help, metric.labels, value, metric.kind);
  }
}

}  // namespace

Metrics::Family& Metrics::FamilyOf(const std::string& name, std::string_view help,
                                   MetricKind kind) {
  const auto [found, is_new] = families_.try_emplace(name);
  if (is_new) {
    found->second.help = help;
    found->second.kind = kind;
  }
  return found->second;
}

void Metrics::Count(const std::string& name, std::string_view help, const Labels& labels,
                    std::uint64_t value, MetricKind kind) {
  FamilyOf(name, help, kind).whole[app::ToText(labels)] += value;
}

void Metrics::Gauge(const std::string& name, std::string_view help, const Labels& labels,
                    double value) {
  FamilyOf(name, help, MetricKind::kGauge).fractions[app::ToText(labels)] += value;
}

std::string Metrics::ToText() const {
  std::string out;
  for (const auto& [name, family] : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, Escaped(family.help, false), name,
                       family.kind == MetricKind::kCounter ? "counter" : "gauge");
    for (const auto& [labels, value] : family.whole) {
      out += fmt::format("{}{} {}\n", name, labels, value);
    }
    for (const auto& [labels, value] : family.fractions) {
      out += fmt::format("{}{} {:.3f}\n", name, labels, value);
    }
  }
  return out;
}

std::string MetricsText(const OperationsState& state, const std::string& version) {
  Metrics metrics;
  metrics.Count("telltale_build_info", "Always 1; the label says which version runs.",
                {{"version", version}}, 1, MetricKind::kGauge);
  metrics.Count("telltale_ready", "1 while /readyz says 200.", {},
                NotReadyCauses(state).empty() ? 1 : 0, MetricKind::kGauge);
  for (const RoleState& role : state.roles) AddRole(role, state.looked_at, metrics);
  for (const StreamEnd& end : state.ends) {
    metrics.Count("telltale_log_durable_records_total",
                  "Records below the durable end of a shard of a stream, ticks included.",
                  {{"stream", end.stream}, {"shard", std::to_string(end.shard)}}, end.records);
  }
  for (const ConsumerLag& lag : state.lags) {
    metrics.Count(
        "telltale_consumer_lag_records",
        "Records between a consumer's saved position and the durable end.",
        {{"consumer", lag.consumer}, {"stream", lag.stream}, {"shard", std::to_string(lag.shard)}},
        lag.records, MetricKind::kGauge);
  }
  return metrics.ToText();
}

}  // namespace telltale::app
