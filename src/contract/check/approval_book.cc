#include "contract/check/approval_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace telltale::contract::check {
namespace {

// Two spellings of one name are one person.
std::string Folded(std::string_view name) {
  const std::size_t first = name.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  std::string folded(name.substr(first, name.find_last_not_of(" \t") - first + 1));
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

}  // namespace

ApprovalBook::ApprovalBook(const Approvals& approvals) : approvals_(approvals) {
  for (const Approval& one : approvals.all) by_field_[one.field].push_back(&one);
}

bool ApprovalBook::Allows(const std::string& field, Change change, std::size_t needed,
                          std::string& who) {
  const auto found = by_field_.find(field);
  if (found == by_field_.end()) return false;
  std::set<std::string> authors = {"", Folded(approvals_.author)};
  for (const Approval* one : found->second) {
    if (one->change == change) authors.insert(Folded(one->author));
  }
  std::map<std::string, std::string> approvers;
  std::vector<const Approval*> counted;
  std::vector<std::string_view> reasons;
  for (const Approval* one : found->second) {
    if (one->change != change) continue;
    counted.push_back(one);
    reasons.push_back(one->reason);
    for (const std::string& name : one->approvers) {
      if (!authors.contains(Folded(name))) approvers.emplace(Folded(name), name);
    }
  }
  if (approvers.size() < needed) return false;
  for (const Approval* one : counted) {
    if (std::find(used_.begin(), used_.end(), *one) == used_.end()) used_.push_back(*one);
  }
  who.clear();
  for (const auto& [folded, name] : approvers) who += (who.empty() ? "" : ", ") + name;
  who += fmt::format(" ({})", fmt::join(reasons, "; "));
  return true;
}

}  // namespace telltale::contract::check
