// The people who describe vehicles to the registry, and the door that asks it about unknown ones:
// what they were answered is to be there after a power cut.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "platform.h"

namespace telltale::power {

class Clerk {
 public:
  // One import of a few vehicles, each newer than the one before it.
  Status Import(Platform& platform, Random& random);
  // A vehicle that connects, known or not.
  Status Resolve(Platform& platform, Random& random);
  // Right after a cut: what is wrong, "" when nothing is. Learns what of the last, unanswered
  // import is there.
  std::string Check(Platform& platform);

  std::uint64_t answered() const { return answered_; }

 private:
  struct Known {
    std::uint32_t epoch = 0;    // 0: never answered
    std::uint64_t version = 0;  // of the description, as its model's name; 0 = unknown vehicle
    VehicleRef ref;             // of this epoch
  };
  static std::uint64_t VersionOf(const registry::Vehicle& vehicle);
  Status Learn(const registry::Vehicle& vehicle);
  std::string CheckOne(Platform& platform, const std::string& vin, const Known& known);

  std::map<std::string, Known> vehicles_;
  std::map<std::pair<std::string, std::uint32_t>, VehicleRef> refs_;  // by VIN and epoch
  std::vector<std::string> unanswered_;                               // VINs of that import
  std::uint64_t version_ = 0;                                         // of the newest import
  std::map<std::string, std::uint32_t> epochs_tried_;
  std::uint64_t changes_ = 0;  // rows of vehicle_changes that must be there
  std::uint64_t answered_ = 0;
};

}  // namespace telltale::power
