#include "control/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/clock.h"
#include "base/sha256.h"

namespace telltale::control {
namespace {

using nlohmann::json;

bool IsDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Digits of `text` at [from, from + count).
std::optional<int> Number(std::string_view text, std::size_t from, std::size_t count) {
  const std::string_view digits = text.substr(from, count);
  if (digits.size() != count || !IsDigits(digits)) return std::nullopt;
  return std::accumulate(digits.begin(), digits.end(), 0,
                         [](int sum, char c) { return sum * 10 + (c - '0'); });
}

std::size_t Slips(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

}  // namespace

JsonReader::JsonReader(const json& object, std::string what)
    : object_(object), what_(std::move(what)) {
  if (!object_.is_object()) Mistake("must be a JSON object");
}

const json* JsonReader::Find(std::string_view name) {
  known_.emplace_back(name);
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(name);
  return found == object_.end() ? nullptr : &*found;
}

const json* JsonReader::Need(std::string_view name, bool may_miss) {
  const json* found = Find(name);
  if (found == nullptr && !may_miss) Mistake(fmt::format("\"{}\" is missing", name));
  return found;
}

std::string JsonReader::Text(std::string_view name, std::optional<std::string> otherwise,
                             std::size_t bytes_max) {
  const json* found = Need(name, otherwise.has_value());
  if (found == nullptr) return otherwise.value_or("");
  if (!found->is_string()) {
    Mistake(fmt::format("\"{}\" must be text", name));
    return "";
  }
  auto text = found->get<std::string>();
  if (text.size() > bytes_max) {
    Mistake(fmt::format("\"{}\" is longer than {} bytes", name, bytes_max));
    return "";
  }
  return text;
}

std::string JsonReader::OneOf(std::string_view name, std::vector<std::string_view> allowed,
                              std::optional<std::string> otherwise) {
  std::string text = Text(name, std::move(otherwise));
  if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    Mistake(fmt::format("\"{}\" must be one of {}", name, fmt::join(allowed, ", ")));
  }
  return text;
}

std::string JsonReader::Key(std::string_view name, std::optional<std::string> otherwise) {
  const bool may_be_empty = otherwise.has_value() && otherwise->empty();
  std::string text = Text(name, std::move(otherwise));
  if (!(text.empty() && may_be_empty) && !IsKey(text)) {
    Mistake(fmt::format("\"{}\" must be a key: a-z, 0-9 and -, at most 63", name));
  }
  return text;
}

std::string JsonReader::Digest(std::string_view name) {
  std::string text = Text(name);
  if (!IsSha256Hex(text)) Mistake(fmt::format("\"{}\" must be 64 lower-case hex digits", name));
  return text;
}

std::int64_t JsonReader::Whole(std::string_view name, std::optional<std::int64_t> otherwise,
                               std::int64_t least, std::int64_t most) {
  const json* found = Need(name, otherwise.has_value());
  if (found == nullptr) return otherwise.value_or(least);
  std::optional<std::int64_t> value;
  if (found->is_number_unsigned()) {
    const auto number = found->get<std::uint64_t>();
    if (number <= static_cast<std::uint64_t>(most)) value = static_cast<std::int64_t>(number);
  } else if (found->is_number_integer()) {
    value = found->get<std::int64_t>();
  } else if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    if (IsDigits(text) && text.size() <= 18) value = std::stoll(text);
  }
  if (value && *value >= least && *value <= most) return *value;
  Mistake(fmt::format("\"{}\" must be a whole number, {} to {}", name, least, most));
  return least;
}

double JsonReader::Number(std::string_view name, double otherwise, double least, double most) {
  const json* found = Find(name);
  if (found == nullptr) return otherwise;
  if (found->is_number()) {
    const double value = found->get<double>();
    if (value >= least && value <= most) return value;
  }
  Mistake(fmt::format("\"{}\" must be a number, {} to {}", name, least, most));
  return otherwise;
}

