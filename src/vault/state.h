// The state file of format 1, which a vault takes over once. Nothing writes it any more.
// Bytes: docs/formats/vault-segment.md, "State of format 1".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vault/catalog.h"

namespace telltale::vault {

struct StateOfFormat1 {
  std::uint64_t next_segment = 0;
  Hour destroyed_through{-1};
  AuditHead audit;
  std::vector<std::string> positions;  // by shard; log::Position::Encode()
  std::vector<SegmentRecord> segments;
  std::map<std::uint32_t, ContractRecord> contracts;
  std::vector<HourEnd> receipts;  // hours destroyed whose receipt is not in the audit log yet

  //   kCorrupt cut or altered, kUnsupported newer
  static Result<StateOfFormat1> Parse(ByteSpan bytes);
};

}  // namespace telltale::vault
