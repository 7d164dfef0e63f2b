// What should be published, from the ledger and the journals alone: for tests of flips.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "publish/flip_testing.h"

namespace telltale::publish {

// Who spoke for a vehicle at an input, by the ledger; null: nobody, or two.
inline const LedgerRow* SpeakerOf(const std::vector<LedgerRow>& ledger, std::uint16_t partition,
                                  std::uint64_t offset, const VehicleRef& vehicle) {
  const LedgerRow* speaker = nullptr;
  for (const LedgerRow& row : ledger) {
    if (row.partition != PartitionId{partition} || Offset{offset} < row.from) continue;
    if (row.to && Offset{offset} >= *row.to) continue;
    const std::uint32_t lot = LotOf(row.order, vehicle);
    if (lot < row.lot_from || lot >= row.lot_to) continue;
    if (speaker != nullptr) return nullptr;
    speaker = &row;
  }
  return speaker;
}

// Whose alerts the outputs of one partition are, from the ledger and the journals alone.
class Names {
 public:
  using Output = internal::v1::JournalEntry::Output;
  Names(const std::vector<LedgerRow>& ledger, std::uint16_t partition)
      : ledger_(ledger), partition_(partition) {}

  // The id and revision under which it is published, and what that makes of the alert.
  std::pair<std::string, std::uint64_t> Next(const LedgerRow& speaker, const Output& output) {
    const std::string own = output.alert().output_id();
    const std::uint64_t epoch = speaker.authority_epoch.value;
    const auto known = given_.find({own, epoch});
    std::string id = known != given_.end() ? known->second.first : own;
    std::uint64_t added = known != given_.end() ? known->second.second : 0;
    if (known == given_.end()) {
      if (const auto home = home_.find(own); home != home_.end()) id = home->second;
      if (!alerts_[id].is_open) id = OpenAt(speaker, output).value_or(id);
      const Alert& there = alerts_[id];
      if (there.revision >= output.alert().revision() && there.epoch < epoch) {
        added = there.revision + 1 - output.alert().revision();
      }
      given_[{own, epoch}] = {id, added};
      home_[own] = id;
      continued += id == own ? 0 : 1;
    }
    alerts_[id] = {.is_open = output.alert().state() == internal::v1::EPISODE_STATE_OPEN,
                   .epoch = epoch,
                   .revision = output.alert().revision() + added,
                   .release = speaker.release,
                   .output = output};
    return {id, alerts_[id].revision};
  }
  std::uint64_t continued = 0;

 private:
  struct Alert {
    bool is_open = false;
    std::uint64_t epoch = 0;
    std::uint64_t revision = 0;
    std::string release = {};
    Output output = {};
  };
  std::optional<std::string> OpenAt(const LedgerRow& speaker, const Output& output) {
    std::optional<std::string> found;
    std::uint64_t newest = 0;
    for (const auto& [id, alert] : alerts_) {
      if (!alert.is_open || alert.release == speaker.release) continue;
      if (alert.output.alert().vehicle_ref() != output.alert().vehicle_ref()) continue;
      if (found && alert.output.input_offset() < newest) continue;
      if (!Overlap(speaker, alert.output, output)) continue;
      found = id;
      newest = alert.output.input_offset();
    }
    return found;
  }
  bool Overlap(const LedgerRow& speaker, const Output& open, const Output& output) const {
    const bool is_known = output.alert().started_at_us() <= open.event_time_us();
    if (output.alert().state() == internal::v1::EPISODE_STATE_OPEN) return is_known;
    if (output.alert().ended_at_us() < open.alert().started_at_us()) return false;
    std::size_t flips = 0;
    std::string last;
    for (std::uint64_t offset = open.input_offset(); offset <= output.input_offset(); ++offset) {
      const LedgerRow* const of = SpeakerOf(
          ledger_, partition_, offset, FlipWorld::VehicleAt(partition_, output.input_offset()));
      if (of == nullptr) return false;
      if (!last.empty() && last != of->release) ++flips;
      last = of->release;
    }
    return is_known || (flips == 1 && last == speaker.release);
  }

  const std::vector<LedgerRow>& ledger_;
  std::uint16_t partition_;
  std::map<std::string, Alert> alerts_;
  std::map<std::string, std::string> home_;
  std::map<std::pair<std::string, std::uint64_t>, std::pair<std::string, std::uint64_t>> given_;
};

// What is published is the merge of both journals by the ledger; `inputs` by partition. Returns how
// many episodes went on with an alert of another id.
inline std::uint64_t ExpectMerged(FlipWorld& world,
                                  const std::array<std::uint64_t, FlipWorld::kPartitions>& inputs) {
  AlertStore store = world.OpenStore();
  const auto ledger = Must(store.ReadLedger());
  std::map<std::string, std::string> published;  // id and revision: what it says
  for (const AlertChange& change : Must(store.ChangesAfter(0, SIZE_MAX))) {
    const auto json = nlohmann::json::parse(change.data);
    const std::string key =
        json["output_id"].get<std::string>() + " " + std::to_string(json["revision"].get<int>());
    const std::string says = json["release"].get<std::string>() + json["authority_epoch"].dump() +
                             " of " + json["input_offset"].dump() + json["state"].dump();
    EXPECT_TRUE(published.emplace(key, says).second) << "twice: " << key;
  }
  std::uint64_t continued = 0;
  std::size_t expected = 0;
  for (std::uint16_t p = 0; p < FlipWorld::kPartitions; ++p) {
    Names names(ledger, p);
    std::map<std::uint64_t, std::map<std::string, std::vector<Names::Output>>> said;
    for (const std::string& release : {kReleaseA, kReleaseB}) {
      for (auto& output : world.Conclude(release, p, inputs[p])) {
        said[output.input_offset()][release].push_back(output);
      }
    }
    for (std::uint64_t offset = 0; offset < inputs[p]; ++offset) {
      const LedgerRow* const speaker =
          SpeakerOf(ledger, p, offset, FlipWorld::VehicleAt(p, offset));
      if (speaker == nullptr) {
        ADD_FAILURE() << "partition " << p << ", input " << offset;
        return 0;
      }
      for (const auto& output : said[offset][speaker->release]) {
        ++expected;
        const auto [id, revision] = names.Next(*speaker, output);
        const bool opens = output.alert().state() == internal::v1::EPISODE_STATE_OPEN;
        EXPECT_EQ(published[HexEncode(id) + " " + std::to_string(revision)],
                  speaker->release + std::to_string(speaker->authority_epoch.value) + " of " +
                      std::to_string(offset) + (opens ? "\"OPEN\"" : "\"CLOSED\""));
      }
    }
    continued += names.continued;
  }
  EXPECT_EQ(published.size(), expected);
  return continued;
}

}  // namespace telltale::publish
