#include "sim/drives/candump_log.h"

#include <charconv>

namespace telltale::sim {
namespace {

constexpr std::int64_t kSecondsMax = 9'000'000'000;  // microseconds of more do not fit

// Takes what stands before `end` off `rest`; nullopt: `end` is not there.
std::optional<std::string_view> TakeUntil(std::string_view& rest, char end) {
  const std::size_t at = rest.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return taken;
}

template <typename T>
bool ParseWhole(std::string_view text, T& value, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<std::int64_t> MicrosOf(std::string_view text) {
  const std::size_t point = text.find('.');
  std::int64_t seconds = 0;
  if (!ParseWhole(text.substr(0, point), seconds, 10) || seconds < 0 || seconds > kSecondsMax) {
    return std::nullopt;
  }
  if (point == std::string_view::npos) return seconds * 1'000'000;
  const std::string_view digits = text.substr(point + 1);
  std::uint32_t fraction = 0;
  if (digits.size() > 9 || !ParseWhole(digits, fraction, 10)) return std::nullopt;
  std::int64_t micros = fraction;
  for (std::size_t i = digits.size(); i < 6; ++i) micros *= 10;
  for (std::size_t i = 6; i < digits.size(); ++i) micros /= 10;
  return seconds * 1'000'000 + micros;
}

bool ParseData(std::string_view hex, CanFrame& frame) {
  if (hex.size() % 2 != 0 || hex.size() > 2 * frame.data.size()) return false;
  frame.size = static_cast<std::uint8_t>(hex.size() / 2);
  for (std::size_t i = 0; i < frame.size; ++i) {
    if (!ParseWhole(hex.substr(2 * i, 2), frame.data[i], 16)) return false;
  }
  return true;
}

}  // namespace

std::optional<CanFrame> ParseCandumpLine(std::string_view line) {
  CanFrame frame;
  if (!line.starts_with('(')) return std::nullopt;
  line.remove_prefix(1);
  const auto time = TakeUntil(line, ')');
  if (!time || !line.starts_with(' ')) return std::nullopt;
  line.remove_prefix(1);
  const auto channel = TakeUntil(line, ' ');
  const auto id = TakeUntil(line, '#');
  if (!channel || channel->empty() || !id) return std::nullopt;
  const auto at_us = MicrosOf(*time);
  if (!at_us || (id->size() != 3 && id->size() != 8) || !ParseWhole(*id, frame.id, 16)) {
    return std::nullopt;
  }
  frame.at_us = *at_us;
  frame.channel = *channel;
  frame.is_extended = id->size() == 8;
  if (frame.id > (frame.is_extended ? 0x1FFFFFFFu : 0x7FFu)) return std::nullopt;
  while (line.ends_with(' ')) line.remove_suffix(1);
  if (!ParseData(line, frame)) return std::nullopt;
  return frame;
}

}  // namespace telltale::sim
