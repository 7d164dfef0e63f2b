#include "net/http_target.h"

#include <charconv>

namespace telltale::net {
namespace {

std::optional<std::string> Unescape(std::string_view text) {
  std::string out;
  for (std::size_t n = 0; n < text.size(); ++n) {
    if (text[n] == '+') {
      out += ' ';
    } else if (text[n] != '%') {
      out += text[n];
    } else {
      unsigned value = 0;
      if (n + 2 >= text.size()) return std::nullopt;
      const char* const end = text.data() + n + 3;
      const auto [at, error] = std::from_chars(text.data() + n + 1, end, value, 16);
      if (error != std::errc{} || at != end) return std::nullopt;
      out += static_cast<char>(value);
      n += 2;
    }
  }
  return out;
}

}  // namespace

std::optional<HttpRequest> ParseTarget(std::string_view target) {
  if (target.empty() || target[0] != '/') return std::nullopt;
  HttpRequest request;
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  std::string_view rest = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    const std::size_t equals = pair.find('=');
    const auto key = Unescape(pair.substr(0, equals));
    const auto value =
        Unescape(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!key || !value) return std::nullopt;
    if (!key->empty()) request.query[*key] = *value;
  }
  return request;
}

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t value = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || at != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace telltale::net
