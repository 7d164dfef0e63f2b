// The lake's tables belong to the Python package telltale_lake, run as a program of its own.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/layout.h"
#include "base/result.h"

namespace telltale::app {

class LakeDoor {
 public:
  virtual ~LakeDoor() = default;
  // `python -m telltale_lake ARGUMENTS` to its end; gives what it printed on standard output, also
  // when it says that it is not complete (exit code 3).
  //   kUnsupported  this build's package has no such command (exit code 2)
  //   kUnavailable  it cannot be started, or ended with another code; it has said why on stderr
  virtual Result<std::string> Run(const std::vector<std::string>& arguments) = 0;
};

// Main thread only (process.h).
class LakePython final : public LakeDoor {
 public:
  explicit LakePython(Layout layout) : layout_(std::move(layout)) {}
  Result<std::string> Run(const std::vector<std::string>& arguments) override;

 private:
  Layout layout_;
};

}  // namespace telltale::app
