// The target of an HTTP request ("/v1/alerts?limit=5"), taken apart.
#pragma once

#include <optional>
#include <string_view>

#include "net/http_server.h"

namespace telltale::net {

// nullopt: not an absolute path, or a broken percent escape.
std::optional<HttpRequest> ParseTarget(std::string_view target);
// Decimal digits only, no sign, no overflow.
std::optional<std::uint64_t> ParseNumber(std::string_view text);

}  // namespace telltale::net
