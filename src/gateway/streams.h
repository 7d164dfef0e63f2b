// The streams the gateway writes, in the order the log numbers them.
#pragma once

#include <string>
#include <vector>

#include "log/log.h"

namespace telltale::gateway {

inline constexpr log::StreamIndex kSafety = 0;
inline constexpr log::StreamIndex kTelemetry = 1;
inline constexpr log::StreamIndex kSealed = 2;
inline constexpr std::size_t kStreamCount = 3;

inline std::vector<std::string> StreamNames() { return {"safety", "telemetry", "sealed"}; }

}  // namespace telltale::gateway
