#include "sim/drives/j1939_tp.h"

#include <algorithm>

namespace telltale::sim {
namespace {

using Kind = TransportStep::Kind;

constexpr std::uint8_t kRequestToSend = 16;
constexpr std::uint8_t kBroadcastAnnounce = 32;
constexpr std::uint8_t kClearToSend = 17;
constexpr std::uint8_t kEndOfMessage = 19;
constexpr std::uint8_t kAbort = 255;
constexpr std::size_t kPacketBytes = 7;
constexpr std::size_t kMessageBytesMin = 9;
constexpr std::size_t kMessageBytesMax = 1785;
constexpr std::size_t kTransfersMax = 256;
constexpr std::int64_t kFrameGapMaxUs = 1'250'000;  // T2

}  // namespace

std::uint32_t PgnOf(std::uint32_t id) {
  const std::uint32_t group = (id >> 8) & 0x3FFFF;
  const bool has_destination = ((group >> 8) & 0xFF) < 240;
  return has_destination ? group & 0x3FF00 : group;
}

TransportStep J1939Tp::Take(std::int64_t at_us, std::uint32_t id,
                            std::span<const std::uint8_t> frame) {
  const Pair pair{SourceOfId(id), static_cast<std::uint8_t>((id >> 8) & 0xFF)};
  if (frame.size() != 8) return {.kind = Kind::kBroken, .lost = 1 + GiveUp(pair)};
  return PgnOf(id) == kConnection ? TakeConnection(at_us, pair, frame)
                                  : TakeData(at_us, pair, frame);
}

std::uint64_t J1939Tp::GiveUp(Pair pair) {
  const auto found = transfers_.find(pair);
  if (found == transfers_.end()) return 0;
  const std::uint64_t frames = found->second.frames;
  transfers_.erase(found);
  return frames;
}

TransportStep J1939Tp::TakeConnection(std::int64_t at_us, Pair pair,
                                      std::span<const std::uint8_t> frame) {
  if (frame[0] == kClearToSend || frame[0] == kEndOfMessage) return {.kind = Kind::kControl};
  if (frame[0] == kAbort) {
    // Either side may abort.
    return {.kind = Kind::kControl, .lost = GiveUp(pair) + GiveUp({pair.second, pair.first})};
  }
  const std::uint64_t lost = GiveUp(pair);
  const std::size_t size = static_cast<std::size_t>(frame[1]) | (std::size_t{frame[2]} << 8);
  const bool is_announcement = frame[0] == kRequestToSend || frame[0] == kBroadcastAnnounce;
  if (!is_announcement || size < kMessageBytesMin || size > kMessageBytesMax ||
      frame[3] != (size + kPacketBytes - 1) / kPacketBytes || transfers_.size() >= kTransfersMax) {
    return {.kind = Kind::kBroken, .lost = lost + 1};
  }
  Transfer& transfer = transfers_[pair];
  transfer.pgn = frame[5] | (std::uint32_t{frame[6]} << 8) | (std::uint32_t{frame[7]} << 16);
  transfer.size = size;
  transfer.frames = 1;
  transfer.last_at_us = at_us;
  return {.kind = Kind::kPending, .lost = lost};
}

TransportStep J1939Tp::TakeData(std::int64_t at_us, Pair pair,
                                std::span<const std::uint8_t> frame) {
  const auto found = transfers_.find(pair);
  if (found == transfers_.end()) return {.kind = Kind::kBroken, .lost = 1};
  Transfer& transfer = found->second;
  if (frame[0] != transfer.next || at_us - transfer.last_at_us > kFrameGapMaxUs) {
    return {.kind = Kind::kBroken, .lost = 1 + GiveUp(pair)};
  }
  const std::size_t carried = std::min(kPacketBytes, transfer.size - transfer.bytes.size());
  transfer.bytes.insert(transfer.bytes.end(), frame.begin() + 1,
                        frame.begin() + 1 + static_cast<std::ptrdiff_t>(carried));
  ++transfer.frames;
  ++transfer.next;
  transfer.last_at_us = at_us;
  if (transfer.bytes.size() < transfer.size) return {.kind = Kind::kPending};
  pgn_ = transfer.pgn;
  message_ = std::move(transfer.bytes);
  return {.kind = Kind::kDone, .frames = GiveUp(pair)};
}

std::uint64_t J1939Tp::pending_frames() const {
  std::uint64_t frames = 0;
  for (const auto& [pair, transfer] : transfers_) frames += transfer.frames;
  return frames;
}

}  // namespace telltale::sim
