#include "gateway/unknown_tally.h"

#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>

namespace telltale::gateway {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::array<std::string_view, 3> kWhyNames{"undeclared", "wire_type", "text"};

contract::UnknownField::Why WhyOf(const std::string& name) {
  const auto at = std::find(kWhyNames.begin(), kWhyNames.end(), name);
  // A reason of a newer build counts as the first: the row is kept.
  return static_cast<contract::UnknownField::Why>(at == kWhyNames.end() ? 0
                                                                        : at - kWhyNames.begin());
}

json RowOf(const UnknownKey& key, const UnknownCount& count) {
  return {{"path", key.path},
          {"number", key.number},
          {"wire_type", key.wire_type},
          {"why", WhyName(key.why)},
          {"bytes_at_most", key.bytes_at_most},
          {"firmware", key.firmware},
          {"count", count.count},
          {"first_seen_us", count.first_seen.value},
          {"last_seen_us", count.last_seen.value},
          {"contract_number", count.contract_number}};
}

std::pair<UnknownKey, UnknownCount> ParseRow(const json& row) {
  return {
      {row.at("path").get<std::string>(), row.at("number").get<std::uint32_t>(),
       row.at("wire_type").get<std::uint8_t>(), WhyOf(row.at("why").get<std::string>()),
       row.at("bytes_at_most").get<std::uint32_t>(), row.at("firmware").get<std::string>()},
      {row.at("count").get<std::uint64_t>(), Micros{row.at("first_seen_us").get<std::int64_t>()},
       Micros{row.at("last_seen_us").get<std::int64_t>()},
       row.at("contract_number").get<std::uint32_t>()}};
}

}  // namespace

std::string_view WhyName(contract::UnknownField::Why why) {
  return kWhyNames[static_cast<std::size_t>(why)];
}

void UnknownCount::Add(const UnknownCount& other) {
  first_seen = count == 0 ? other.first_seen : std::min(first_seen, other.first_seen);
  if (other.last_seen >= last_seen) contract_number = other.contract_number;
  last_seen = std::max(last_seen, other.last_seen);
  count += other.count;
}

void UnknownTally::Add(std::string_view firmware, std::span<const contract::UnknownField> fields,
                       Micros receipt, std::uint32_t contract_number) {
  if (fields.empty()) return;
  MutexLock lock(mutex_);
  key_.firmware = firmware;
  for (const contract::UnknownField& field : fields) {
    key_.path = field.path;
    key_.number = field.number;
    key_.wire_type = field.wire_type;
    key_.why = field.why;
    key_.bytes_at_most = std::bit_ceil(field.bytes);
    auto at = counts_.find(key_);
    if (at == counts_.end()) {
      const bool has_room = counts_.size() < kUnknownKeysMax;
      at = counts_.try_emplace(has_room ? key_ : UnknownKey{}).first;
    }
    at->second.Add({1, receipt, receipt, contract_number});
  }
  ++changes_;
}

void UnknownTally::Add(const Counts& counts) {
  MutexLock lock(mutex_);
  for (const auto& [key, count] : counts) counts_[key].Add(count);
  ++changes_;
}

UnknownTally::Counts UnknownTally::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

std::uint64_t UnknownTally::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

std::string UnknownTally::ToJson(const Counts& counts) {
  json rows = json::array();
  for (const auto& [key, count] : counts) rows.push_back(RowOf(key, count));
  // Paths and firmware are ASCII by the door's own check.
  return json{{"version", kVersion}, {"fields", std::move(rows)}}.dump(1) + "\n";
}

Result<UnknownTally::Counts> UnknownTally::FromJson(std::string_view text) {
  try {
    const json file = json::parse(text);
    if (file.at("version").get<int>() > kVersion) {
      return Error{Code::kUnsupported, "the file of unknown fields is of a newer Telltale"};
    }
    Counts counts;
    for (const json& row : file.at("fields")) {
      auto [key, count] = ParseRow(row);
      counts[std::move(key)].Add(count);
    }
    return counts;
  } catch (const json::exception&) {
    return Error{Code::kCorrupt, "not a file of unknown fields; remove it, the counts begin anew"};
  }
}

}  // namespace telltale::gateway
