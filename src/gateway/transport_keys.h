// The vault's transport keys as the door has them: keys/transport.bundle, read again when it
// changes. An installation without keys/vault_offline.pub is from before they had dates and seals
// for keys/vault_seal.pub.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/counters.h"
#include "base/disk.h"
#include "base/mutex.h"
#include "seal/transport_keys.h"

namespace telltale::gateway {

// From here on before the last key's end it is warned of.
inline constexpr Micros kTransportKeyWarning = Micros::Seconds(14 * 86'400);

class TransportKeys final : public seal::SealKeys {
 public:
  struct Files {
    std::string keys;  // the folder of vault_offline.pub, transport.bundle and vault_seal.pub
    std::string seen;  // remembers the highest bundle number across restarts
  };
  // `disk`, `clock` and `counters` must outlive it and every Sealer. Call Refresh() first.
  TransportKeys(Files files, Disk& disk, const Clock& clock, Counters& counters);

  // Looks at the files; what has changed is in force afterwards. A bundle that is not signed by the
  // offline key, has a lower number than one before it, or cannot be read changes nothing and is
  // counted at each look and logged once. To be called every few seconds, on one thread at a time.
  void Refresh();

  // Any thread.
  std::string PublicAt(Micros now) const override;
  bool has_key() const;

 private:
  struct Seen {
    std::uint64_t number = 0;
    std::string digest;  // SHA-256 of that bundle, hex
  };
  Status Read();
  Status TakeBundle(const std::string& bytes, const std::string& offline_public);
  Status TakeUndated();
  void LoadSeen();
  Status StoreSeen();
  void Judge();

  const Files files_;
  Disk& disk_;
  const Clock& clock_;
  Counter& refused_;
  Counter& missing_;    // a gauge: 1 while no key is valid
  Counter& days_left_;  // a gauge
  bool has_loaded_seen_ = false;
  Seen seen_;
  std::string failure_;  // empty: the files were good when last looked at
  bool has_alarmed_ = false;
  bool has_warned_ = false;
  bool has_asked_for_dates_ = false;

  mutable Mutex mutex_;
  std::unique_ptr<const seal::TransportBundle> bundle_ GUARDED_BY(mutex_);
  std::string undated_ GUARDED_BY(mutex_);  // empty: there is none, or a bundle is in force
};

}  // namespace telltale::gateway
