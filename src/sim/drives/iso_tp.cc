#include "sim/drives/iso_tp.h"

#include <algorithm>
#include <utility>

namespace telltale::sim {
namespace {

using Kind = TransportStep::Kind;

constexpr std::int64_t kFrameGapMaxUs = 1'000'000;  // N_Cr

}  // namespace

TransportStep IsoTp::Take(std::int64_t at_us, std::span<const std::uint8_t> frame) {
  if (frame.empty()) return {.kind = Kind::kBroken, .lost = 1};
  switch (frame[0] >> 4) {
    case 0:
      return TakeSingle(frame);
    case 1:
      return TakeFirst(at_us, frame);
    case 2:
      return TakeConsecutive(at_us, frame);
    case 3:
      return {.kind = Kind::kControl};
    default:
      return {.kind = Kind::kBroken, .lost = 1};
  }
}

TransportStep IsoTp::TakeSingle(std::span<const std::uint8_t> frame) {
  const std::size_t size = frame[0] & 0xF;
  if (size == 0 || size >= frame.size()) return {.kind = Kind::kBroken, .lost = 1};
  const std::uint64_t lost = std::exchange(frames_, 0);
  message_.assign(frame.begin() + 1, frame.begin() + 1 + static_cast<std::ptrdiff_t>(size));
  return {.kind = Kind::kDone, .frames = 1, .lost = lost};
}

TransportStep IsoTp::TakeFirst(std::int64_t at_us, std::span<const std::uint8_t> frame) {
  const std::uint64_t lost = std::exchange(frames_, 0);
  const std::size_t size =
      frame.size() < 8 ? 0 : (static_cast<std::size_t>(frame[0] & 0xF) << 8) | frame[1];
  if (size < 8) return {.kind = Kind::kBroken, .lost = lost + 1};
  message_.assign(frame.begin() + 2, frame.end());
  size_ = size;
  frames_ = 1;
  sequence_ = 1;
  last_at_us_ = at_us;
  return {.kind = Kind::kPending, .lost = lost};
}

TransportStep IsoTp::TakeConsecutive(std::int64_t at_us, std::span<const std::uint8_t> frame) {
  const std::size_t missing = frames_ == 0 ? 0 : size_ - message_.size();
  const std::size_t carried = std::min<std::size_t>(missing, 7);
  if (frames_ == 0 || (frame[0] & 0xF) != sequence_ || frame.size() < carried + 1 ||
      at_us - last_at_us_ > kFrameGapMaxUs) {
    return {.kind = Kind::kBroken, .lost = std::exchange(frames_, 0) + 1};
  }
  message_.insert(message_.end(), frame.begin() + 1,
                  frame.begin() + 1 + static_cast<std::ptrdiff_t>(carried));
  ++frames_;
  sequence_ = (sequence_ + 1) & 0xF;
  last_at_us_ = at_us;
  if (message_.size() < size_) return {.kind = Kind::kPending};
  return {.kind = Kind::kDone, .frames = std::exchange(frames_, 0)};
}

}  // namespace telltale::sim
