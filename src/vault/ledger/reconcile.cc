#include "vault/ledger/reconcile.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

namespace telltale::vault {
namespace {

bool IsHold(const HourKeyId& id) { return id.retention_class == RetentionClass::kHold; }
std::uint64_t HoldOf(const HourKeyId& id) { return static_cast<std::uint64_t>(id.hour.value); }

class Reconciler {
 public:
  Reconciler(const LedgerView& ledger, Micros now, Micros grace, Reconciliation& out)
      : ledger_(ledger), now_(now), grace_(grace), out_(out) {}

  void CheckNumbers(const Catalogue& catalogue);
  void CheckFiles(const Listing& listing, const Catalogue& catalogue);
  void CheckSegments(const Catalogue& catalogue);
  void CheckKeys(const KeyInventory& keys);
  void CheckLedgerHasKeys(const KeyInventory& keys, const Catalogue& catalogue);

 private:
  void Add(FindingKind kind, std::string place) {
    out_.findings.push_back({kind, std::move(place)});
  }
  void AddNumbers(FindingKind kind, std::uint64_t from, std::uint64_t to) {
    if (from + 1 == to) return Add(kind, fmt::format("segment {}", from));
    Add(kind, fmt::format("segments {}..{}", from, to - 1));
  }
  void CheckHoldSegments(const HourKeyId& id);

  const LedgerView& ledger_;
  const Micros now_;
  const Micros grace_;
  Reconciliation& out_;
};

// Every number below next_segment once, none above.
void Reconciler::CheckNumbers(const Catalogue& catalogue) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const SegmentFact& segment : catalogue.live) {
    ranges.emplace_back(segment.number, segment.number + 1);
  }
  for (const GoneSegments& gone : catalogue.gone) {
    if (gone.from >= gone.to) continue;
    ranges.emplace_back(gone.from, gone.to);
    const std::uint64_t count = gone.to - gone.from;
    (gone.why == Gone::kDestroyed ? out_.segments_destroyed : out_.segments_replaced) += count;
    if (gone.why == Gone::kDestroyed && gone.audit_entry == 0) {
      AddNumbers(FindingKind::kDestroyedWithoutReceipt, gone.from, gone.to);
    }
  }
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t next = 0;
  for (const auto& [from, to] : ranges) {
    if (from > next) AddNumbers(FindingKind::kSegmentNumberMissing, next, from);
    if (from < next) AddNumbers(FindingKind::kSegmentNumberTwice, from, std::min(to, next));
    next = std::max(next, to);
  }
  if (next < catalogue.next_segment) {
    AddNumbers(FindingKind::kSegmentNumberMissing, next, catalogue.next_segment);
  }
  if (next > catalogue.next_segment) {
    AddNumbers(FindingKind::kSegmentNumberTwice, catalogue.next_segment, next);
  }
  out_.segments_live = catalogue.live.size();
  out_.next_segment = catalogue.next_segment;
}

void Reconciler::CheckFiles(const Listing& listing, const Catalogue& catalogue) {
  std::unordered_map<std::string, std::uint64_t> files;
  files.reserve(listing.files.size());
  for (const ListedFile& file : listing.files) files.emplace(file.name, file.bytes);
  out_.files = listing.files.size();
  for (const SegmentFact& segment : catalogue.live) {
    const auto found = files.find(segment.name);
    if (found == files.end()) {
      Add(FindingKind::kSegmentFileMissing, segment.name);
      continue;
    }
    if (found->second < segment.bytes) {
      Add(FindingKind::kSegmentFileShort,
          fmt::format("{}: {} bytes of {}", segment.name, found->second, segment.bytes));
    }
    files.erase(found);
  }
  std::vector<std::string> unlisted;
  for (const auto& [name, bytes] : files) unlisted.push_back(name);
  std::sort(unlisted.begin(), unlisted.end());
  for (std::string& name : unlisted) Add(FindingKind::kSegmentUnlisted, std::move(name));
}

void Reconciler::CheckHoldSegments(const HourKeyId& id) {
  const auto hold = ledger_.holds.find(HoldOf(id));
  if (hold == ledger_.holds.end()) {
    Add(FindingKind::kHoldUnknown, PlaceOf(id));
  } else if (hold->second.lifted && hold->second.lifted_at + grace_ <= now_) {
    Add(FindingKind::kSegmentOfDroppedHour, PlaceOf(id));
  }
}

