// The parts of a release that a worker runs: read from data/releases/<digest> and data/contracts,
// and checked against the digests that the release's name stands for.
#pragma once

#include <memory>
#include <string>

#include "base/config.h"
#include "base/disk.h"
#include "contract/contract.h"
#include "safety/rules.h"

namespace telltale::safety {

struct Release {
  std::string digest;
  std::shared_ptr<const contract::Contract> contract;
  RuleSet rules;
};

//   kInvalid   `digest` is not 64 lower-case hex digits; the manifest or rules break their format
//   kNotFound  a file of the release is not there
//   kCorrupt   a file's SHA-256 is not the one its name or the manifest says
Result<Release> LoadRelease(Disk& disk, const Paths& paths, const std::string& digest);

std::string Sha256Hex(std::string_view bytes);

}  // namespace telltale::safety
