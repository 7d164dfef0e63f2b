// The part of a CAN database (.dbc) that decoding needs: messages (BO_), signals (SG_), which of
// several layouts a message has (multiplexing, also extended: SG_MUL_VAL_), and the J1939 number of
// a signal (attribute "SPN"). Everything else in the file is passed over.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace telltale::sim {

struct DbcSignal {
  std::string name;
  unsigned start_bit = 0;  // as the file counts: the lowest bit, or the highest when big endian
  unsigned bits = 0;       // 1-64
  bool is_big_endian = false;
  bool is_signed = false;
  double factor = 1;
  double offset = 0;
  double min = 0;  // 0 and 0: no range
  double max = 0;
  std::string unit;
  bool is_multiplexor = false;
  std::optional<std::uint64_t> layout;  // there only when the multiplexor reads this
  std::string multiplexor;              // by SG_MUL_VAL_; "": the message's only one
  std::vector<std::pair<std::uint64_t, std::uint64_t>> layouts;  // by SG_MUL_VAL_, ends included
  std::optional<std::uint32_t> spn;

  // The bits as they are, without sign. nullopt: the data is too short.
  std::optional<std::uint64_t> RawIn(std::span<const std::uint8_t> data) const;
  // Scaled, with sign. The file's range is not looked at: many files leave it at 0.
  std::optional<double> ValueIn(std::span<const std::uint8_t> data) const;
};

struct DbcMessage {
  std::uint32_t id = 0;  // 11 or 29 bits
  bool is_extended = false;
  std::string name;
  unsigned bytes = 0;
  std::vector<DbcSignal> signals;

  const DbcSignal* Find(std::string_view signal) const;
  // Whether this data has the layout that the signal belongs to.
  bool Has(const DbcSignal& signal, std::span<const std::uint8_t> data) const;
};

class Dbc {
 public:
  //   kInvalid  a line of BO_, SG_ or SG_MUL_VAL_ that cannot be read: names it
  static Result<Dbc> Parse(std::string_view text);

  const DbcMessage* Find(std::uint32_t id, bool is_extended) const;
  const DbcMessage* Find(std::string_view name) const;
  const std::vector<DbcMessage>& messages() const { return messages_; }

 private:
  std::vector<DbcMessage> messages_;
};

}  // namespace telltale::sim
