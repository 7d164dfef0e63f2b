// A config record's bytes (docs/formats/config-record.md), for everyone who reads one. Needs the
// generated messages (contract_proto). Who has to know that it is control's: seal/signed_config.h.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "internal/v1/internal.pb.h"

namespace telltale::contract {

//   kInvalid  not a SignedConfig
inline Result<internal::v1::SignedConfig> ParseConfigEnvelope(std::string_view bytes) {
  internal::v1::SignedConfig envelope;
  if (envelope.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return envelope;
  return Error{Code::kInvalid, "not a SignedConfig message"};
}

//   kInvalid  the signed bytes are not a ConfigRecord
inline Result<internal::v1::ConfigRecord> ParseConfigRecord(
    const internal::v1::SignedConfig& envelope) {
  internal::v1::ConfigRecord record;
  if (record.ParseFromString(envelope.record())) return record;
  return Error{Code::kInvalid, "the signed bytes are not a ConfigRecord"};
}

// Whatever its signature: of records that the log's owner, which has looked at it, keeps or
// appended. Errors of the two above.
inline Result<internal::v1::ConfigRecord> ParseConfig(std::string_view bytes) {
  ASSIGN_OR_RETURN(const internal::v1::SignedConfig envelope, ParseConfigEnvelope(bytes));
  return ParseConfigRecord(envelope);
}
inline Result<internal::v1::ConfigRecord> ParseConfig(ByteSpan bytes) {
  return ParseConfig(AsText(bytes));
}

// The release that is in force: its features, columns and contract. Who computes the safety path
// for it is `stable_release`.
inline const std::string& StableInForce(const internal::v1::ConfigRecord& record) {
  return record.stable_in_force().empty() ? record.stable_release() : record.stable_in_force();
}

}  // namespace telltale::contract
