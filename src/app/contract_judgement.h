// What `telltale contract check` found, and how it is told. Any thread.
#pragma once

#include <string>
#include <vector>

#include "contract/check/source.h"

namespace telltale::app {

enum class JudgementFormat {
  kText,
  kJson,
  kGithub,  // workflow annotations
};

struct Judgement {
  std::vector<contract::check::Problem> problems;  // with any, nothing was compared
  std::vector<std::string> compared_with;          // names of the earlier versions
  contract::check::Comparison comparison;
  std::string unloadable;  // why no door would load it; empty: they would, or it is for none

  int exit_code() const;  // 0 accepted, 1 rejected, 2 could not judge
  // Whole, with a newline at its end. `color` is for the text alone.
  std::string Told(JudgementFormat format, bool color) const;
};

}  // namespace telltale::app
