// Pages as files, each under the key that the root has for it.
#include <openssl/crypto.h>

#include "vault/keys/key_tree_impl.h"
#include "vault/keys/pages_where.h"

namespace telltale::vault {

Status KeyTreeImpl::PutPage(const std::string& name, const Result<std::string>& bytes) {
  RETURN_IF_ERROR(bytes);
  const Status put = folder_.Put(name, *bytes);
  if (put.ok() || put.error().code != Code::kOverloaded || !folder_.GiveUpReserve()) return put;
  return folder_.Put(name, *bytes);
}

Status KeyTreeImpl::WriteInPlace(const PageId& id) {
  std::string name;
  Result<std::string> bytes = std::string();
  {
    MutexLock lock(mutex_);
    Page& page = *Find(id);
    if (page.generation == 0) page.generation = root_generation_ + 1;
    page.attempted = true;
    ++page.writes;
    name = id.FileName(page.generation);
    bytes = SealPage(page,
                     {.id = id,
                      .generation = page.generation,
                      .writes = page.writes,
                      .used = page.used,
                      .rekey = page.rekey},
                     Key(page.key(), seal::kKeyBytes), random_);
  }
  return PutPage(name, bytes);
}

Status KeyTreeImpl::WriteUnderNewKey(const PageId& id) {
  std::string name;
  Result<std::string> bytes = std::string();
  {
    MutexLock lock(mutex_);
    Page& page = *Find(id);
    page.next_generation = std::max(root_generation_, page.generation) + 1;
    random_.Fill({page.next_key(), seal::kKeyBytes});
    name = id.FileName(page.next_generation);
    bytes = SealPage(page,
                     {.id = id,
                      .generation = page.next_generation,
                      .writes = 1,
                      .used = page.used,
                      .rekey = false},
                     Key(page.next_key(), seal::kKeyBytes), random_);
  }
  const Status put = PutPage(name, bytes);
  if (put.ok()) return Ok();
  MutexLock lock(mutex_);
  Page& page = *Find(id);
  page.next_generation = 0;
  OPENSSL_cleanse(page.next_key(), seal::kKeyBytes);
  return put;
}

Status KeyTreeImpl::SyncPages(const std::vector<PageId>& ids) {
  RETURN_IF_ERROR(folder_.Sync());
  MutexLock lock(mutex_);
  for (const PageId& id : ids) Find(id)->on_disk = true;
  return Ok();
}

void KeyTreeImpl::MarkFlushed(const std::vector<PageId>& ids) {
  MutexLock lock(mutex_);
  for (const PageId& id : ids) {
    Page* page = Find(id);
    if (page == nullptr) continue;  // became empty, and left the root
    page->dirty = false;
    page->attempted = false;
    page->in_root = true;
    page->durable_used = page->used;
    for (Replica& replica : replicas_) replica.owed.insert(id);
  }
  std::erase_if(unflushed_hours_, [&](const auto& one) {
    return std::find(ids.begin(), ids.end(), PageId::Of(one.first)) != ids.end();
  });
}

Status KeyTreeImpl::Flush() {
  const std::vector<PageId> ids =
      PagesWhere([](const Page& page) { return page.dirty && !page.damaged; });
  if (ids.empty() && !root_uncertain_) return Ok();
  bool needs_root = root_uncertain_;
  for (const PageId& id : ids) {
    RETURN_IF_ERROR(WriteInPlace(id));
    MutexLock lock(mutex_);
    needs_root = needs_root || !Find(id)->in_root;
  }
  RETURN_IF_ERROR(SyncPages(ids));
  if (needs_root) {
    ASSIGN_OR_RETURN(const std::string root, MakeRoot(false));
    RETURN_IF_ERROR(StoreRoot(root));
  }
  MarkFlushed(ids);
  // A replica that does not answer is counted, and written later.
  (void)SyncReplicas();
  SetPending();
  return Ok();
}

void KeyTreeImpl::SetPending() {
  bool pending = rotation_owed_ || purge_owed_;
  for (const Replica& replica : replicas_) pending = pending || replica.owes_rotation;
  pending_.store(pending);
}

}  // namespace telltale::vault
