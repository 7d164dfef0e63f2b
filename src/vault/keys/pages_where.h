// Ids of pages, so that their files are written without the lock.
#pragma once

#include <algorithm>

#include "vault/keys/key_tree_impl.h"

namespace telltale::vault {

template <typename Chosen>
std::vector<PageId> KeyTreeImpl::PagesWhere(const Chosen& chosen) const {
  MutexLock lock(mutex_);
  std::vector<PageId> ids;
  for (const auto& [id, page] : pages_) {
    if (chosen(*page)) ids.push_back(id);
  }
  return ids;
}

}  // namespace telltale::vault
