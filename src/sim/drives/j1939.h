// SAE J1939 parameter groups as values of the contract. docs/can.md has the table.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "sim/drives/dbc.h"
#include "sim/drives/drive.h"

namespace telltale::sim {

struct J1939Code {
  std::uint32_t spn = 0;
  std::uint8_t fmi = 0;
  std::uint8_t occurrences = 0;
};
// Active diagnostic codes (DM1, group 65226).
struct Dm1 {
  std::optional<bool> is_mil_on;  // nullopt: the lamp is not available
  std::vector<J1939Code> codes;
};
// nullopt: too short for the lamps.
std::optional<Dm1> ReadDm1(std::span<const std::uint8_t> message);

class J1939Decoder {
 public:
  static constexpr std::uint32_t kDm1 = 65226;

  // Signals of `beside` with an SPN go before those that are built in.
  explicit J1939Decoder(std::optional<Dbc> beside);

  enum class Outcome : std::uint8_t { kUnknown, kNothing, kValues };
  // A group's data from one control unit. What reads "not available" or "error" is counted as
  // kSentinel.
  Outcome Take(std::uint32_t pgn, std::uint8_t source, std::span<const std::uint8_t> data,
               telltale::v1::Report& report, RowCounts& counts) const;

 private:
  struct Signal {
    std::uint32_t pgn;
    DbcSignal signal;
  };
  void Add(const Dbc& dbc);

  std::vector<Signal> signals_;
};

}  // namespace telltale::sim
