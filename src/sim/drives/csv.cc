#include "sim/drives/csv.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace telltale::sim {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

void SplitInto(std::string_view line, std::vector<std::string_view>& cells) {
  cells.clear();
  while (true) {
    std::size_t end = line.find(',');
    std::string_view cell = line.substr(0, end);
    // A comma inside quotes belongs to the cell.
    if (line.starts_with('"')) {
      const std::size_t close = line.find('"', 1);
      if (close != std::string_view::npos) {
        cell = line.substr(1, close - 1);
        end = line.find(',', close);
      }
    }
    cells.push_back(cell);
    if (end == std::string_view::npos) return;
    line.remove_prefix(end + 1);
  }
}

}  // namespace

std::optional<double> NumberOf(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::string_view CsvRow::Text(std::string_view column) const {
  const auto index = table_->IndexOf(column);
  return index ? At(*index) : "";
}

Result<CsvTable> CsvTable::Open(std::string_view text,
                                const std::vector<std::string_view>& required) {
  CsvTable table;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  table.rest_ = text;
  SplitInto(table.NextLine(), table.header_);
  for (std::size_t i = 0; i < table.header_.size(); ++i) {
    table.columns_.emplace(table.header_[i], i);
  }
  for (const std::string_view column : required) {
    if (table.IndexOf(column)) continue;
    return Error{Code::kInvalid, fmt::format("line 1 is no header with `{}`", column)};
  }
  return table;
}

std::optional<std::size_t> CsvTable::IndexOf(std::string_view column) const {
  const auto found = columns_.find(column);
  if (found == columns_.end()) return std::nullopt;
  return found->second;
}

std::string_view CsvTable::NextLine() {
  const std::size_t end = rest_.find('\n');
  std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  ++line_;
  return line;
}

bool CsvTable::Next(CsvRow& row) {
  std::string_view line;
  while (line.empty()) {
    if (rest_.empty()) return false;
    line = NextLine();
  }
  row.table_ = this;
  row.line_ = line_;
  SplitInto(line, row.cells_);
  return true;
}

}  // namespace telltale::sim
