// What the ledger's journal is made of. Bytes: docs/formats/vault-ledger.md. Pure.
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "vault/ledger/presence.h"

namespace telltale::vault {

// Frames of one hour that one commit stored.
struct PresenceRecord {
  HourKeyId id;
  std::uint32_t window_hours = kNoWindow;
  Micros first_at;
  Micros last_at;
  std::uint64_t frames = 0;
  std::uint64_t late_frames = 0;
  std::vector<std::uint32_t> ordinals;  // not in the hour before; ascending
};
struct DroppedRecord {
  HourKeyId id;
  Micros at;
  std::uint64_t audit_entry = 0;
};
struct HeldRecord {
  std::uint64_t hold = 0;
  HourKeyId id;
  Micros at;
  OrdinalSet vehicles;
};
struct LiftedRecord {
  std::uint64_t hold = 0;
  Micros at;
};
struct ErasedRecord {
  Micros at;
  std::vector<std::uint32_t> ordinals;
};
using LedgerRecord = std::variant<PresenceRecord, DroppedRecord, HeldRecord, LiftedRecord,
                                  ErasedRecord, WindowChange>;

std::string EncodeRecords(std::span<const LedgerRecord> records);
//   kCorrupt  not what EncodeRecords() gives
Result<std::vector<LedgerRecord>> ParseRecords(ByteSpan bytes);

// Shared with the index.
void PutHourKey(std::string& out, const HourKeyId& id);
// False: no class or hour that there can be.
bool GetHourKey(ByteReader& reader, HourKeyId& id);
// A closed number of a class that this build knows.
bool IsClass(std::uint8_t number);

// Everything but the vehicles of hours, which are in files of their own.
struct LedgerIndex {
  Micros begun_at;
  Micros pruned_before;               // hours dropped before it were forgotten
  std::uint64_t folded_through = 0;   // journals up to this number are in it
  std::vector<HourState> hours;       // by id
  std::vector<WindowChange> windows;  // in the order they came
  std::map<std::uint64_t, HoldState> holds;
  std::vector<Erasure> erasures;

  std::string Encode() const;
  //   kCorrupt cut or altered, kUnsupported newer
  static Result<LedgerIndex> Parse(ByteSpan bytes);
};

// Vehicles of one hour, as its file has them.
std::string EncodeHourFile(const HourKeyId& id, const OrdinalSet& vehicles);
//   kCorrupt cut or altered, or of another hour; kUnsupported newer
Result<OrdinalSet> ParseHourFile(ByteSpan bytes, const HourKeyId& id);

}  // namespace telltale::vault
