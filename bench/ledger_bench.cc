// The presence ledger at fleet size: noting, folding, and the report "outside the window", with the
// files of the ledger on a real disk.
// usage: ledger_bench FOLDER [VEHICLES [HOURS [ACTIVE_PERCENT]]]; FOLDER is filled, or asked again
// when it is full from an earlier run with the same numbers
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/random.h"
#include "vault/ledger/presence_ledger.h"
#include "vault/ledger/report.h"

namespace telltale::vault {
namespace {

constexpr std::int64_t kFirst = 500'000;
constexpr std::uint32_t kPartitions = 64;

double SecondsNow() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}
double PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}
HourKeyId Id(std::int64_t hour) { return {RetentionClass::kPosition, Hour{kFirst + hour}}; }

struct Fleet {
  std::string folder;
  std::uint32_t vehicles = 10'000'000;
  std::int64_t hours = 720;
  std::uint32_t active_percent = 10;
};

// Every hour a random part of the fleet, committed by 100,000.
bool Fill(PresenceLedger& ledger, const Fleet& fleet) {
  SeededRandom random(1);
  const std::uint64_t stride = 2 * 100 / fleet.active_percent - 1;
  std::uint64_t notes = 0;
  double folding = 0;
  const double start = SecondsNow();
  for (std::int64_t hour = 0; hour < fleet.hours; ++hour) {
    const Micros now = StartOf(Hour{kFirst + hour}) + Micros{60'000'000};
    for (std::uint64_t v = random.Below(stride); v < fleet.vehicles;
         v += 1 + random.Below(stride)) {
      if (!ledger.Note(Id(hour), Ordinal{static_cast<std::uint32_t>(v)}, 1, now).ok()) return false;
      if (++notes % 100'000 == 0 && !ledger.Commit().ok()) return false;
    }
    if (!ledger.Commit().ok()) return false;
    const double before = SecondsNow();
    if (!ledger.Fold(now).ok()) return false;
    folding += SecondsNow() - before;
  }
  const double took = SecondsNow() - start;
  std::printf(
      "fill: %llu presences, %.0f ns each with commits and folds (%.1f s, %.1f s of it "
      "hourly folds), peak %.0f MB\n",
      static_cast<unsigned long long>(notes), took * 1e9 / static_cast<double>(notes), took,
      folding, PeakMegabytes());
  return true;
}

ReportInput Books(const PresenceLedger& ledger, const Fleet& fleet) {
  ReportInput input;
  input.ledger = ledger.View();
  for (std::int64_t hour = 0; hour < fleet.hours; ++hour) {
    const HourState* state = input.ledger.Find(Id(hour));
    input.keys.hours.push_back({Id(hour), Hour{kFirst + hour + fleet.hours + 24}});
    for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
      const std::uint64_t number = input.catalogue.next_segment++;
      std::string name = fmt::format("position/{}/{}", kFirst + hour, number);
      input.listing.files.push_back({name, 1'000'000});
      input.catalogue.live.push_back(
          {number, Id(hour), std::move(name), 1'000'000, state->lives[0].frames / kPartitions});
    }
  }
  return input;
}

void TimeReport(const PresenceLedger& ledger, const Fleet& fleet, std::int64_t overdue,
                const char* what) {
  ReportInput input = Books(ledger, fleet);
  input.now = input.at = StartOf(Hour{kFirst + fleet.hours + 23 + overdue}) + Micros{600'000'000};
  double best = 1e9;
  std::string verdict;
  std::uint64_t vehicles = 0;
  std::size_t json_bytes = 0;
  for (int round = 0; round < 5; ++round) {
    const double start = SecondsNow();
    input.ledger = ledger.View();
    const Report report = MakeReport(input);
    json_bytes = report.ToJson().size();
    best = std::min(best, SecondsNow() - start);
    verdict = NameOf(report.verdict);
    vehicles = report.still_stored.empty() ? 0 : report.still_stored[0].vehicles;
  }
  std::printf("report, %s: %.1f ms, %s, %llu vehicles, %zu bytes of JSON, peak %.0f MB\n", what,
              best * 1e3, verdict.c_str(), static_cast<unsigned long long>(vehicles), json_bytes,
              PeakMegabytes());
}

int Run(const Fleet& fleet) {
  PosixDisk disk;
  const Micros begin = StartOf(Hour{kFirst});
  const PresenceLedgerOptions options{.folder = fleet.folder};
  auto ledger = PresenceLedger::Open(disk, begin, options);
  const auto window = static_cast<std::uint32_t>(fleet.hours + 24);
  if (!ledger.ok() || !(*ledger)->SetWindow(RetentionClass::kPosition, window, begin).ok() ||
      ((*ledger)->View().hours.empty() && !Fill(**ledger, fleet))) {
    std::fprintf(stderr, "%s: cannot be written\n", fleet.folder.c_str());
    return 1;
  }
  ledger->reset();
  const double start = SecondsNow();
  ledger = PresenceLedger::Open(disk, begin, options);
  if (!ledger.ok()) return 1;
  std::printf("open: %.1f ms\n", (SecondsNow() - start) * 1e3);
  TimeReport(**ledger, fleet, 0, "nothing past the window");
  TimeReport(**ledger, fleet, 1, "one hour past it");
  TimeReport(**ledger, fleet, 24, "one day past it");
  TimeReport(**ledger, fleet, fleet.hours + 24, "everything past it");
  return 0;
}

}  // namespace
}  // namespace telltale::vault

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: ledger_bench FOLDER [VEHICLES [HOURS [ACTIVE_PERCENT]]]\n");
    return 2;
  }
  telltale::vault::Fleet fleet{.folder = argv[1]};
  if (argc > 2) fleet.vehicles = static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10));
  if (argc > 3) fleet.hours = std::strtol(argv[3], nullptr, 10);
  if (argc > 4)
    fleet.active_percent = static_cast<std::uint32_t>(std::strtoul(argv[4], nullptr, 10));
  return telltale::vault::Run(fleet);
}
