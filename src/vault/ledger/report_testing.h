// A vault in order, as the report sees it: every test spoils one thing. Only tests include it.
#pragma once

#include <fmt/format.h>

#include <string>

#include "vault/ledger/ledger_testing.h"

namespace telltale::vault {

// Ten hours of positions of three vehicles each, window of 48 hours, nothing destroyed yet at
// hour 20; segment n is of hour n. Partition 0: 30 stored, 2 refused, 1 expired, 2 control.
struct ReportWorld : LedgerWorld {
  ReportWorld() {
    MustOpen();
    EXPECT_TRUE(ledger->SetWindow(RetentionClass::kPosition, kWindowHours, AtHour(0)).ok());
    for (std::int64_t hour = 0; hour < 10; ++hour) {
      for (std::uint32_t i = 0; i < 3; ++i) {
        Store(PositionHour(hour), static_cast<std::uint32_t>(hour) + i, AtHour(hour, 60));
      }
      AddSegment(hour);
    }
    input.now = input.at = AtHour(20);
    const PartitionId partition{0};
    input.account.AddRun(partition, Offset{0}, 30, Outcome::kStored, AtHour(9));
    input.account.AddRun(partition, Offset{30}, 2, Outcome::kRefused, AtHour(9));
    input.account.AddRun(partition, Offset{32}, 1, Outcome::kExpired, AtHour(9));
    input.account.AddRun(partition, Offset{33}, 2, Outcome::kControl, AtHour(9));
    input.sealed.push_back(
        {.partition = partition, .first = 20, .next = 35, .oldest_at = AtHour(9)});
    input.sealed_retention = Micros::Seconds(24 * 3600);
    input.audit_entries = 4;
    input.audit_hash = std::string(64, 'a');
  }

  void AddSegment(std::int64_t hour) {
    const std::uint64_t number = input.catalogue.next_segment++;
    const std::string name = fmt::format("position-{}-{}", hour, number);
    input.catalogue.live.push_back({number, PositionHour(hour), name, 100, 3});
    input.listing.files.push_back({name, 100});
    input.keys.hours.push_back(
        {PositionHour(hour), Hour{PositionHour(hour).hour.value + kWindowHours}});
  }
  // The first live hour: key, file and segment gone, receipt written, ledger told.
  void Destroy(Micros at) {
    const SegmentFact segment = input.catalogue.live.front();
    input.catalogue.live.erase(input.catalogue.live.begin());
    input.listing.files.erase(input.listing.files.begin());
    input.keys.hours.erase(input.keys.hours.begin());
    input.catalogue.gone.push_back({segment.number, segment.number + 1, Gone::kDestroyed, 3});
    ASSERT_TRUE(ledger->MarkDropped(std::vector{segment.id}, at, 3).ok());
  }
  Report Make(Micros now, Micros at) {
    input.now = now;
    input.at = at;
    input.ledger = ledger->View();
    return MakeReport(input);
  }
  Report Make(Micros now) { return Make(now, now); }
  Report Make() { return Make(input.now, input.at); }

  ReportInput input;
};

}  // namespace telltale::vault
