// Which metric a role's counter is: its name, help, kind and labels.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "app/metrics.h"

namespace telltale::app {

struct MetricOfCounter {
  std::string name;
  std::string help;
  MetricKind kind = MetricKind::kCounter;
  Labels labels;
};

// "drops_total.<where>.<reason>" is telltale_drops_total{role,where,reason}; anything else
// telltale_<role>_<name>, with _total at a counter's end. A counter that is in no table is shown
// too, with a help that says so.
MetricOfCounter DescribeCounter(const std::string& role, std::string_view counter);

// The names of all counters that have a help of their own, for docs/metrics.md.
std::vector<std::string> DescribedMetrics();

}  // namespace telltale::app
