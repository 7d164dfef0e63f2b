// From files to memory, and what a crash left half done.
#include <fmt/format.h>

#include <algorithm>

#include "vault/keys/key_tree_impl.h"
#include "vault/keys/pages_where.h"

namespace telltale::vault {
namespace {

// A replica's root may be older than the one that was lost: ordinals that it does not know of were
// given, and must not be given twice. More than any replica misses while it does not answer.
constexpr std::uint32_t kPagesSkippedMax = 256;

bool IsDamage(const Status& read) {
  const Code code = read.ok() ? Code::kInvalid : read.error().code;
  return code == Code::kCorrupt || code == Code::kNotFound || code == Code::kTooBig;
}

}  // namespace

Result<std::unique_ptr<KeyTree>> KeyTree::Open(Disk& disk, Random& random, KeyProvider& provider,
                                               Counters& counters, KeyTreeOptions options) {
  auto tree = std::make_unique<KeyTreeImpl>(disk, random, provider, counters, options);
  RETURN_IF_ERROR(tree->OpenAll());
  return std::unique_ptr<KeyTree>(std::move(tree));
}

Result<KeyTreeImpl::Looked> KeyTreeImpl::LookForRoot(const TreeFolder& folder,
                                                     std::optional<FoundRoot>& best) {
  const auto unusable = [&](std::string_view why) {
    why_no_root_ += fmt::format("{}: {}; ", folder.PathOf(TreeFolder::kRootName), why);
    return Looked::kUnusable;
  };
  Result<std::string> file = folder.Read(TreeFolder::kRootName, kRootFileBytesMax);
  if (!file.ok()) {
    if (file.error().code == Code::kNotFound) return Looked::kMissing;
    if (file.error().code == Code::kTooBig) return unusable("larger than any");
    why_no_root_ += file.error().message + "; ";
    return Looked::kNoAnswer;
  }
  const Result<RootHead> head = RootHead::Parse(AsBytes(*file));
  if (!head.ok()) {
    if (head.error().code == Code::kUnsupported) return head.error();
    return unusable(head.error().message);
  }
  if (head->provider != provider_.name()) {
    return Error{
        Code::kInvalid,
        fmt::format("{} is under the key provider \"{}\", not \"{}\": set vault.key_provider as it "
                    "was when these keys were made",
                    folder.PathOf(TreeFolder::kRootName), head->provider, provider_.name())};
  }
  seal::SecretKey file_key;
  const Status unwrapped =
      provider_.Unwrap(head->root_key_id, head->wrapped, head->Context(), file_key);
  if (!unwrapped.ok()) {
    if (unwrapped.error().code == Code::kNotFound) {
      return unusable("its root key is destroyed: a copy from before a destruction");
    }
    if (unwrapped.error().code == Code::kCorrupt) return unusable("does not unwrap");
    return unwrapped.error();
  }
  Result<RootBody> body = OpenRoot(AsBytes(*file), *head, KeyOf(file_key));
  if (!body.ok()) {
    if (body.error().code == Code::kUnsupported) return body.error();
    return unusable(body.error().message);
  }
  if (!best.has_value() || best->head.generation < head->generation) {
    best.emplace(FoundRoot{std::move(file).value(), *head, std::move(body).value()});
  }
  return Looked::kOpened;
}

Status KeyTreeImpl::FindRoot(std::optional<FoundRoot>& found) {
  ASSIGN_OR_RETURN(const Looked here, LookForRoot(folder_, found));
  if (here == Looked::kOpened) return Ok();
  // Only damage is a reason to go back to a replica: what does not answer now may be whole.
  if (here == Looked::kNoAnswer) return Error{Code::kUnavailable, why_no_root_};
  bool none = here == Looked::kMissing;
  bool all_answered = true;
  for (const Replica& replica : replicas_) {
    ASSIGN_OR_RETURN(const Looked there, LookForRoot(replica.folder, found));
    none = none && there == Looked::kMissing;
    all_answered = all_answered && there != Looked::kNoAnswer;
  }
  root_from_replica_ = found.has_value();
  if (found.has_value()) return Ok();
  if (!all_answered) {
    return Error{Code::kUnavailable,
                 "no root of keys opens, and a replica does not answer: " + why_no_root_ +
                     "bring it back, or take it out of "
                     "vault.key_replica"};
  }
  if (none) return CreateFirst();
  return Error{Code::kCorrupt,
               "no root of keys opens: " + why_no_root_ +
                   "without one nothing in this vault can be read. Put back the root file or a "
                   "replica as they were last; a copy from before a destruction does not open by "
                   "design. If there is none, the stored positions are lost: move the vault's "
                   "folder away and initialise a new one"};
}

Status KeyTreeImpl::CreateFirst() {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, provider_.List());
  if (!folder_.Has(TreeFolder::kCreatingName)) {
    if (!ids.empty()) {
      return Error{Code::kCorrupt,
                   fmt::format("{} has no root of keys, but the key provider has {} root key(s) of "
                               "this vault: the folder is lost or not mounted. Without its files "
                               "nothing can be read: bring them back; or destroy these root keys "
                               "to begin anew",
                               folder_.path(), ids.size())};
    }
    RETURN_IF_ERROR(folder_.Put(std::string(TreeFolder::kCreatingName), ""));
    RETURN_IF_ERROR(folder_.Sync());
  }
  ASSIGN_OR_RETURN(const std::string root, MakeRoot(true));
  return StoreRoot(root);
}

