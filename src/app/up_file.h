// trial.yaml: which environments `telltale up` makes and starts on one machine, and what feeds each
// (docs/environments.md). Keys that it does not know are refused.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/result.h"

namespace telltale::app {

struct TrialSim {
  std::uint32_t vehicles = 20;
  double report_hz = 5;
  std::uint32_t duration_s = 86'400;  // then it begins again
  std::uint64_t seed = 1;
};

struct TrialEnvironment {
  std::string key;   // [a-z0-9][a-z0-9-]{0,62}; its folder's name
  std::string kind;  // dev | staging | prod
  std::string upstream = {};
  std::string policy = {};
  std::vector<std::string> settings = {};  // section.key=value, as `telltale init --set`
  std::set<std::string> without = {};      // roles that are not started
  std::optional<TrialSim> sim = std::nullopt;
};

struct TrialMirror {
  std::string key;
  std::string from;  // environments
  std::string to;
  std::uint32_t per_10000 = 0;
  std::uint32_t generation_hours = 24;
};

struct Trial {
  std::string folder;   // of the file; objects to register lie there
  std::string control;  // environment whose folder has the control plane; "" = none
  // false: every folder is made as one of kind dev with one user, whatever its environment is
  // called, for a prod one needs root and more. true: each of its own kind.
  bool strict = false;
  std::vector<TrialEnvironment> environments;
  std::vector<TrialMirror> mirrors;

  const TrialEnvironment* Find(const std::string& key) const;  // or null
};

// `path`: the file, or its folder with trial.yaml.
//   kNotFound  no such file
//   kInvalid   the first mistake: where it is and what is allowed
Result<Trial> ReadTrial(Disk& disk, const std::string& path);

}  // namespace telltale::app
