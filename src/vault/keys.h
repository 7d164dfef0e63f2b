// The random key of each expiry hour, and its end. Bytes: docs/formats/vault-keys.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/mutex.h"
#include "base/random.h"
#include "seal/derive.h"
#include "vault/hour.h"

namespace telltale::vault {

// A fixed number of 32-byte keys in memory that is kept out of swap where the system allows it.
class KeyMemory {
 public:
  explicit KeyMemory(std::size_t slots);
  ~KeyMemory();
  KeyMemory(const KeyMemory&) = delete;
  KeyMemory& operator=(const KeyMemory&) = delete;

  std::uint8_t* Take();               // nullptr when all are taken
  void GiveBack(std::uint8_t* slot);  // wipes it
  bool locked() const { return locked_; }

 private:
  std::size_t bytes_;
  std::uint8_t* memory_;
  bool locked_;
  std::vector<std::uint8_t*> free_;
};

// Ensure, Destroy: owner thread. Copy: any thread.
class HourKeys {
 public:
  // No window exceeds 62 days, so no more hours than this are alive.
  static constexpr std::size_t kKeysMax = 2048;

  // Reads every key of the folder (made when absent). Zeroed files are finished off. Files that
  // are not keys stay where they are and are counted in damaged().
  //   kUnavailable  disk
  static Result<std::unique_ptr<HourKeys>> Open(Disk& disk, std::string folder, Random& random);

  // Makes the hour's key, durable on return, unless there is one.
  //   kUnavailable, kOverloaded  disk; kTooBig  over kKeysMax
  Status Ensure(Hour hour);
  // Copies the key for one use; the copy wipes itself.
  //   kNotFound  never made, or destroyed
  Status Copy(Hour hour, seal::SecretKey& key) const;
  // Gone from memory at once; then overwritten, synced, unlinked, folder synced. Safe to repeat.
  //   kUnavailable  the disk refused a step: the key is unusable here, but the file may remain
  Status Destroy(Hour hour);

  // Every hour that has a file, damaged ones too.
  Result<std::vector<Hour>> Listed() const;
  std::size_t damaged() const { return damaged_; }
  bool locked() const { return memory_.locked(); }

 private:
  HourKeys(Disk& disk, std::string folder, Random& random)
      : disk_(disk), folder_(std::move(folder)), random_(random), memory_(kKeysMax) {}
  std::string PathOf(Hour hour) const;
  Status LoadAll();
  Status LoadOne(Hour hour);

  Disk& disk_;
  const std::string folder_;
  Random& random_;
  std::size_t damaged_ = 0;
  mutable Mutex mutex_;
  KeyMemory memory_;
  std::map<Hour, std::uint8_t*> keys_ GUARDED_BY(mutex_);
};

}  // namespace telltale::vault
