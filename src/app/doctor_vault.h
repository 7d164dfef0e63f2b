// The vault from outside: its state, the heads of its segments and frames, the names and heads of
// its hour keys (docs/formats/vault-segment.md, vault-keys.md). By their checks alone: nothing is
// opened, and no byte of a key is read.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "app/doctor_log.h"
#include "app/doctor_report.h"
#include "base/config.h"

namespace telltale::app {

class VaultCheck {
 public:
  VaultCheck(Disk& disk, const Paths& paths, const LogView& log, DoctorReport& report)
      : disk_(disk), paths_(paths), log_(log), report_(report) {}

  void Check();

 private:
  struct Segment {
    std::uint32_t hour = 0;
    std::uint8_t frame_class = 0;
    std::uint64_t bytes = 0;
    std::uint64_t frames = 0;
  };
  struct State {
    std::vector<std::string> positions;  // by shard
    std::map<std::uint64_t, Segment> segments;
  };

  Result<State> ReadState() const;
  static Result<State> ParseState(ByteSpan bytes);
  void CheckPositions(const State& state);
  void ReadKeys();
  void CheckKey(const std::string& path, std::uint32_t hour);
  void CheckFolder(std::uint32_t hour, const State& state);
  Status CheckSegment(const std::string& path, std::uint64_t number, const Segment& segment);
  Status CheckFrames(const File& file, const Segment& segment);
  void CheckWhatIsMissing(const State& before);
  void AddOrphan(const std::string& where, std::string detail) {
    report_.Add(FindingKind::kOrphanVault, {where, std::move(detail), {}});
  }
  void AddError(const std::string& where, const Error& error);
  std::string SegmentsFolder() const { return paths_.vault() + "/segments"; }
  std::string KeysFolder() const { return paths_.vault() + "/keys/hours"; }

  Disk& disk_;
  const Paths& paths_;
  const LogView& log_;
  DoctorReport& report_;
  std::set<std::uint32_t> keys_;  // hours that have one
  std::set<std::uint32_t> used_;  // hours with a segment on the disk
  std::set<std::uint64_t> seen_;  // segments on the disk
};

}  // namespace telltale::app
