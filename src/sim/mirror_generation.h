// Under which names a mirror's vehicles go: a random key makes them, and with the key's end nobody
// can tell any more who they were. File: docs/formats/mirror-generation.md.
#pragma once

#include <cstdint>
#include <string>

#include "base/disk.h"
#include "base/ids.h"
#include "base/random.h"

namespace telltale::sim {

struct MirrorGeneration {
  std::uint64_t number = 0;  // from 1
  std::string key;           // 32 bytes, secret: who has it finds each vehicle's pseudonym
  Micros began_at;
  Micros ends_at;
  std::uint32_t sessions = 0;  // starts of the mirror in it, this one included
};

// The one in the file unless it is over at `now`; else a new one of `hours` with a fresh key, which
// takes the old key's place. One more session; durable when this returns. Mode 0600.
//   kCorrupt, kUnsupported  the file is none that this build reads
Result<MirrorGeneration> TakeGeneration(Disk& disk, const std::string& path, Random& random,
                                        Micros now, std::uint32_t hours);

// The name of a vehicle in the mirrored environment: "TTM" and 14 characters of an HMAC-SHA-256
// under the generation's key. It has a VIN's form (net/tls_identity.h) and is nobody's.
std::string PseudonymOf(const std::string& key, const VehicleRef& vehicle);

// Added to the distances that re-identify a vehicle by their value: 0 to 1,000,000 km in steps of a
// metre, as the register draws them.
double PseudonymDistanceKm(const std::string& key, const VehicleRef& vehicle);

}  // namespace telltale::sim
