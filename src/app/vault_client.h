// What the commands of `telltale vault` share: one question to the vault's socket, times, words.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace telltale::app {

// One request; `message` is called for each message before the last, which is returned.
//   kUnavailable  the vault does not answer; else what it said
Result<nlohmann::json> AskVault(const std::string& dir, const nlohmann::json& request,
                                const std::function<void(const nlohmann::json&)>& message = {});

// The same of the vault that listens there.
Result<nlohmann::json> AskVaultAt(const std::string& socket, const nlohmann::json& request,
                                  const std::function<void(const nlohmann::json&)>& message = {});

// "2026-01-31T12:00:00Z", with an offset or a fraction, or microseconds UTC.
//   kInvalid  names the flag
Result<std::int64_t> ParseTime(const std::string& flag, std::string_view text);

// A value as people read it; "-" when it is not there.
std::string Shown(const nlohmann::json& object, const char* key);
// With two spaces of indent; what is no UTF-8 replaced.
std::string Indented(const nlohmann::json& value);

}  // namespace telltale::app
