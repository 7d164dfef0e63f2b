// Making, signing and installing bundles of the vault's transport keys, for `telltale init` and
// `telltale vault transport-keys`. Docs: docs/formats/transport-keys.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/config.h"
#include "base/disk.h"
#include "seal/transport_keys.h"

namespace telltale::app {

// Of the first key and of each next one unless told otherwise; the next one is due this much
// before the last key ends.
inline constexpr std::uint32_t kTransportKeyDays = 90;
// No key seals for longer: with what the stream `sealed` is kept, a copy of the stream opens for
// this and three days more, far less than any window. Longer spans are several keys in a row.
inline constexpr std::uint32_t kTransportKeyLifeDays = 7;
inline constexpr std::uint32_t kTransportKeyDueDays = 14;

std::string TransportBundlePath(const Paths& paths);
std::string OfflinePublicPath(const Paths& paths);
// Where `init` leaves the offline private key for a trial; it belongs on another machine.
std::string OfflinePrivatePath(const Paths& paths);

// The bundle in force at the door, its signature checked.
//   kNotFound  there is none: an installation from before transport keys had dates
//   errors of seal::OpenBundle
Result<seal::TransportBundle> LoadBundle(Disk& disk, const Paths& paths);

// Makes the vault's next keys, in a row from `now` for `days`, and returns the bundle that follows
// `former`: the keys of that one which seal now, and the new ones. Not signed, not installed.
struct NextKey {
  Micros now;
  std::uint32_t days = kTransportKeyDays;
  bool is_demo = false;
};
Result<seal::TransportBundle> MakeNextBundle(Disk& disk, const Paths& paths,
                                             const seal::TransportBundle& former,
                                             const NextKey& next);
// Puts a signed bundle in force. With no offline public key there yet (first: a new installation,
// or one from before) `first_public` becomes it, last, so that the door never waits for a bundle.
//   kRefused  not signed by the offline key, or its number does not rise
Status InstallBundle(Disk& disk, const Paths& paths, const std::string& signed_bundle,
                     const std::optional<std::string>& first_public = {}, bool is_demo = false);

// For a new installation: offline key, first transport key, first bundle.
Status MakeTransportKeys(Disk& disk, const Paths& paths, Micros now, bool is_demo);

// Empty, or what people must do about the keys: none is valid, the last ends within
// kTransportKeyDueDays, or they have no dates.
std::string TransportKeysWarning(Disk& disk, const Paths& paths, Micros now);

}  // namespace telltale::app
