#include "safety/scan.h"

#include <cmath>

#include "base/cell.h"

namespace telltale::safety {
namespace {

enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

// False at a cut or over-long varint.
bool ReadVarint(const std::uint8_t*& at, const std::uint8_t* end, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at == end) return false;
    const std::uint8_t byte = *at++;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

// The raw bits of one value, or past a length-delimited one. False when it is cut or of no known
// kind.
bool ReadValue(const std::uint8_t*& at, const std::uint8_t* end, std::uint64_t wire_type,
               std::uint64_t& raw) {
  switch (wire_type) {
    case kVarint:
      return ReadVarint(at, end, raw);
    case kFixed32:
      if (end - at < 4) return false;
      raw = GetLe<std::uint32_t>(at);
      at += 4;
      return true;
    case kFixed64:
      if (end - at < 8) return false;
      raw = GetLe<std::uint64_t>(at);
      at += 8;
      return true;
    case kLength:
      if (!ReadVarint(at, end, raw) || raw > static_cast<std::uint64_t>(end - at)) return false;
      at += raw;
      return true;
    default:
      return false;
  }
}

WireType WireTypeOf(WireForm form) {
  switch (form) {
    case WireForm::kFloat:
      return kFixed32;
    case WireForm::kDouble:
    case WireForm::kFixed64:
      return kFixed64;
    case WireForm::kBool:
    case WireForm::kUnsigned:
    case WireForm::kSigned:
      return kVarint;
  }
  return kLength;
}

double NumberOf(WireForm form, std::uint64_t raw) {
  switch (form) {
    case WireForm::kFloat:
      return std::bit_cast<float>(static_cast<std::uint32_t>(raw));
    case WireForm::kDouble:
      return std::bit_cast<double>(raw);
    case WireForm::kBool:
      return raw != 0 ? 1 : 0;
    case WireForm::kSigned:
      return static_cast<double>(static_cast<std::int64_t>(raw));
    case WireForm::kFixed64:
    case WireForm::kUnsigned:
      return static_cast<double>(raw);
  }
  return 0;
}

}  // namespace

Scanner::Scanner(const std::vector<Slot>& slots) : slots_(slots) {
  by_number_.fill(kNone);
  for (std::size_t n = 0; n < slots_.size(); ++n) {
    const std::uint32_t number = slots_[n].number;
    if (number != 0 && number < by_number_.size()) by_number_[number] = static_cast<uint8_t>(n);
  }
}

std::uint8_t Scanner::SlotOf(std::uint64_t number) const {
  if (number < by_number_.size()) return by_number_[number];
  for (std::size_t n = 0; n < slots_.size(); ++n) {
    if (slots_[n].number == number) return static_cast<std::uint8_t>(n);
  }
  return kNone;
}

Scanner::Outcome Scanner::Scan(ByteSpan wire, Values& out) const {
  Outcome outcome;
  out.present = 0;
  const std::uint8_t* at = wire.data();
  const std::uint8_t* const end = at + wire.size();
  while (at != end) {
    std::uint64_t tag = 0;
    std::uint64_t raw = 0;
    if (!ReadVarint(at, end, tag) || !ReadValue(at, end, tag & 7, raw)) {
      out.present = 0;
      outcome.whole = false;
      return outcome;
    }
    const std::uint8_t slot = SlotOf(tag >> 3);
    if (slot == kNone || (tag & 7) != WireTypeOf(slots_[slot].form)) continue;
    const std::uint64_t bit = std::uint64_t{1} << slot;
    if (slot == kSlotCell) {
      out.cell = raw;
      out.present = IsCoarseEnough(raw) ? out.present | bit : out.present & ~bit;
      continue;
    }
    const double value = NumberOf(slots_[slot].form, raw);
    // Written so that NaN fails it.
    if (value >= slots_[slot].min && value <= slots_[slot].max) {
      out.number[slot] = value;
      out.present |= bit;
    } else {
      out.present &= ~bit;
      ++outcome.out_of_range;
    }
  }
  return outcome;
}

}  // namespace telltale::safety