// Ok, or damage as kCorrupt, kNotFound and kTooBig; other errors are not of the file.
Status KeyTreeImpl::LoadFrom(const TreeFolder& folder, Page& page) const {
  ASSIGN_OR_RETURN(const std::string file,
                   folder.Read(page.id.FileName(page.generation), kPageFileBytesMax));
  return OpenPage(AsBytes(file), page);
}

bool KeyTreeImpl::LoadFromReplicas(Page& page) {
  const std::string name = page.id.FileName(page.generation);
  std::vector<std::pair<std::uint64_t, const Replica*>> by_writes;
  for (const Replica& replica : replicas_) {
    const Result<std::string> file = replica.folder.Read(name, kPageFileBytesMax);
    if (!file.ok()) continue;
    const Result<PageHead> head = PageHead::Parse(AsBytes(*file));
    if (head.ok()) by_writes.emplace_back(head->writes, &replica);
  }
  // The latest first. A replica that missed a write lacks keys that came since.
  std::sort(by_writes.rbegin(), by_writes.rend());
  return std::any_of(by_writes.begin(), by_writes.end(),
                     [&](const auto& one) { return LoadFrom(one.second->folder, page).ok(); });
}

void KeyTreeImpl::CountDamaged(const Page& page) {
  // How many keys it had, as far as its size says.
  const Result<std::string> file =
      folder_.Read(page.id.FileName(page.generation), kPageFileBytesMax);
  const std::size_t least = kPageHeadBytes + seal::kTagBytes + kSlotBytes;
  const std::size_t bytes = std::max(least, file.ok() ? file->size() : 0);
  keys_damaged_.Add((bytes - kPageHeadBytes - seal::kTagBytes) / kSlotBytes);
}

Status KeyTreeImpl::LoadPage(const RootRecord& record) {
  auto page = std::make_unique<Page>(record.id);
  page->generation = record.generation;
  std::copy_n(record.key, seal::kKeyBytes, page->key());
  page->in_root = true;
  page->on_disk = true;
  const Status here = LoadFrom(folder_, *page);
  if (!here.ok()) {
    if (here.error().code == Code::kUnsupported) return here;
    if (LoadFromReplicas(*page)) {
      page->dirty = true;
    } else if (IsDamage(here)) {
      page->damaged = true;
      CountDamaged(*page);
    } else {
      return here;
    }
  }
  Enter(std::move(page));
  return Ok();
}

