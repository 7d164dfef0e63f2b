// What the cars know of themselves: each report made, each batch acknowledged. Written as NDJSON
// for tests and the demo; it is the cars' own memory and holds exact places, so it never lies
// below an installation's folder. Lines: docs/sim.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/disk.h"
#include "base/ids.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::sim {

struct Totals {
  std::uint64_t reports_made = 0;
  std::uint64_t reports_sent = 0;   // in PUBLISHes put on the wire or queued for it, repeats again
  std::uint64_t reports_acked = 0;  // in PUBLISHes whose PUBACK came, repeats counted again
  std::uint64_t reports_repeated = 0;  // sent once more on purpose after their PUBACK
  std::uint64_t reports_lost = 0;      // gone in a reboot before they were sent
  std::uint64_t reports_malformed = 0;
  std::uint64_t connections = 0;
  std::uint64_t refused_connections = 0;
};

// One thread. Buffers; Flush() before reading the file.
class Record {
 public:
  // No file: only the totals are kept.
  Record() = default;
  static Result<std::unique_ptr<Record>> ToFile(Disk& disk, const std::string& path);

  void Sent(const std::string& vin, BootId boot, const telltale::v1::Report& report, bool malformed,
            Micros scheduled);
  void Batch(const std::string& vin, BootId boot, std::uint64_t first_seq, std::uint64_t last_seq,
             Micros scheduled);
  void Acked(const std::string& vin, BootId boot, std::uint64_t first_seq, std::uint64_t last_seq,
             std::uint32_t reports, Micros now);
  void Repeated(std::uint32_t reports);
  void Lost(const std::string& vin, BootId boot, std::uint64_t reports);
  Status Flush();

  Totals& totals() { return totals_; }
  const Totals& totals() const { return totals_; }

 private:
  void Line(std::string line);

  Totals totals_;
  std::unique_ptr<File> file_;
  std::uint64_t written_ = 0;
  std::string pending_;
  Status failed_;
};

}  // namespace telltale::sim
