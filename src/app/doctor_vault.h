// The vault from outside: its catalogue, and the heads of its segments and frames
// (docs/formats/vault-db.md, vault-segment.md). By their checks alone: nothing is opened, and no
// key is read; whether keys and files agree is for the vault's own reconciliation.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "app/doctor_log.h"
#include "app/doctor_report.h"
#include "app/doctor_stores.h"
#include "base/config.h"

namespace telltale::app {

class VaultCheck {
 public:
  VaultCheck(Disk& disk, const Paths& paths, const LogView& log, DoctorReport& report)
      : disk_(disk), paths_(paths), log_(log), report_(report) {}

  void Check();

 private:
  struct Segment {
    std::string path;
    std::uint8_t scheme = 0;
    std::uint8_t kind = 0;  // retention class; scheme 1: class of its frames
    std::uint32_t hour = 0;
    std::uint64_t bytes = 0;
    std::uint64_t frames = 0;
  };
  struct Catalogue {
    std::vector<std::string> positions;  // by shard
    std::map<std::uint64_t, Segment> segments;
  };

  Result<Catalogue> ReadCatalogue() const;
  Result<Catalogue> ReadRows(DatabaseCopy& copy) const;
  void CheckPositions(const Catalogue& catalogue);
  void CheckFolder(const std::string& folder, int deep, const Catalogue& catalogue);
  void CheckFile(const std::string& path, std::uint64_t number, const Catalogue& catalogue);
  Status CheckSegment(const std::string& path, std::uint64_t number, const Segment& segment);
  Status CheckFrames(const File& file, const Segment& segment);
  void CheckWhatIsMissing(const Catalogue& before);
  void AddOrphan(const std::string& where, std::string detail) {
    report_.Add(FindingKind::kOrphanVault, {where, std::move(detail), {}});
  }
  void AddError(const std::string& where, const Error& error);
  std::string SegmentsFolder() const { return paths_.vault() + "/segments"; }
  std::string CataloguePath() const { return paths_.vault() + "/vault.db"; }

  Disk& disk_;
  const Paths& paths_;
  const LogView& log_;
  DoctorReport& report_;
  std::set<std::uint64_t> seen_;  // segments on the disk
};

}  // namespace telltale::app