void KeyTreeImpl::Enter(std::unique_ptr<Page> page) {
  MutexLock lock(mutex_);
  all_locked_ = all_locked_ && page->locked();
  const PageId id = page->id;
  Page& in = *(pages_[id] = std::move(page));
  if (!id.of_vehicles()) return;
  const auto number = static_cast<std::uint32_t>(id.number);
  auto& by_number = vehicle_pages_.by_number;
  if (by_number.size() <= number) by_number.resize(number + 1);
  by_number[number] = &in;
  const std::uint32_t first = number * kVehiclesPerPage;
  for (std::uint32_t at = 0; at < in.used; ++at) {
    if (in.Has(at))
      index_.Add(vehicle_pages_(Ordinal{first + at}), Ordinal{first + at}, vehicle_pages_);
  }
  // Of a page that is not the last written one, more ordinals may have been given than it has.
  const std::uint32_t given = in.damaged || in.dirty ? kVehiclesPerPage : in.used;
  const std::uint64_t next = std::uint64_t{first} + given;
  next_ordinal_ =
      std::max(next_ordinal_,
               Ordinal{static_cast<std::uint32_t>(std::min<std::uint64_t>(next, UINT32_MAX))});
}

Status KeyTreeImpl::LoadAll(const FoundRoot& found) {
  root_generation_ = found.head.generation;
  root_key_id_ = found.head.root_key_id;
  root_file_ = found.file;
  {
    MutexLock lock(mutex_);
    next_ordinal_ = found.body.next_ordinal();
  }
  for (std::size_t i = 0; i < found.body.records(); ++i) {
    RETURN_IF_ERROR(LoadPage(found.body.record(i)));
  }
  MutexLock lock(mutex_);
  if (root_from_replica_) {
    const std::uint64_t next =
        std::uint64_t{next_ordinal_.value} + std::uint64_t{kPagesSkippedMax} * kVehiclesPerPage;
    next_ordinal_ = Ordinal{static_cast<std::uint32_t>(std::min<std::uint64_t>(next, UINT32_MAX))};
  }
  durable_next_ = next_ordinal_;
  return Ok();
}

// Pages and root that came from a replica, before anything here is removed.
Status KeyTreeImpl::RestoreHere() {
  const std::vector<PageId> ids = PagesWhere([](const Page& page) { return page.dirty; });
  for (const PageId& id : ids) RETURN_IF_ERROR(WriteInPlace(id));
  if (!ids.empty()) RETURN_IF_ERROR(SyncPages(ids));
  MarkFlushed(ids);
  if (!root_from_replica_) return Ok();
  // Made anew, for its next ordinal is behind ours.
  ASSIGN_OR_RETURN(const std::string root, MakeRoot(false));
  return StoreRoot(root);
}

void KeyTreeImpl::CompareReplica(Replica& replica) {
  const Result<std::string> root = replica.folder.Read(TreeFolder::kRootName, kRootFileBytesMax);
  replica.owes_root = !root.ok() || *root != root_file_;
  replica.owes_rotation = true;  // whatever it has of before goes
  for (const PageId& id : PagesWhere([](const Page& page) { return !page.damaged; })) {
    std::string name;
    {
      MutexLock lock(mutex_);
      name = id.FileName(Find(id)->generation);
    }
    const Result<std::string> here = folder_.Read(name, kPageFileBytesMax);
    const Result<std::string> there = replica.folder.Read(name, kPageFileBytesMax);
    if (!here.ok() || !there.ok() || *here != *there) replica.owed.insert(id);
  }
}

void KeyTreeImpl::CompareReplicas() {
  for (Replica& replica : replicas_) CompareReplica(replica);
}

Status KeyTreeImpl::OpenAll() {
  RETURN_IF_ERROR(folder_.Make());
  // What a failed sync of an earlier process left must be durable before anything is destroyed.
  RETURN_IF_ERROR(folder_.Sync());
  std::optional<FoundRoot> found;
  RETURN_IF_ERROR(FindRoot(found));
  if (found.has_value()) {
    RETURN_IF_ERROR(LoadAll(*found));
    RETURN_IF_ERROR(RestoreHere());
  }
  RETURN_IF_ERROR(folder_.Remove(TreeFolder::kCreatingName));
  CompareReplicas();
  rotation_owed_ = !PagesWhere([](const Page& page) { return page.rekey; }).empty();
  purge_owed_ = true;
  // What fails now is owed: destruction_pending() says so, and the caller goes on trying.
  (void)Retry();
  return Ok();
}

}  // namespace telltale::vault
