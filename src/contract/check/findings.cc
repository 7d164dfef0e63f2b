#include "contract/check/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace telltale::contract::check {
namespace {

std::string WholeKey(const Finding& finding, const std::string& key) {
  return fmt::format("{}\n{}\n{}", static_cast<int>(finding.rule), finding.full_name, key);
}

}  // namespace

void Findings::StartVersion(std::string version, bool is_latest) {
  version_ = std::move(version);
  is_latest_ = is_latest;
  ++version_index_;
}

void Findings::Add(Finding finding, const std::string& key, bool by_step) {
  const std::string whole = WholeKey(finding, key);
  const auto known = by_key_.find(whole);
  if (known != by_key_.end()) {
    all_[known->second].version = version_;
    if (record_ != nullptr) record_->push_back(known->second);
    return;
  }
  const bool needs_latest = by_step || finding.verdict() != Verdict::kReject;
  if (needs_latest && !is_latest_) return;
  if (record_ != nullptr) record_->push_back(all_.size());
  by_key_.emplace(whole, all_.size());
  finding.version = version_;
  all_.push_back(std::move(finding));
}

void Findings::AddExplained(Finding finding, const Explained& explained, const std::string& key) {
  const bool is_known = by_key_.contains(WholeKey(finding, key));
  for (const std::string& one : explained.before) {
    const auto known = before_.find(one);
    if (known == before_.end() || known->second.version == version_index_) continue;
    return Touch(known->second.indices);
  }
  for (const std::string& one : is_known ? std::vector<std::string>{} : explained.now) {
    const auto known = now_.find(one);
    if (known != now_.end() && known->second != version_index_) return;
  }
  Indices added;
  Record(&added);
  Add(std::move(finding), key);
  Record(nullptr);
  for (const std::string& one : explained.before) {
    Claim& claim = before_[one];
    claim.version = version_index_;
    claim.indices.insert(claim.indices.end(), added.begin(), added.end());
  }
  for (const std::string& one : explained.now) now_[one] = version_index_;
}

void Findings::Touch(const Indices& indices) {
  for (const std::size_t index : indices) all_[index].version = version_;
}

std::vector<Finding> Findings::Take() {
  const auto order = [](const Finding& of) {
    return std::tie(of.place.file, of.place.line, of.place.column, of.full_name, of.rule,
                    of.effect);
  };
  std::sort(all_.begin(), all_.end(),
            [&](const Finding& a, const Finding& b) { return order(a) < order(b); });
  by_key_.clear();
  return std::move(all_);
}

}  // namespace telltale::contract::check