void Reconciler::CheckSegments(const Catalogue& catalogue) {
  std::map<HourKeyId, std::uint64_t> frames;
  for (const SegmentFact& segment : catalogue.live) frames[segment.id] += segment.frames;
  for (const auto& [id, count] : frames) {
    if (IsHold(id)) {
      CheckHoldSegments(id);
      continue;
    }
    const HourState* hour = ledger_.Find(id);
    if (hour == nullptr) {
      if (count > 0) Add(FindingKind::kHourNotInLedger, PlaceOf(id));
    } else if (!hour->live()) {
      if (hour->lives.back().dropped_at + grace_ > now_) continue;
      Add(FindingKind::kSegmentOfDroppedHour, PlaceOf(id));
    } else if (hour->lives.back().frames < count) {
      Add(FindingKind::kLedgerFramesShort,
          fmt::format("{}: {} frames of {}", PlaceOf(id), hour->lives.back().frames, count));
    }
  }
}

void Reconciler::CheckKeys(const KeyInventory& keys) {
  out_.keys = keys.hours.size();
  // What memory forgot may still open from the disk.
  if (keys.destruction_pending) Add(FindingKind::kKeyDestructionPending, "key tree");
  for (const HourKeyInfo& key : keys.hours) {
    if (IsHold(key.id)) {
      const auto hold = ledger_.holds.find(HoldOf(key.id));
      if (hold != ledger_.holds.end() && hold->second.lifted &&
          hold->second.lifted_at + grace_ <= now_) {
        Add(FindingKind::kKeyOfLiftedHold, PlaceOf(key.id));
      }
      continue;
    }
    const HourState* hour = ledger_.Find(key.id);
    if (hour != nullptr && !hour->live()) {
      Add(FindingKind::kKeyOfDroppedHour, PlaceOf(key.id));
    } else if (key.dies_at.value <= HourOf(now_ - grace_).value) {
      Add(FindingKind::kKeyPastExpiry, PlaceOf(key.id));
    }
  }
}

void Reconciler::CheckLedgerHasKeys(const KeyInventory& keys, const Catalogue& catalogue) {
  std::vector<HourKeyId> have;
  for (const HourKeyInfo& key : keys.hours) have.push_back(key.id);
  std::sort(have.begin(), have.end());
  const auto check = [&](const HourKeyId& id) {
    if (!std::binary_search(have.begin(), have.end(), id)) {
      Add(FindingKind::kKeyMissing, PlaceOf(id));
    }
  };
  for (const HourState& hour : ledger_.hours) {
    if (!hour.live()) continue;
    ++out_.hours_live;
    check(hour.id);
  }
  std::map<HourKeyId, bool> holds;
  for (const SegmentFact& segment : catalogue.live) {
    if (IsHold(segment.id)) holds[segment.id] = true;
  }
  for (const auto& [id, live] : holds) check(id);
}

}  // namespace

std::string PlaceOf(const HourKeyId& id) {
  if (IsHold(id)) return fmt::format("hold {}", id.hour.value);
  return fmt::format("{} hour {}", NameOf(id.retention_class), id.hour.value);
}

Reconciliation Reconcile(const Listing& listing, const KeyInventory& keys,
                         const Catalogue& catalogue, const LedgerView& ledger, Micros now,
                         Micros grace) {
  Reconciliation result;
  result.at = now;
  Reconciler reconciler(ledger, now, grace, result);
  reconciler.CheckNumbers(catalogue);
  reconciler.CheckFiles(listing, catalogue);
  reconciler.CheckSegments(catalogue);
  reconciler.CheckKeys(keys);
  reconciler.CheckLedgerHasKeys(keys, catalogue);
  for (const std::string& name : ledger.damaged) {
    result.findings.push_back({FindingKind::kLedgerDamaged, name});
  }
  return result;
}

std::vector<std::pair<std::string, std::string>> AuditFieldsOf(const Reconciliation& result) {
  nlohmann::json counts = nlohmann::json::object();
  nlohmann::json places = nlohmann::json::array();
  for (const Finding& finding : result.findings) {
    const std::string name(NameOf(finding.kind));
    counts[name] = counts.value(name, 0) + 1;
    if (places.size() < kFindingsAudited) places.push_back(name + ": " + finding.place);
  }
  const auto text = [](const nlohmann::json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  return {
      {"files", std::to_string(result.files)},
      {"findings", text(counts)},
      {"hours_live", std::to_string(result.hours_live)},
      {"keys", std::to_string(result.keys)},
      {"next_segment", std::to_string(result.next_segment)},
      {"places", text(places)},
      {"segments_destroyed", std::to_string(result.segments_destroyed)},
      {"segments_live", std::to_string(result.segments_live)},
      {"segments_replaced", std::to_string(result.segments_replaced)},
      {"verdict", text(NameOf(VerdictOf(result.findings)))},
  };
}

}  // namespace telltale::vault
