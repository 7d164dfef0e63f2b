// Metrics in the text format of Prometheus, version 0.0.4. docs/metrics.md lists them all.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/operations_state.h"

namespace telltale::app {

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

enum class MetricKind { kCounter, kGauge };

using Labels = std::vector<std::pair<std::string, std::string>>;

// One thread. Samples of one name and equal labels are added up.
class Metrics {
 public:
  // `name` and the labels' names are lower-case words joined by _; a counter's name ends in _total.
  // The first call for a name decides its help and kind.
  void Count(const std::string& name, std::string_view help, const Labels& labels,
             std::uint64_t value, MetricKind kind = MetricKind::kCounter);
  void Gauge(const std::string& name, std::string_view help, const Labels& labels, double value);

  std::string ToText() const;

 private:
  struct Family {
    std::string help;
    MetricKind kind = MetricKind::kGauge;
    std::map<std::string, std::uint64_t> whole;  // by labels as text
    std::map<std::string, double> fractions;
  };
  Family& FamilyOf(const std::string& name, std::string_view help, MetricKind kind);
  std::map<std::string, Family> families_;
};

// Everything there is to scrape.
std::string MetricsText(const OperationsState& state, const std::string& version);

}  // namespace telltale::app
