// What the lake has against what the log has: every data file of the warehouse, the tables of the
// catalogue, the hand-offs between them, and how many rows there are for how many identities. Files
// by their footers (lake/parquet_footer.h), tables by their metadata; no row is read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/doctor_report.h"
#include "base/config.h"
#include "base/disk.h"
#include "base/ids.h"

namespace telltale::app {

class LakeCheck {
 public:
  LakeCheck(Disk& disk, const Paths& paths, DoctorReport& report)
      : disk_(disk), paths_(paths), report_(report) {}

  // The hand-offs, then the tables. Before the log's ends are taken: what the lake had by now is
  // in the log by then.
  void Read();

  // By partition: the first offset of `telemetry` that the newest hand-off has not taken. Empty
  // when there is none, or when it cannot be told.
  const std::vector<Offset>& taken() const { return taken_; }

  void CheckFiles();
  // `identities` = reports of the log below taken(), each counted once.
  void CompareRows(std::uint64_t identities);

 private:
  struct Named {  // a data file as a hand-off says it
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
  };
  struct Table {
    bool is_known = false;
    std::uint64_t handoff = 0;  // the newest that is in it
    std::uint64_t rows = 0;
    std::uint64_t files = 0;
    std::map<std::uint64_t, std::map<std::string, Named>> named;  // by hand-off, by path
  };
  struct Found {
    std::uint64_t rows = 0;
    std::uint64_t files = 0;
    bool is_whole = true;  // each file could be read
  };

  void ReadHandoffs();
  void ReadTables();
  Result<Table> ReadTable(const std::string& metadata_path);
  void CheckTable(const std::string& name, Table& table);
  void CheckFile(const std::string& path, std::uint64_t number, Table& table, Found& in_table);
  void AddError(const std::string& where, const Error& error);

  Disk& disk_;
  const Paths& paths_;
  DoctorReport& report_;
  std::uint64_t newest_ = 0;  // hand-off
  bool is_from_first_ = false;
  std::vector<Offset> taken_;
  std::map<std::string, Table> tables_;
  std::map<std::uint64_t, std::uint64_t> waiting_rows_;  // of `telemetry`, by hand-off
};

}  // namespace telltale::app
