#include "safety/config_history.h"

#include <algorithm>

#include "base/kept_config.h"
#include "seal/signed_config.h"

namespace telltale::safety {

Status ConfigHistory::ReadLedger() {
  ASSIGN_OR_RETURN(const log::LogShape shape, streams_.Describe());
  const auto stream = std::find(shape.streams.begin(), shape.streams.end(), "safety");
  if (stream == shape.streams.end()) return Error{Code::kNotFound, "there is no stream safety"};
  const auto index = static_cast<log::StreamIndex>(stream - shape.streams.begin());
  ASSIGN_OR_RETURN(entries_, streams_.Ledger());
  std::erase_if(entries_, [&](const auto& entry) { return entry.stream != index; });
  return Ok();
}

Result<internal::v1::ConfigRecord> ConfigHistory::Read(ConfigSeq config_seq) const {
  ASSIGN_OR_RETURN(const std::string kept, ReadKeptConfig(disk_, options_.folder, config_seq));
  const std::string name = "config record " + std::to_string(config_seq.value);
  auto record = seal::VerifyConfigRecord(kept, options_.control_public);
  if (!record.ok()) {
    const Code code = record.error().code;
    return Error{code == Code::kRefused ? code : Code::kCorrupt,
                 name + ": " + record.error().message};
  }
  if (record->config_seq() == config_seq.value) return record;
  return Error{Code::kCorrupt, name + " has another number"};
}

Result<internal::v1::ConfigRecord> ConfigHistory::Newest() const {
  ASSIGN_OR_RETURN(const auto seq, NewestKeptConfigSeq(disk_, options_.folder));
  if (!seq) return Error{Code::kNotFound, "no config is in force yet"};
  return Read(*seq);
}

std::optional<Offset> ConfigHistory::PlaceOf(PartitionId partition, ConfigSeq config_seq) const {
  std::optional<Offset> place;
  for (const auto& entry : entries_) {
    if (entry.partition != partition || entry.config_seq != config_seq) continue;
    if (!place || entry.offset < *place) place = entry.offset;
  }
  return place;
}

Result<std::optional<internal::v1::ConfigRecord>> ConfigHistory::Before(PartitionId partition,
                                                                        Offset offset) const {
  ConfigSeq newest;
  for (const auto& entry : entries_) {
    if (entry.partition != partition || entry.offset >= offset) continue;
    newest = std::max(newest, entry.config_seq);
  }
  if (newest == ConfigSeq{}) return std::optional<internal::v1::ConfigRecord>();
  ASSIGN_OR_RETURN(internal::v1::ConfigRecord record, Read(newest));
  return std::optional(std::move(record));
}

}  // namespace telltale::safety
