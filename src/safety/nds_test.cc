// Recorded drives with labelled events: what a 0.35 g rule says of them. Skipped when the
// recordings are not there (TELLTALE_DATA, default ../shared/data beside this source tree).
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "safety/safety.h"
#include "safety/test_contract.h"

namespace telltale::safety {
namespace {

std::string ReadGzip(const std::string& path) {
  std::string text;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return text;
  char piece[65536];
  for (int got = 0; (got = gzread(file, piece, sizeof(piece))) > 0;) {
    text.append(piece, static_cast<std::size_t>(got));
  }
  gzclose(file);
  return text;
}

using Row = std::map<std::string, std::string>;

std::vector<Row> ReadCsv(const std::string& text) {
  std::vector<Row> rows;
  std::vector<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> cells;
    std::istringstream in(line);
    for (std::string cell; std::getline(in, cell, ',');) {
      if (!cell.empty() && cell.back() == '\r') cell.pop_back();
      cells.push_back(cell);
    }
    if (names.empty()) {
      names = cells;
      continue;
    }
    Row& row = rows.emplace_back();
    for (std::size_t n = 0; n < cells.size() && n < names.size(); ++n) row[names[n]] = cells[n];
  }
  return rows;
}

Micros TimeOf(const std::string& utc) {
  std::tm tm{};
  strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
  return Micros::Seconds(timegm(&tm));
}

// g as a car in single precision reports it.
float Acceleration(const std::string& g) { return std::strtof(g.c_str(), nullptr) * 9.80665f; }

std::string SourceFile(const std::string& path) {
  std::ifstream in(std::string(TELLTALE_SOURCE_DIR) + path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(NdsTest, EachLabelledEventIsOneAlertAndNothingElseIs) {
  const char* given = std::getenv("TELLTALE_DATA");
  const std::string data =
      given != nullptr ? given : std::string(TELLTALE_SOURCE_DIR) + "/../shared/data";
  const std::string path = data + "/nds-blackbox/nds_drives.csv.gz";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no recordings at " << path;

  const RuleSet set = testing::MustLoad(SourceFile("/tests/shows/rules/harsh-035g.yaml"));
  const Scanner scanner(set.slots);
  std::map<std::string, Episode> cars;
  std::map<std::string, std::uint64_t> seqs;
  std::set<std::pair<std::string, std::string>> labelled;
  std::vector<std::pair<std::string, std::string>> alerted;  // (drive, label of the opening row)
  std::uint64_t closed = 0;
  for (Row& row : ReadCsv(ReadGzip(path))) {
    const std::string& drive = row["drive"];
    telltale::v1::Report report;
    report.set_acceleration_longitudinal_mps2(Acceleration(row["accel_x"]));
    report.set_acceleration_lateral_mps2(Acceleration(row["accel_y"]));
    const std::string wire = report.SerializeAsString();
    Values values;
    ASSERT_TRUE(scanner.Scan(AsBytes(wire), values).whole);
    const Decision decision = Decide(cars[drive],
                                     {.boot = {1, 1},
                                      .seq = seqs[drive]++,
                                      .event_time = TimeOf(row["time_utc"]),
                                      .values = &values},
                                     set.rules[0]);
    cars[drive] = decision.next;
    if (!row["accel_event"].empty()) labelled.emplace(drive, row["accel_event"]);
    for (std::uint8_t n = 0; n < decision.count; ++n) {
      if (decision.changes[n].closed) {
        ++closed;
      } else {
        alerted.emplace_back(drive, row["accel_event"]);
      }
    }
  }
  EXPECT_EQ(labelled.size(), 32u);
  EXPECT_EQ(alerted.size(), 32u);
  EXPECT_EQ(std::set(alerted.begin(), alerted.end()), labelled);
  EXPECT_EQ(closed, 32u) << "no drive ends within an event";
}

}  // namespace
}  // namespace telltale::safety
