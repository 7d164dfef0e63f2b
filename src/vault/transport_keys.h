// Private halves of the transport keys, as the vault holds them: <vault>/keys/transport, one file a
// key, and the undated seal.key of an installation from before they had dates. Part of the library
// vault_open: only telltale-vault and its tests link it.
#pragma once

#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/disk.h"
#include "seal/transport_keys.h"

namespace telltale::vault {

// One thread: the Opener's.
class TransportKeys {
 public:
  struct Key {
    seal::SecretKey private_raw;
    std::string public_raw;
    Micros not_before;
    Micros not_after;
    bool has_dates = false;
  };

  TransportKeys() = default;  // undated keys alone
  // `disk` must outlive it.
  TransportKeys(Disk& disk, std::string folder) : disk_(&disk), folder_(std::move(folder)) {}

  // `private_raw` 32 bytes X25519: opens envelopes from before keys had dates, without an end.
  //   kInvalid  not such a key
  Status AddUndated(std::string_view private_raw);
  // Reads the files that are not known yet; a folder that is not there is an empty one. A file that
  // is no good, or whose name is not its key's id, is left out and reported by the returned error;
  // the others are in force.
  Status Reload();
  // nullptr when the vault does not have it (yet: see Reload()).
  const Key* Find(const seal::VaultKeyId& id) const;
  std::size_t size() const { return keys_.size(); }
  // Of those with dates: name, and when they seal no more.
  std::vector<std::pair<std::string, Micros>> Ends() const;
  // Rises when a key was forgotten: what was agreed with it must be forgotten, too.
  std::uint64_t forgotten() const { return forgotten_; }

 private:
  friend Status DestroyExpiredTransportKeys(TransportKeys& keys, Micros now, Micros keep_for);
  Status ReadOne(const std::string& name);
  Status DestroyFile(const std::string& path) const;

  Disk* const disk_ = nullptr;
  const std::string folder_;
  std::map<seal::VaultKeyId, Key> keys_;
  std::uint64_t forgotten_ = 0;
};

// Destroys each key whose not_after + `keep_for` is not after `now`: forgotten in memory, its file
// overwritten, synced, removed, and the folder synced. `keep_for` is the time that the stream
// `sealed` is kept: what was sealed for the key is gone from it by then. Every step is tried for
// every key whatever failed before; the first failure is returned, and the next call goes on. Of a
// file whose dates cannot be read nothing is destroyed. Call about once a minute, on the thread of
// `keys`; also at the start, before anything is opened. `now` is the vault's guarded clock.
Status DestroyExpiredTransportKeys(TransportKeys& keys, Micros now, Micros keep_for);

}  // namespace telltale::vault
