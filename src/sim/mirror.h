// Feeds one environment with a cohort of another: reads the open records of its vehicles and drives
// them, under pseudonyms, through the other one's own door. Nothing sealed is read, and no name or
// reference of the first environment reaches the second (docs/environments.md).
#pragma once

#include <functional>
#include <string>

#include "base/random.h"
#include "net/certificates.h"
#include "sim/mirror_reader.h"
#include "sim/mirror_report.h"

namespace telltale::sim {

struct MirrorOptions {
  MirrorReaderOptions reader;
  std::uint32_t generation_hours = 24;  // then every vehicle gets another pseudonym
  std::vector<std::string> leave_out = kCarriedOnCounts;
  std::string host = "127.0.0.1";
  std::function<std::uint16_t()> port;  // of the other environment's door; see Road
  bool once = false;                    // ends with what was there at the start
  std::int64_t drain_us = 30'000'000;   // at the end, for the last acknowledgements
};

struct MirrorParts {
  MirrorReader::Parts reader;
  Random& random;
  // Of the other environment: makes its vehicles' certificates, and its doors are trusted.
  const net::CertificateAuthority& authority;
  MirrorReports::ContractOf contract_of;
  // Tells the other environment's register what kind of vehicle a pseudonym is, before it connects
  // for the first time: its door derives the class from there. Once for each pseudonym and session.
  std::function<void(const std::string& pseudonym, VehicleClass vehicle_class)> introduce;
};

struct MirrorProgress {
  std::uint64_t generation = 0;
  std::size_t vehicles = 0;
  std::size_t connected = 0;
  std::uint64_t records_read = 0;
  std::uint64_t reports_taken = 0;
  std::uint64_t reports_acknowledged = 0;
};

// Blocks until a stop is asked for (base/stop.h), or `once` is done. `on_progress` once a second.
// Its files, in reader.state_dir: the generation, its place, and counters.json.
//   kNotFound     there is no log to read
//   kUnavailable  not everything was acknowledged at the end
//   others        of reading and of the files
Status RunMirror(MirrorParts parts, const MirrorOptions& options,
                 const std::function<void(const MirrorProgress&)>& on_progress);

}  // namespace telltale::sim
