// Rows of a table whose first line names the columns. No quoting beyond "..." around a whole cell
// is known, for no source has more.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace telltale::sim {

// A finite number that fills the whole text; spaces around it are allowed.
std::optional<double> NumberOf(std::string_view text);

class CsvTable;

// One row; valid while the table stands and until the next row.
class CsvRow {
 public:
  // By the header's text; "" when there is no such column or the row is too short for it.
  std::string_view Text(std::string_view column) const;
  std::optional<double> Get(std::string_view column) const { return NumberOf(Text(column)); }
  std::string_view At(std::size_t index) const {
    return index < cells_.size() ? cells_[index] : "";
  }
  std::size_t cells() const { return cells_.size(); }
  std::size_t line() const { return line_; }  // in the file, from 1

 private:
  friend class CsvTable;
  const CsvTable* table_ = nullptr;
  std::vector<std::string_view> cells_;
  std::size_t line_ = 0;
};

class CsvTable {
 public:
  // `text` must outlive the table. Line ends may be \r\n; a byte order mark is skipped.
  //   kInvalid  no first line, or a column of `required` is not in it: names it
  static Result<CsvTable> Open(std::string_view text,
                               const std::vector<std::string_view>& required = {});
  // False at the end. Empty lines are skipped.
  bool Next(CsvRow& row);

  const std::vector<std::string_view>& header() const { return header_; }
  std::optional<std::size_t> IndexOf(std::string_view column) const;

 private:
  std::string_view NextLine();

  std::string_view rest_;
  std::size_t line_ = 0;
  std::vector<std::string_view> header_;
  std::map<std::string_view, std::size_t> columns_;
};

}  // namespace telltale::sim
