// Every key of the vault: random keys of hours and of vehicles, in pages under random page keys,
// which the root holds under a root key of the provider. Destroying one key rewrites its page under
// a new page key and the root under a new root key; then the old root key is destroyed, so that no
// older copy of the files opens. Bytes: docs/formats/vault-keys.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/counters.h"
#include "base/disk.h"
#include "base/ids.h"
#include "base/random.h"
#include "seal/derive.h"
#include "vault/hour.h"
#include "vault/keys/provider.h"
#include "vault/retention_class.h"

namespace telltale::vault {

// The hour of a frame's basis, min(event, receipt, now). With windows of whole hours a basis hour
// has one expiry hour; keys go by the basis hour so that a shortened window needs no re-sealing.
// Holds: the hold's number in place of the hour.
struct HourKeyId {
  RetentionClass retention_class = RetentionClass::kPosition;
  Hour hour;
  friend auto operator<=>(const HourKeyId&, const HourKeyId&) = default;
};

// Position of a vehicle's key in the tree, from 0; never given twice. The presence ledger counts in
// ordinals: which vehicle one stands for is only in the tree, and dies with the vehicle's key.
using Ordinal = Tagged<struct OrdinalTag, std::uint32_t>;

struct HourKeyInfo {
  HourKeyId id;
  Hour dies_at;  // destroyed at the start of this hour
};

struct KeyTreeOptions {
  std::string folder;                 // <vault>/keys/tree
  std::vector<std::string> replicas;  // the same files, kept live; other disks
};

// Ensure…, Flush, SetDiesAt, Destroy, Retry: owner thread. The others: any thread.
class KeyTree {
 public:
  // Reads and unwraps everything; finishes what a crash left half done (a page or root not referred
  // to, a root key no longer used). A missing or damaged file is taken from a replica whose root
  // still unwraps.
  //   kUnavailable  disk, or the provider does not answer
  //   kCorrupt      no copy of the root opens: the message says what that means
  //   kInvalid      the root is another provider's
  //   kUnsupported  newer
  static Result<std::unique_ptr<KeyTree>> Open(Disk& disk, Random& random, KeyProvider& provider,
                                               Counters& counters, KeyTreeOptions options);
  virtual ~KeyTree() = default;

  // The key, made when there is none; usable at once, durable after Flush(). Never brings back a
  // destroyed one: an hour id that was destroyed by this tree's Destroy may be made anew only by
  // explicit Ensure, the caller checks its expiry before.
  virtual Status EnsureHour(const HourKeyId& id, Hour dies_at) = 0;
  // Puts a key in that an earlier format kept elsewhere. The same one again changes nothing.
  //   kExists  the hour has another
  virtual Status ImportHour(const HourKeyId& id, Hour dies_at, const seal::SecretKey& key) = 0;
  virtual Result<Ordinal> EnsureVehicle(const VehicleRef& vehicle) = 0;
  // Before the first frame that uses them is written. Nothing to do is free.
  virtual Status Flush() = 0;
  // Forgets what was ensured and not flushed.
  virtual void DropUnflushed() = 0;

  // Lowers when a key dies (a shortened window). Durable after Flush(). Never raises.
  virtual Status SetDiesAt(const HourKeyId& id, Hour dies_at) = 0;

  //   kNotFound  never made, or destroyed
  virtual Status CopyHour(const HourKeyId& id, seal::SecretKey& key) const = 0;
  virtual Status CopyVehicle(const VehicleRef& vehicle, seal::SecretKey& key) const = 0;
  virtual Result<Ordinal> OrdinalOf(const VehicleRef& vehicle) const = 0;
  virtual Result<VehicleRef> VehicleAt(Ordinal ordinal) const = 0;  // kNotFound: erased or none

  // Gone from memory at once; from the disk, the replicas and the provider when it returns ok. Each
  // step is tried whatever the one before said. Unknown ones are fine: safe to repeat. After a
  // failure Retry() goes on; after a restart Open() does, but for keys that no write of this call
  // got rid of: repeat what was not said to be done. A success makes what was ensured durable too.
  virtual Status Destroy(std::span<const HourKeyId> hours,
                         std::span<const VehicleRef> vehicles) = 0;
  virtual Status Retry() = 0;
  virtual bool destruction_pending() const = 0;

  virtual std::vector<HourKeyInfo> Hours() const = 0;  // by id, ascending
  virtual std::uint64_t vehicles() const = 0;          // alive
  virtual Ordinal next_ordinal() const = 0;
  virtual bool locked() const = 0;  // in memory that is not swapped
};

}  // namespace telltale::vault
