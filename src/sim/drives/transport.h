// What the two transport protocols over CAN have in common: a frame is taken, and sooner or later
// it is part of a message or lost. Every frame is told of once, in `frames` or in `lost`.
#pragma once

#include <cstdint>

namespace telltale::sim {

struct TransportStep {
  enum class Kind : std::uint8_t {
    kDone,     // a message is complete: `frames` frames, this one the last
    kPending,  // kept; more is to come
    kControl,  // steers a transfer and carries nothing (flow control, clear to send)
    kBroken,   // not in order: this frame is among `lost`
  };
  Kind kind = Kind::kPending;
  std::uint64_t frames = 0;
  std::uint64_t lost =
      0;  // also with kPending and kDone: frames of a message given up for this one
};

}  // namespace telltale::sim
