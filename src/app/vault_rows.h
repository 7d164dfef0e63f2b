// Rows of the vault's answers on their way to people, to a pipe or to a Parquet file.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace telltale::app {

enum class RowFormat { kTable, kNdjson, kParquet };

// Main thread.
class RowPrinter {
 public:
  // `out`: kParquet, the file to make.
  RowPrinter(RowFormat format, std::string out) : format_(format), out_(std::move(out)) {}
  ~RowPrinter();
  RowPrinter(const RowPrinter&) = delete;
  RowPrinter& operator=(const RowPrinter&) = delete;

  //   kInvalid, kNotFound, kUnavailable  the writer of Parquet cannot be started
  Status Start();
  // The rows of a `rows` message.
  void Print(const nlohmann::json& message);
  // After the vault's `end`, and only then: without it no Parquet file is made.
  Status End(const nlohmann::json& end);

 private:
  void PrintTable(const nlohmann::json& row);
  void ToWriter(std::string line);

  const RowFormat format_;
  const std::string out_;
  bool has_head_ = false;
  int pipe_ = -1;
  int pid_ = -1;
  bool writer_failed_ = false;
};

}  // namespace telltale::app
