// ISO 15765-2 over classic CAN, as a listener sees it: single frames, and first frames with their
// consecutive frames. One reassembler per CAN id. A message of more than 4,095 bytes (escape
// sequence) is refused.
#pragma once

#include <span>
#include <vector>

#include "sim/drives/transport.h"

namespace telltale::sim {

class IsoTp {
 public:
  TransportStep Take(std::int64_t at_us, std::span<const std::uint8_t> frame);
  // The message of the last kDone; until the next frame.
  std::span<const std::uint8_t> message() const { return message_; }
  // Frames of a message that the log's end cuts off.
  std::uint64_t pending_frames() const { return frames_; }

 private:
  TransportStep TakeSingle(std::span<const std::uint8_t> frame);
  TransportStep TakeFirst(std::int64_t at_us, std::span<const std::uint8_t> frame);
  TransportStep TakeConsecutive(std::int64_t at_us, std::span<const std::uint8_t> frame);

  std::vector<std::uint8_t> message_;
  std::size_t size_ = 0;       // of the message under way
  std::uint64_t frames_ = 0;   // of the message under way; 0: none is
  std::uint8_t sequence_ = 0;  // expected next
  std::int64_t last_at_us_ = 0;
};

}  // namespace telltale::sim
