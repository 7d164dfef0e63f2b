// What the vault keeps in one small synced file: positions and segment lengths together, so that a
// frame is neither lost nor doubled. Bytes: docs/formats/vault-segment.md, "State".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vault/audit.h"
#include "vault/segment.h"

namespace telltale::vault {

struct SegmentRecord {
  std::uint64_t number = 0;
  Hour expiry_hour;
  FrameClass frame_class = FrameClass::kData;
  std::uint64_t bytes = 0;
  std::uint64_t frames = 0;
};

// A destroyed hour whose receipt is not in the audit log yet.
struct DestructionReceipt {
  Hour expiry_hour;
  std::uint32_t segments = 0;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
};

struct ContractRecord {
  std::uint64_t config_seq = 0;
  std::string digest;  // hex SHA-256 of the descriptor set
};

struct State {
  std::uint64_t next_segment = 0;
  Hour destroyed_through{-1};
  AuditHead audit;
  std::vector<std::string> positions;               // by shard; log::Position::Encode()
  std::map<std::uint64_t, SegmentRecord> segments;  // by number
  std::map<std::uint32_t, ContractRecord> contracts;
  std::map<Hour, DestructionReceipt> receipts;

  std::string Encode() const;
  //   kCorrupt cut or altered, kUnsupported newer
  static Result<State> Parse(ByteSpan bytes);
};

}  // namespace telltale::vault
