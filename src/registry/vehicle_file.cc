#include "registry/vehicle_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <span>

namespace telltale::registry {
namespace {

constexpr std::array<std::string_view, 5> kColumns = {"vin", "model", "class", "fuel",
                                                      "ownership_epoch"};

Error At(std::size_t line, std::string_view column, const std::string& allowed) {
  return Error{Code::kInvalid, fmt::format("line {}, column {}: {}", line, column, allowed)};
}

// Splits off one line (without its end).
std::string_view TakeLine(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// One value, from just after the opening quote; nullopt when the quote is not closed.
std::optional<std::string> TakeQuoted(std::string_view& rest) {
  std::string value;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != '"') {
      value.push_back(c);
    } else if (rest.starts_with('"')) {
      value.push_back('"');
      rest.remove_prefix(1);
    } else {
      return value;
    }
  }
  return std::nullopt;
}

Result<std::vector<std::string>> SplitLine(std::string_view line, std::size_t number) {
  std::vector<std::string> values;
  while (true) {
    std::string value;
    if (line.starts_with('"')) {
      line.remove_prefix(1);
      auto quoted = TakeQuoted(line);
      if (!quoted || (!line.empty() && !line.starts_with(','))) {
        return Error{Code::kInvalid,
                     fmt::format("line {}, value {}: a quoted value ends with a quote before the "
                                 "next comma",
                                 number, values.size() + 1)};
      }
      value = std::move(*quoted);
    } else {
      const std::size_t end = line.find(',');
      value = line.substr(0, end);
      line = end == std::string_view::npos ? std::string_view() : line.substr(end);
    }
    values.push_back(std::move(value));
    if (line.empty()) return values;
    line.remove_prefix(1);
  }
}

// places[i] = index in a line of kColumns[i].
Result<std::array<std::size_t, kColumns.size()>> ParseHeader(std::string_view line) {
  const std::string wanted = fmt::format("the first line must name the columns {}, in any order",
                                         fmt::join(kColumns, ","));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, SplitLine(line, 1));
  std::array<std::size_t, kColumns.size()> places{};
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const auto found = std::find(names.begin(), names.end(), kColumns[i]);
    if (found == names.end()) {
      return Error{Code::kInvalid, fmt::format("column {} is missing: {}", kColumns[i], wanted)};
    }
    places[i] = static_cast<std::size_t>(found - names.begin());
  }
  if (names.size() != kColumns.size()) {
    return Error{Code::kInvalid, fmt::format("there are {} columns: {}", names.size(), wanted)};
  }
  return places;
}

Result<VehicleEntry> ParseEntry(std::span<const std::string* const> values, std::size_t line) {
  VehicleEntry entry;
  entry.vin = *values[0];
  if (!IsVin(entry.vin)) {
    return At(line, kColumns[0], "must be 17 of A-H J-N P R-Z 0-9");
  }
  entry.model = *values[1];
  if (!IsModel(entry.model)) {
    return At(
        line, kColumns[1],
        fmt::format("at most {} printable ASCII characters are allowed", kModelCharactersMax));
  }
  const auto vehicle_class = ParseVehicleClass(*values[2]);
  if (!vehicle_class) {
    return At(line, kColumns[2],
              fmt::format("must be one of {}", fmt::join(kVehicleClassNames, ", ")));
  }
  entry.vehicle_class = *vehicle_class;
  entry.fuel = *values[3];
  if (!IsFuel(entry.fuel)) {
    return At(line, kColumns[3], fmt::format("must be one of {}", fmt::join(kFuels, ", ")));
  }
  const std::string& epoch = *values[4];
  const auto [end, error] =
      std::from_chars(epoch.data(), epoch.data() + epoch.size(), entry.ownership_epoch);
  if (error != std::errc() || end != epoch.data() + epoch.size() || entry.ownership_epoch == 0) {
    return At(line, kColumns[4], "must be a whole number from 1");
  }
  return entry;
}

}  // namespace

bool IsVin(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789";
  return text.size() == kVinCharacters &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool IsModel(std::string_view text) {
  return text.size() <= kModelCharactersMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool IsFuel(std::string_view text) {
  return std::find(kFuels.begin(), kFuels.end(), text) != kFuels.end();
}

Result<std::vector<VehicleEntry>> ParseVehicleFile(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // what spreadsheets put first
  ASSIGN_OR_RETURN(const auto places, ParseHeader(TakeLine(text)));
  std::vector<VehicleEntry> entries;
  std::map<std::string, std::size_t> line_of;
  for (std::size_t line = 2; !text.empty(); ++line) {
    const std::string_view content = TakeLine(text);
    if (content.empty()) continue;
    ASSIGN_OR_RETURN(const std::vector<std::string> values, SplitLine(content, line));
    if (values.size() != kColumns.size()) {
      return Error{Code::kInvalid, fmt::format("line {}: {} values, but {} columns", line,
                                               values.size(), kColumns.size())};
    }
    std::array<const std::string*, kColumns.size()> ordered{};
    for (std::size_t i = 0; i < ordered.size(); ++i) ordered[i] = &values[places[i]];
    ASSIGN_OR_RETURN(VehicleEntry entry, ParseEntry(ordered, line));
    const auto [first, is_new] = line_of.emplace(entry.vin, line);
    if (!is_new) {
      return At(line, kColumns[0],
                fmt::format("line {} has the same; one line per vehicle is "
                            "allowed",
                            first->second));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace telltale::registry
