// Who approved what, and which of it was needed. One thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "contract/check/check.h"

namespace telltale::contract::check {

class ApprovalBook {
 public:
  explicit ApprovalBook(const Approvals& approvals);

  // Whether at least `needed` people approved it, none of them an author. If so, the approvals are
  // noted as used, and `who` says who they were and why.
  bool Allows(const std::string& field, Change change, std::size_t needed, std::string& who);
  // In the order in which they were needed, each once.
  const std::vector<Approval>& used() const { return used_; }

 private:
  const Approvals& approvals_;
  std::unordered_map<std::string, std::vector<const Approval*>> by_field_;
  std::vector<Approval> used_;
};

}  // namespace telltale::contract::check
