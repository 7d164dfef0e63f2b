// The one KeyTree there is. key_tree.cc: keys in memory; key_tree_write.cc: their files and the
// root; key_tree_open.cc: from files to memory.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "vault/keys/key_tree.h"
#include "vault/keys/page.h"
#include "vault/keys/root.h"
#include "vault/keys/tree_folder.h"
#include "vault/keys/vehicle_index.h"

namespace telltale::vault {

// The reference that an ordinal stands for; zeros where there is none.
struct VehiclePages {
  std::vector<Page*> by_number;  // nullptr: all erased
  VehicleRef operator()(Ordinal ordinal) const;
};

class KeyTreeImpl final : public KeyTree {
 public:
  KeyTreeImpl(Disk& disk, Random& random, KeyProvider& provider, Counters& counters,
              const KeyTreeOptions& options);

  Status EnsureHour(const HourKeyId& id, Hour dies_at) override;
  Status ImportHour(const HourKeyId& id, Hour dies_at, const seal::SecretKey& key) override;
  Result<Ordinal> EnsureVehicle(const VehicleRef& vehicle) override;
  Status Flush() override;
  void DropUnflushed() override;
  Status SetDiesAt(const HourKeyId& id, Hour dies_at) override;
  Status CopyHour(const HourKeyId& id, seal::SecretKey& key) const override;
  Status CopyVehicle(const VehicleRef& vehicle, seal::SecretKey& key) const override;
  Result<Ordinal> OrdinalOf(const VehicleRef& vehicle) const override;
  Result<VehicleRef> VehicleAt(Ordinal ordinal) const override;
  Status Destroy(std::span<const HourKeyId> hours, std::span<const VehicleRef> vehicles) override;
  Status Retry() override;
  bool destruction_pending() const override { return pending_.load(); }
  std::vector<HourKeyInfo> Hours() const override;
  std::uint64_t vehicles() const override;
  Ordinal next_ordinal() const override;
  bool locked() const override;

  Status OpenAll();

 private:
  struct Replica {
    TreeFolder folder;
    std::set<PageId> owed;  // pages whose file there is not ours
    bool owes_root = false;
    bool owes_rotation = false;  // its root may still have what was destroyed
  };
  struct FoundRoot {
    std::string file;
    RootHead head;
    RootBody body;
  };
  // Of a root that was looked for in one folder.
  enum class Looked { kOpened, kMissing, kUnusable, kNoAnswer };

  // key_tree.cc
  Page* Find(const PageId& id) const REQUIRES(mutex_);
  Page& MakePage(const PageId& id) REQUIRES(mutex_);
  void DropPage(const PageId& id) REQUIRES(mutex_);
  std::optional<Ordinal> OrdinalIn(const VehicleRef& vehicle) const REQUIRES(mutex_);
  std::uint8_t* HourSlot(const HourKeyId& id) const REQUIRES(mutex_);
  Status PutHour(const HourKeyId& id, Hour dies_at, Key key) REQUIRES(mutex_);
  void ForgetHour(const HourKeyId& id) REQUIRES(mutex_);
  bool ForgetVehicle(const VehicleRef& vehicle) REQUIRES(mutex_);  // whether it was known
  void Touch(Page& page) REQUIRES(mutex_);
  void TouchUncertain(const PageId& id) REQUIRES(mutex_);
  void DropUnflushedVehicles(Page& page) REQUIRES(mutex_);
  void DropUnflushedHours() REQUIRES(mutex_);

  // key_tree_write.cc
  template <typename Chosen>
  std::vector<PageId> PagesWhere(const Chosen& chosen) const;
  Status WriteInPlace(const PageId& id);
  Status WriteUnderNewKey(const PageId& id);
  Status PutPage(const std::string& name, const Result<std::string>& bytes);
  Status SyncPages(const std::vector<PageId>& ids);
  void MarkFlushed(const std::vector<PageId>& ids);
  void SetPending();

  // key_tree_rotate.cc
  Status Rotate();
  Status WriteTouched(std::vector<PageId>& written);
  void StayInPlace();
  void Commit();
  RootBody MakeBody() const;
  Status TakeNextRootKey();
  Result<std::string> MakeRoot(bool rotate);
  Status StoreRoot(const std::string& bytes);
  Status SyncReplicas();
  Status SyncReplica(Replica& replica);
  Status Purge();
  Status DestroyOtherRootKeys();
  std::set<std::string> FileNames() const;
  void KeepReserve();

  // key_tree_open.cc
  Result<Looked> LookForRoot(const TreeFolder& folder, std::optional<FoundRoot>& best);
  Status FindRoot(std::optional<FoundRoot>& found);
  Status CreateFirst();
  Status LoadAll(const FoundRoot& found);
  Status LoadPage(const RootRecord& record);
  Status LoadFrom(const TreeFolder& folder, Page& page) const;
  bool LoadFromReplicas(Page& page);
  void CountDamaged(const Page& page);
  void Enter(std::unique_ptr<Page> page);
  Status RestoreHere();
  void CompareReplicas();
  void CompareReplica(Replica& replica);

  Disk& disk_;
  Random& random_;
  KeyProvider& provider_;
  Counter& keys_damaged_;
  Counter& replica_failures_;

  // Owner thread.
  TreeFolder folder_;
  std::vector<Replica> replicas_;
  std::string why_no_root_;  // what Open() says when no root opens
  bool root_from_replica_ = false;
  std::uint64_t root_generation_ = 0;  // of the last root that was tried
  std::string root_key_id_;            // of the root that is durable
  std::string next_root_key_id_;       // made, not yet under a durable root; "" = none
  std::string root_file_;              // sealed, as last written
  bool root_uncertain_ = false;        // which of two roots is durable is not known
  bool rotation_owed_ = false;         // a destroyed key may still be under root_key_id_
  bool purge_owed_ = false;            // old files or root keys may still be there
  std::atomic<bool> pending_{false};

  mutable Mutex mutex_;  // never held while files are written
  std::map<PageId, std::unique_ptr<Page>> pages_ GUARDED_BY(mutex_);
  VehiclePages vehicle_pages_ GUARDED_BY(mutex_);
  VehicleIndex index_ GUARDED_BY(mutex_);
  Ordinal next_ordinal_ GUARDED_BY(mutex_);
  Ordinal durable_next_ GUARDED_BY(mutex_);  // of the last durable root
  // What Flush() has not made durable: when it died before, none if there was no such key.
  std::map<HourKeyId, std::optional<Hour>> unflushed_hours_ GUARDED_BY(mutex_);
  bool all_locked_ GUARDED_BY(mutex_) = true;
};

}  // namespace telltale::vault
