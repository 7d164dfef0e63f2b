// Which type of the candidate a type of an earlier version is, when its full name is another: moved
// to another nesting or package, or renamed. Found by what the types hold. Immutable; any thread.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "contract/check/schema.h"

namespace telltale::contract::check {

class TypeNames {
 public:
  TypeNames(const Schema& before, const Schema& now);

  // The name itself when the type did not move (or is gone).
  const std::string& NowName(const std::string& before_name) const;

  struct Move {
    std::string before_name;
    std::string now_name;
  };
  // Each with all that is nested in it; without what moved with its package.
  const std::vector<Move>& moves() const { return moves_; }

  struct PackageMove {
    const FileDescriptor* before;
    const FileDescriptor* now;
  };
  const std::vector<PackageMove>& packages() const { return packages_; }

 private:
  void FindPackageMoves();
  void FindMoves();
  void FollowGroups();
  void Map(const Descriptor& before, const Descriptor& now);
  template <typename Type>
  const Type* FindNew(const Type& before) const;

  const Schema& before_;
  const Schema& now_;
  std::unordered_map<std::string, std::string> now_names_;
  std::unordered_set<std::string> claimed_;
  std::vector<Move> moves_;
  std::vector<PackageMove> packages_;
};

// The type of a group field: it comes and goes with its field.
std::unordered_set<const Descriptor*> GroupTypes(const Schema& schema);

}  // namespace telltale::contract::check
