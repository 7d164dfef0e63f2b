#include "sim/drives/j1939_tp.h"

#include <gtest/gtest.h>

namespace telltale::sim {
namespace {

using Kind = TransportStep::Kind;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kConnectionId = 0x1CECFF00;
constexpr std::uint32_t kDataId = 0x1CEBFF00;
// 18 bytes of group 65226 in three packets.
const Bytes kAnnounce = {0x20, 0x12, 0x00, 0x03, 0xFF, 0xCA, 0xFE, 0x00};
const Bytes kPackets[] = {{1, 0x43, 0xFF, 0xD4, 0x03, 0x09, 0x7E, 0x90},
                          {2, 0x0C, 0x14, 0x02, 0x61, 0x02, 0x09, 0x01},
                          {3, 0x61, 0x02, 0x0C, 0x03, 0xFF, 0xFF, 0xFF}};

TEST(J1939TpTest, TheGroupOfAnIdLeavesOutADestination) {
  EXPECT_EQ(PgnOf(0x18FEF100), 65265u);
  EXPECT_EQ(PgnOf(0x1CECFF00), 0xEC00u);
  EXPECT_EQ(PgnOf(0x18DAF110), 0xDA00u);
  EXPECT_EQ(PgnOf(0x17F00010), 0x3F000u);  // ISO 15765-3 marks its ids there: no J1939 group
}

TEST(J1939TpTest, JoinsABroadcast) {
  J1939Tp tp;
  EXPECT_EQ(tp.Take(0, kConnectionId, kAnnounce).kind, Kind::kPending);
  EXPECT_EQ(tp.Take(60'000, kDataId, kPackets[0]).kind, Kind::kPending);
  EXPECT_EQ(tp.Take(120'000, kDataId, kPackets[1]).kind, Kind::kPending);
  const auto step = tp.Take(180'000, kDataId, kPackets[2]);
  ASSERT_EQ(step.kind, Kind::kDone);
  EXPECT_EQ(step.frames, 4u);
  EXPECT_EQ(tp.pgn(), 65226u);
  ASSERT_EQ(tp.message().size(), 18u);
  EXPECT_EQ(tp.message()[17], 0x03);
  EXPECT_EQ(tp.pending_frames(), 0u);
}

TEST(J1939TpTest, TransfersOfSeveralUnitsDoNotMix) {
  J1939Tp tp;
  tp.Take(0, kConnectionId, kAnnounce);
  tp.Take(0, kConnectionId | 0x55, kAnnounce);
  for (const Bytes& packet : kPackets) {
    tp.Take(0, kDataId, packet);
    EXPECT_EQ(tp.Take(0, kDataId | 0x55, packet).kind,
              packet[0] == 3 ? Kind::kDone : Kind::kPending);
  }
  EXPECT_EQ(tp.pending_frames(), 0u);
}

TEST(J1939TpTest, APacketOutOfOrderLosesTheTransfer) {
  J1939Tp tp;
  tp.Take(0, kConnectionId, kAnnounce);
  tp.Take(0, kDataId, kPackets[0]);
  const auto step = tp.Take(0, kDataId, kPackets[2]);
  EXPECT_EQ(step.kind, Kind::kBroken);
  EXPECT_EQ(step.lost, 3u);
  EXPECT_EQ(tp.Take(0, kDataId, kPackets[1]).lost, 1u);
}

TEST(J1939TpTest, SilenceANewAnnouncementAndAnAbortLoseTheTransfer) {
  J1939Tp tp;
  tp.Take(0, kConnectionId, kAnnounce);
  EXPECT_EQ(tp.Take(2'000'000, kDataId, kPackets[0]).lost, 2u);
  tp.Take(0, kConnectionId, kAnnounce);
  EXPECT_EQ(tp.Take(0, kConnectionId, kAnnounce).lost, 1u);
  const auto abort = tp.Take(0, kConnectionId, Bytes{255, 1, 0, 0, 0, 0xCA, 0xFE, 0});
  EXPECT_EQ(abort.kind, Kind::kControl);
  EXPECT_EQ(abort.lost, 1u);
}

TEST(J1939TpTest, RefusesSizesThatDoNotFitTheirPackets) {
  J1939Tp tp;
  for (const Bytes& frame :
       {Bytes{0x20, 8, 0, 2, 0xFF, 0xCA, 0xFE, 0}, Bytes{0x20, 18, 0, 2, 0xFF, 0xCA, 0xFE, 0},
        Bytes{0x20, 0xFF, 0xFF, 3, 0xFF, 0xCA, 0xFE, 0}, Bytes{0x77, 18, 0, 3, 0xFF, 0xCA, 0xFE, 0},
        Bytes{0x20, 18, 0, 3}}) {
    EXPECT_EQ(tp.Take(0, kConnectionId, frame).kind, Kind::kBroken);
  }
}

}  // namespace
}  // namespace telltale::sim
