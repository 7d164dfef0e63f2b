// The transport protocol of SAE J1939-21, as a listener sees it: announcements (TP.CM with BAM or
// RTS) and their packets (TP.DT). One transfer at a time from one address to one other.
#pragma once

#include <map>
#include <span>
#include <utility>
#include <vector>

#include "sim/drives/transport.h"

namespace telltale::sim {

// The parameter group of a 29-bit id: without the destination where the id carries one.
std::uint32_t PgnOf(std::uint32_t id);
inline std::uint8_t SourceOfId(std::uint32_t id) { return static_cast<std::uint8_t>(id & 0xFF); }

class J1939Tp {
 public:
  static constexpr std::uint32_t kConnection = 0xEC00;  // TP.CM
  static constexpr std::uint32_t kData = 0xEB00;        // TP.DT

  // `id` is of one of the two groups.
  TransportStep Take(std::int64_t at_us, std::uint32_t id, std::span<const std::uint8_t> frame);
  // Of the last kDone; until the next frame.
  std::uint32_t pgn() const { return pgn_; }
  std::span<const std::uint8_t> message() const { return message_; }
  // Frames of transfers that the log's end cuts off.
  std::uint64_t pending_frames() const;

 private:
  struct Transfer {
    std::uint32_t pgn = 0;
    std::size_t size = 0;
    std::uint64_t frames = 0;
    std::uint8_t next = 1;
    std::int64_t last_at_us = 0;
    std::vector<std::uint8_t> bytes;
  };
  using Pair = std::pair<std::uint8_t, std::uint8_t>;  // from, to

  TransportStep TakeConnection(std::int64_t at_us, Pair pair, std::span<const std::uint8_t> frame);
  TransportStep TakeData(std::int64_t at_us, Pair pair, std::span<const std::uint8_t> frame);
  std::uint64_t GiveUp(Pair pair);

  std::map<Pair, Transfer> transfers_;
  std::uint32_t pgn_ = 0;
  std::vector<std::uint8_t> message_;
};

}  // namespace telltale::sim
