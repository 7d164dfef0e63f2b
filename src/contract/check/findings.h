// Gathers findings over all versions, from the newest to the oldest: each is told once, with the
// oldest version it breaks. One thread at a time.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "contract/check/check.h"
#include "contract/check/intervals.h"

namespace telltale::contract::check {

// What became of something that an older version has, and what of the candidate it is about. What
// a newer version explains is not explained anew by an older one that lacks a part of the picture.
struct Explained {
  std::vector<std::string> before;
  std::vector<std::string> now;
};

class Findings {
 public:
  using Indices = std::vector<std::size_t>;

  // What is added from here on is about `version`; empty: about the candidate alone.
  void StartVersion(std::string version, bool is_latest);

  // `key` tells apart findings of one rule and name. A warning or note stands only if the latest
  // version shows it: what was accepted once is not told for ever. So does a rejection that is
  // judged by the step from the latest version (`by_step`).
  void Add(Finding finding, const std::string& key = "", bool by_step = false);
  void AddExplained(Finding finding, const Explained& explained, const std::string& key = "");
  // Of `gone` what no newer version told, as `tell` says it.
  template <typename Tell>
  void AddRange(Rule rule, const std::string& full_name, IntervalSet gone, const Tell& tell) {
    const std::string whole = full_name + "\n" + std::to_string(static_cast<int>(rule));
    IntervalSet& told = told_[whole];
    IntervalSet rest = gone;
    rest.Remove(told);
    told.Add(gone);
    if (!rest.empty()) {
      Record(&of_range_[whole]);
      tell(rest);
      Record(nullptr);
    }
    gone.Remove(rest);
    if (!gone.empty()) Touch(of_range_[whole]);
  }

  // What is added until the next call is noted in `into`; null ends it.
  void Record(Indices* into) { record_ = into; }
  // They hold for this, older version too.
  void Touch(const Indices& indices);

  std::vector<Finding> Take();  // by file, line and column

 private:
  struct Claim {
    std::size_t version = 0;
    Indices indices;
  };
  std::string version_;
  std::size_t version_index_ = 0;
  bool is_latest_ = true;
  Indices* record_ = nullptr;
  std::vector<Finding> all_;
  std::unordered_map<std::string, std::size_t> by_key_;
  std::unordered_map<std::string, Claim> before_;
  std::unordered_map<std::string, std::size_t> now_;  // to the version
  std::unordered_map<std::string, IntervalSet> told_;
  std::unordered_map<std::string, Indices> of_range_;
};

}  // namespace telltale::contract::check
