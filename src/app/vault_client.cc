#include "app/vault_client.h"

#include <charconv>
#include <chrono>
#include <optional>

#include "base/config.h"
#include "base/local_socket.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kAnswerTimeout{60'000};

// Whole digits of a fixed width at `at`; -1 when they are not there.
int DigitsAt(std::string_view text, std::size_t at, std::size_t width) {
  if (text.size() < at + width) return -1;
  int value = 0;
  const char* end = text.data() + at + width;
  const auto [stopped, problem] = std::from_chars(text.data() + at, end, value);
  return problem == std::errc() && stopped == end && text[at] != '-' ? value : -1;
}

// "Z" or "+02:00": minutes east; nullopt when it is neither.
std::optional<int> ZoneMinutes(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  const int hours = DigitsAt(zone, 1, 2);
  const int minutes = DigitsAt(zone, 4, 2);
  if (zone.size() != 6 || zone[3] != ':' || hours < 0 || hours > 23 || minutes < 0 ||
      minutes > 59 || (zone[0] != '+' && zone[0] != '-')) {
    return std::nullopt;
  }
  return (hours * 60 + minutes) * (zone[0] == '-' ? -1 : 1);
}

Error NoTime(const std::string& flag) {
  return {Code::kInvalid, flag + " takes a time like 2026-01-31T12:00:00Z or microseconds UTC"};
}

// Of a key that may be absent or of another type.
std::string TextOr(const json& from, const char* key, const std::string& otherwise) {
  const auto found = from.find(key);
  return found != from.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

}  // namespace

Result<std::int64_t> ParseTime(const std::string& flag, std::string_view text) {
  std::int64_t micros = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), micros);
  if (problem == std::errc() && end == text.data() + text.size()) return micros;
  const std::chrono::year_month_day day{
      std::chrono::year{DigitsAt(text, 0, 4)},
      std::chrono::month{static_cast<unsigned>(DigitsAt(text, 5, 2))},
      std::chrono::day{static_cast<unsigned>(DigitsAt(text, 8, 2))}};
  const int hour = DigitsAt(text, 11, 2);
  const int minute = DigitsAt(text, 14, 2);
  const int second = DigitsAt(text, 17, 2);
  if (text.size() < 20 || !day.ok() || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' ||
      text[16] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60) {
    return NoTime(flag);
  }
  std::size_t at = 19;
  std::int64_t fraction = 0;
  if (text[at] == '.') {
    std::int64_t unit = 100'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
      fraction += (text[at] - '0') * unit;
    }
  }
  const std::optional<int> zone = ZoneMinutes(text.substr(at));
  if (!zone) return NoTime(flag);
  const std::int64_t days = std::chrono::sys_days{day}.time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + hour * 3600 + minute * 60 + second - *zone * 60;
  return seconds * 1'000'000 + fraction;
}

Result<json> AskVault(const std::string& dir, const json& request,
                      const std::function<void(const json&)>& message) {
  return AskVaultAt(Paths(dir).vault_socket(), request, message);
}

Result<json> AskVaultAt(const std::string& socket, const json& request,
                        const std::function<void(const json&)>& message) {
  auto connection = LocalConnection::Connect(socket);
  if (!connection.ok()) {
    return Error{Code::kUnavailable, "the vault does not answer; is `telltale serve` running? " +
                                         connection.error().message};
  }
  // A refused user is answered before the request is read: that the request could not be sent is
  // then no news.
  (void)connection->Send(request.dump(-1, ' ', false, json::error_handler_t::replace));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<std::string> frame, connection->Receive(kAnswerTimeout));
    if (!frame) return Error{Code::kUnavailable, "the vault took too long to answer"};
    json answer = json::parse(*frame, nullptr, false);
    if (!answer.is_object()) {
      return Error{Code::kUnavailable, "the vault's answer cannot be read"};
    }
    const std::string kind = TextOr(answer, "kind", "");
    if (kind == "end") return answer;
    if (kind == "error") {
      return Error{CodeFromName(TextOr(answer, "code", "")),
                   TextOr(answer, "message", "the vault refused")};
    }
    if (message) message(answer);
  }
}

std::string Shown(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string Indented(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace telltale::app
