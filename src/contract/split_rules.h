// What the split does with each field, as a table by field number: built once from a Contract, read
// for every field of every report. Immutable.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "contract/contract.h"
#include "contract/open_text.h"
#include "contract/wire.h"

namespace telltale::contract {

enum class Action : std::uint8_t {
  kUnknown,   // not in the contract, or a derived number: sealed apart and counted
  kSealed,    // known and not open
  kOpen,      // telemetry, and safety if flagged
  kOpenText,  // a string: open when OpenText allows it, else as kUnknown
  kDistance,  // LINKING in km or m: sealed as sent, open with the offset added
  kMessage,   // open message: its members decide
  kSeq,
  kEventTime,
};

// Which value the door reads on the way.
enum class Place : std::uint8_t { kNone, kLatitude, kLongitude, kHeading };

// How a number lies on the wire.
enum class Encoding : std::uint8_t {
  kFloat,
  kDouble,
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kSint32,
  kSint64,
  kFixed32,
  kFixed64,
  kSfixed32,
  kSfixed64,
};

struct FieldRule {
  Action action = Action::kUnknown;
  WireType wire = WireType::kVarint;
  bool safety = false;
  bool packable = false;  // a repeated number: packed or one by one
  bool list = false;      // a repeated message: `list_slot` counts its elements
  Place place = Place::kNone;
  Encoding encoding = Encoding::kFloat;  // kDistance, and where `place` is set
  std::uint16_t message = 0;             // kMessage: index into SplitRules::messages
  std::uint16_t text = 0;                // kOpenText: index into SplitRules::texts
  std::uint16_t list_slot = 0;
  float units_per_km = 0;  // kDistance
};

class MessageRules {
 public:
  void Set(std::uint32_t number, const FieldRule& rule);
  const FieldRule& Find(std::uint32_t number) const {
    return number < dense_.size() ? dense_[number] : FindSparse(number);
  }
  // Where the field at `at` ends, if it is an open number whose size its tag tells (a varint: one
  // of one byte); null: look closer. Most fields of most reports.
  const std::uint8_t* PastPlain(const std::uint8_t* at, const std::uint8_t* end,
                                bool& is_safety) const {
    if (end - at < 3) return nullptr;
    std::size_t tag = at[0];
    std::size_t size = 1;
    if (tag >= 0x80) {
      tag = (tag & 0x7f) | std::size_t{at[1]} << 7;
      size = 2;
    }
    if (tag >= plain_.size()) return nullptr;  // also a tag of three bytes
    const Plain plain = plain_[tag];
    if (plain.bytes == 0 || (plain.is_varint && at[size] >= 0x80)) return nullptr;
    size += plain.bytes;
    if (static_cast<std::size_t>(end - at) < size) return nullptr;
    is_safety = plain.safety;
    return at + size;
  }
  std::uint16_t list_slots = 0;
  std::string path;  // numbers of the fields that lead here, each with a point: "60.", Report: ""

 private:
  static constexpr std::uint32_t kDenseMax = 1024;
  static constexpr std::size_t kPlainTagMax = 0x3fff;  // what two bytes hold
  struct Plain {
    std::uint8_t bytes = 0;  // of the value; 0: not plain
    bool is_varint = false;
    bool safety = false;
  };
  const FieldRule& FindSparse(std::uint32_t number) const;
  std::vector<FieldRule> dense_;
  std::vector<Plain> plain_;                                 // by tag, of one or two bytes
  std::vector<std::pair<std::uint32_t, FieldRule>> sparse_;  // in number order
};

struct SplitRules {
  std::vector<MessageRules> messages;  // [0] is Report
  std::vector<OpenText> texts;

  static SplitRules Of(const Contract& contract);
};

// False when `bytes` are not whole values of `wire`.
bool IsPacked(ByteSpan bytes, WireType wire);

}  // namespace telltale::contract
