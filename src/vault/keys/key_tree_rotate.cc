// A destruction on disk: touched pages under new keys, the root under a new root key, the replicas,
// then the old files and the old root key. A step that fails leaves what was before it usable.
#include <fmt/format.h>
#include <openssl/crypto.h>

#include "vault/keys/key_tree_impl.h"
#include "vault/keys/pages_where.h"

namespace telltale::vault {
namespace {

// Besides the root: some pages of vehicles, which are the largest.
constexpr std::uint64_t kReserveBytes = 512u << 10;

bool IsRootKeyId(std::string_view id) {
  return !id.empty() && id.size() <= kRootKeyIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

RootBody KeyTreeImpl::MakeBody() const {
  MutexLock lock(mutex_);
  std::vector<RootRecord> records;
  for (const auto& [id, page] : pages_) {
    if (page->dropping || (!page->in_root && !page->on_disk)) continue;
    if (page->next_generation != 0) {
      records.push_back({id, page->next_generation, page->next_key()});
    } else {
      records.push_back({id, page->generation, page->key()});
    }
  }
  return RootBody::Make(next_ordinal_, records);
}

Status KeyTreeImpl::TakeNextRootKey() {
  if (!next_root_key_id_.empty()) return Ok();
  ASSIGN_OR_RETURN(const std::string id, provider_.Create());
  // Under the old one nothing would be destroyed with it.
  if (!IsRootKeyId(id) || id == root_key_id_) {
    return Error{Code::kCorrupt, "the key provider did not make a new root key"};
  }
  next_root_key_id_ = id;
  return Ok();
}

Result<std::string> KeyTreeImpl::MakeRoot(bool rotate) {
  if (rotate) RETURN_IF_ERROR(TakeNextRootKey());
  RootHead head;
  head.generation = root_generation_ + 1;
  head.provider = provider_.name();
  head.root_key_id = next_root_key_id_.empty() ? root_key_id_ : next_root_key_id_;
  seal::SecretKey file_key;
  random_.Fill({file_key.data(), file_key.size()});
  ASSIGN_OR_RETURN(head.wrapped, provider_.Wrap(head.root_key_id, file_key, head.Context()));
  // Everything hangs on this: a root that the provider will not open is not written.
  seal::SecretKey again;
  RETURN_IF_ERROR(provider_.Unwrap(head.root_key_id, head.wrapped, head.Context(), again));
  if (head.wrapped.size() > UINT16_MAX ||
      CRYPTO_memcmp(again.data(), file_key.data(), file_key.size()) != 0) {
    return Error{Code::kCorrupt, "the key provider does not give back what it wrapped"};
  }
  return SealRoot(std::move(head), MakeBody(), KeyOf(file_key));
}

Status KeyTreeImpl::StoreRoot(const std::string& bytes) {
  ++root_generation_;
  root_uncertain_ = true;
  Status put = folder_.PutRoot(bytes);
  if (!put.ok() && put.error().code == Code::kOverloaded && folder_.GiveUpReserve()) {
    put = folder_.PutRoot(bytes);
  }
  RETURN_IF_ERROR(put);
  root_uncertain_ = false;
  root_file_ = bytes;
  const bool rotated = !next_root_key_id_.empty();
  if (rotated) {
    root_key_id_ = std::move(next_root_key_id_);
    next_root_key_id_.clear();
    purge_owed_ = true;
  }
  for (Replica& replica : replicas_) {
    replica.owes_root = true;
    replica.owes_rotation = replica.owes_rotation || rotated;
  }
  MutexLock lock(mutex_);
  durable_next_ = next_ordinal_;
  return Ok();
}

// Each page is tried. `written` are those whose files have what memory has.
Status KeyTreeImpl::WriteTouched(std::vector<PageId>& written) {
  Status first;
  for (const PageId& id : PagesWhere([](const Page& page) { return page.dirty || page.rekey; })) {
    bool rekey = false;
    {
      MutexLock lock(mutex_);
      Page& page = *Find(id);
      rekey = page.rekey;
      page.dropping = rekey && page.alive == 0;
      if (page.dropping) continue;
    }
    const Status put = rekey ? WriteUnderNewKey(id) : WriteInPlace(id);
    Keep(first, put);
    if (put.ok()) written.push_back(id);
  }
  return first;
}

Status KeyTreeImpl::Rotate() {
  std::vector<PageId> written;
  Status first = WriteTouched(written);
  const Status synced = SyncPages(written);
  Result<std::string> root = synced.ok() ? MakeRoot(true) : Result<std::string>(synced.error());
  if (!root.ok()) {
    Keep(first, root.error());
    StayInPlace();
    return first;
  }
  const Status stored = StoreRoot(*root);
  Keep(first, stored);
  Commit();
  if (stored.ok()) {
    MarkFlushed(written);
    rotation_owed_ = !PagesWhere([](const Page& page) { return page.rekey; }).empty();
  }
  return first;
}

// The provider does not answer: the files lose the keys at least under the old page keys, with a
// mark that says that these must go, for the next start.
void KeyTreeImpl::StayInPlace() {
  {
    MutexLock lock(mutex_);
    for (const auto& [id, page] : pages_) {
      page->dropping = false;
      page->next_generation = 0;
      OPENSSL_cleanse(page->next_key(), seal::kKeyBytes);
    }
  }
  std::vector<PageId> written;
  for (const PageId& id :
       PagesWhere([](const Page& page) { return page.rekey && page.in_root && !page.damaged; })) {
    if (WriteInPlace(id).ok()) written.push_back(id);
  }
  if (SyncPages(written).ok() && !root_uncertain_) MarkFlushed(written);
}

void KeyTreeImpl::Commit() {
  MutexLock lock(mutex_);
  std::vector<PageId> dropped;
  for (const auto& [id, page] : pages_) {
    if (page->dropping) dropped.push_back(id);
    if (page->next_generation == 0) continue;
    std::copy_n(page->next_key(), seal::kKeyBytes, page->key());
    OPENSSL_cleanse(page->next_key(), seal::kKeyBytes);
    page->generation = page->next_generation;
    page->next_generation = 0;
    page->writes = 1;
    page->rekey = false;
  }
  for (const PageId& id : dropped) DropPage(id);
}

std::set<std::string> KeyTreeImpl::FileNames() const {
  MutexLock lock(mutex_);
  std::set<std::string> names;
  for (const auto& [id, page] : pages_) names.insert(id.FileName(page->generation));
  return names;
}

Status KeyTreeImpl::SyncReplica(Replica& replica) {
  RETURN_IF_ERROR(replica.folder.Make());
  bool put = false;
  for (const PageId& id : std::set<PageId>(replica.owed)) {
    std::string name;
    {
      MutexLock lock(mutex_);
      const Page* page = Find(id);
      if (page != nullptr && page->in_root && !page->damaged) name = id.FileName(page->generation);
    }
    if (!name.empty()) {
      ASSIGN_OR_RETURN(const std::string bytes, folder_.Read(name, kPageFileBytesMax));
      RETURN_IF_ERROR(replica.folder.Put(name, bytes));
      put = true;
    }
  }
  if (put) RETURN_IF_ERROR(replica.folder.Sync());
  if (replica.owes_root) RETURN_IF_ERROR(replica.folder.PutRoot(root_file_));
  if (replica.owes_root || replica.owes_rotation) {
    RETURN_IF_ERROR(replica.folder.RemoveOthers(FileNames()));
  }
  replica.owed.clear();
  replica.owes_root = false;
  replica.owes_rotation = false;
  return Ok();
}

Status KeyTreeImpl::SyncReplicas() {
  if (root_uncertain_) return Ok();  // they follow what is durable here
  Status first;
  for (Replica& replica : replicas_) {
    if (replica.owed.empty() && !replica.owes_root && !replica.owes_rotation) continue;
    const Status synced = SyncReplica(replica);
    if (!synced.ok()) replica_failures_.Add();
    Keep(first, synced);
  }
  return first;
}

Status KeyTreeImpl::DestroyOtherRootKeys() {
  const auto is_other = [this](const std::string& id) {
    return id != root_key_id_ && id != next_root_key_id_;
  };
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, provider_.List());
  Status first;
  for (const std::string& id : ids) {
    if (is_other(id)) Keep(first, provider_.Destroy(id));
  }
  RETURN_IF_ERROR(first);
  ASSIGN_OR_RETURN(const std::vector<std::string> left, provider_.List());
  if (std::none_of(left.begin(), left.end(), is_other)) return Ok();
  return Error{Code::kUnavailable, "the key provider still has root keys that it was to destroy"};
}

Status KeyTreeImpl::Purge() {
  Status first = folder_.RemoveOthers(FileNames());
  Keep(first, DestroyOtherRootKeys());
  purge_owed_ = !first.ok();
  return first;
}

void KeyTreeImpl::KeepReserve() {
  // Without it a destruction waits for room when the disk is full.
  (void)folder_.KeepReserve(kReserveBytes + 2 * root_file_.size());
}

Status KeyTreeImpl::Retry() {
  Status first;
  if (rotation_owed_) Keep(first, Rotate());
  Keep(first, SyncReplicas());
  if (purge_owed_ && !root_uncertain_) Keep(first, Purge());
  if (!root_uncertain_) KeepReserve();
  SetPending();
  return first;
}

}  // namespace telltale::vault
