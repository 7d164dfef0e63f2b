// The text that `candump -L` writes: "(1627274455.012500) can1 7E8#03412F8C00000000".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace telltale::sim {

struct CanFrame {
  std::int64_t at_us = 0;    // of the logger's clock
  std::string_view channel;  // "can1"; of the line's text
  std::uint32_t id = 0;      // 11 or 29 bits
  bool is_extended = false;  // 29 bits: the id is written with eight digits
  std::uint8_t size = 0;
  std::array<std::uint8_t, 8> data{};

  std::span<const std::uint8_t> bytes() const { return {data.data(), size}; }
};

// One line. nullopt: not of this form, or a frame without data of its own (remote, CAN FD).
std::optional<CanFrame> ParseCandumpLine(std::string_view line);

}  // namespace telltale::sim