std::vector<std::string> JsonReader::Texts(std::string_view name,
                                           std::vector<std::string> otherwise,
                                           std::size_t items_max) {
  if (Find(name) == nullptr) return otherwise;
  const json list = List(name, items_max);
  std::vector<std::string> texts;
  for (const json& item : list) {
    const auto* const text = item.get_ptr<const std::string*>();
    const bool is_text = text != nullptr && !text->empty() && text->size() <= 128;
    if (!is_text || std::find(texts.begin(), texts.end(), *text) != texts.end()) {
      Mistake(fmt::format("\"{}\" must be a list of different texts of 1 to 128 bytes", name));
      return otherwise;
    }
    texts.push_back(*text);
  }
  return texts;
}

bool JsonReader::Flag(std::string_view name, bool otherwise) {
  const json* found = Find(name);
  if (found == nullptr) return otherwise;
  if (!found->is_boolean()) {
    Mistake(fmt::format("\"{}\" must be true or false", name));
    return otherwise;
  }
  return found->get<bool>();
}

std::string JsonReader::Time(std::string_view name, std::optional<std::string> otherwise) {
  const bool may_be_empty = otherwise.has_value() && otherwise->empty();
  std::string text = Text(name, std::move(otherwise));
  if (!(text.empty() && may_be_empty) && !ParseUtc(text).ok()) {
    Mistake(fmt::format("\"{}\" must be a time in UTC like 2026-01-31T23:59:59Z", name));
  }
  return text;
}

json JsonReader::List(std::string_view name, std::size_t items_max) {
  const json* found = Find(name);
  if (found == nullptr) return json::array();
  if (!found->is_array() || found->size() > items_max) {
    Mistake(fmt::format("\"{}\" must be a list of at most {}", name, items_max));
    return json::array();
  }
  return *found;
}

json JsonReader::Any(std::string_view name) {
  const json* found = Find(name);
  return found == nullptr ? json() : *found;
}

void JsonReader::Mistake(std::string message) {
  if (!mistake_) mistake_ = what_ + ": " + message;
}

Status JsonReader::Done() {
  if (object_.is_object()) {
    for (const auto& [name, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      const std::string nearest = NearestName(name, known_);
      Mistake(nearest.empty() ? fmt::format("\"{}\" is not known here; there are {}",
                                            name.substr(0, 64), fmt::join(known_, ", "))
                              : fmt::format("\"{}\" is not known here; did you mean \"{}\"?",
                                            name.substr(0, 64), nearest));
    }
  }
  if (mistake_) return Error{Code::kInvalid, *mistake_};
  return Ok();
}

bool IsKey(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text[0] != '-' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

Result<Micros> ParseUtc(std::string_view text) {
  const Error invalid{Code::kInvalid, "no time in UTC like 2026-01-31T23:59:59Z"};
  if (text.size() < 20 || text.size() > 27 || text.back() != 'Z') return invalid;
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') {
    return invalid;
  }
  const auto year = Number(text, 0, 4), month = Number(text, 5, 2), day = Number(text, 8, 2);
  const auto hour = Number(text, 11, 2), minute = Number(text, 14, 2), second = Number(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return invalid;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return invalid;
  std::int64_t fraction_us = 0;
  if (text.size() > 20) {
    std::string digits(text.substr(20, text.size() - 21));
    if (text[19] != '.' || !IsDigits(digits)) return invalid;
    digits.resize(6, '0');
    fraction_us = std::stoll(digits);
  }
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = ((days * 24 + *hour) * 60 + *minute) * 60 + *second;
  return Micros{seconds * 1'000'000 + fraction_us};
}

std::string TimeText(std::int64_t at_us) { return at_us == 0 ? "" : FormatUtc(Micros{at_us}); }

std::string NearestName(std::string_view given, const std::vector<std::string>& candidates) {
  if (given.size() > 64) return "";
  std::string best;
  std::size_t fewest = std::clamp<std::size_t>(given.size() / 3, 1, 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t slips = Slips(given, candidate);
    if (slips >= fewest || slips >= candidate.size()) continue;
    fewest = slips;
    best = candidate;
  }
  return best;
}

std::string Canonical(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace telltale::control
