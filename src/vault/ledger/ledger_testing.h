// Worlds for the ledger's tests. Only tests include it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/sim_disk.h"
#include "vault/ledger/presence_ledger.h"
#include "vault/ledger/report.h"

namespace telltale::vault {

inline constexpr Hour kFirstHour{500'000};
inline constexpr std::uint32_t kWindowHours = 48;

inline HourKeyId PositionHour(std::int64_t after_first) {
  return {RetentionClass::kPosition, Hour{kFirstHour.value + after_first}};
}
inline Micros AtHour(std::int64_t after_first, std::int64_t seconds = 0) {
  return StartOf(Hour{kFirstHour.value + after_first}) + Micros::Seconds(seconds);
}

struct LedgerWorld {
  explicit LedgerWorld(std::uint64_t journal_bytes_max = 1u << 20, std::size_t hot_hours_max = 64)
      : options{"/vault/ledger", kLedgerDays, journal_bytes_max, hot_hours_max} {
    EXPECT_TRUE(disk.MakeFolders("/vault").ok());
  }
  Status Open(Micros now = AtHour(0)) {
    ledger.reset();
    auto opened = PresenceLedger::Open(disk, now, options);
    if (!opened.ok()) return opened.error();
    ledger = std::move(opened).value();
    return Ok();
  }
  void MustOpen(Micros now = AtHour(0)) {
    const Status opened = Open(now);
    ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  }
  void Store(const HourKeyId& id, std::uint32_t ordinal, Micros now, std::uint64_t frames = 1) {
    ASSERT_TRUE(ledger->Note(id, Ordinal{ordinal}, frames, now).ok());
    ASSERT_TRUE(ledger->Commit().ok());
  }
  std::vector<std::uint32_t> Vehicles(const HourKeyId& id) const {
    const auto vehicles = ledger->View().vehicles(id);
    return vehicles.ok() ? vehicles->First(UINT64_MAX) : std::vector<std::uint32_t>{};
  }

  SimDisk disk;
  PresenceLedgerOptions options;
  std::unique_ptr<PresenceLedger> ledger;
};

inline bool Has(const std::vector<Finding>& findings, FindingKind kind) {
  for (const Finding& finding : findings) {
    if (finding.kind == kind) return true;
  }
  return false;
}
inline std::string Names(const std::vector<Finding>& findings) {
  std::string names;
  for (const Finding& finding : findings) {
    names += std::string(NameOf(finding.kind)) + " (" + finding.place + "); ";
  }
  return names;
}

}  // namespace telltale::vault
