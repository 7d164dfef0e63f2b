#include "sim/drives/iso_tp.h"

#include <gtest/gtest.h>

#include <numeric>

namespace telltale::sim {
namespace {

using Kind = TransportStep::Kind;
using Bytes = std::vector<std::uint8_t>;

Bytes MessageOf(const IsoTp& iso_tp) { return {iso_tp.message().begin(), iso_tp.message().end()}; }

TEST(IsoTpTest, ASingleFrameIsAMessage) {
  IsoTp iso_tp;
  const auto step = iso_tp.Take(0, Bytes{0x03, 0x41, 0x2F, 0x8C, 0, 0, 0, 0});
  EXPECT_EQ(step.kind, Kind::kDone);
  EXPECT_EQ(step.frames, 1u);
  EXPECT_EQ(MessageOf(iso_tp), (Bytes{0x41, 0x2F, 0x8C}));
}

TEST(IsoTpTest, JoinsALongMessageAndItsSequenceRunsAround) {
  Bytes whole(200);
  std::iota(whole.begin(), whole.end(), std::uint8_t{1});
  IsoTp iso_tp;
  Bytes first = {0x10, 200};
  first.insert(first.end(), whole.begin(), whole.begin() + 6);
  EXPECT_EQ(iso_tp.Take(0, first).kind, Kind::kPending);
  std::size_t at = 6;
  TransportStep step;
  for (std::uint8_t sequence = 1; at < whole.size(); ++sequence, at += 7) {
    Bytes frame = {static_cast<std::uint8_t>(0x20 | (sequence & 0xF))};
    for (std::size_t i = at; i < at + 7; ++i) frame.push_back(i < whole.size() ? whole[i] : 0xAA);
    step = iso_tp.Take(1000 * sequence, frame);
  }
  EXPECT_EQ(step.kind, Kind::kDone);
  EXPECT_EQ(step.frames, 29u);  // 6 + 28 x 7 >= 200
  EXPECT_EQ(MessageOf(iso_tp), whole);
  EXPECT_EQ(iso_tp.pending_frames(), 0u);
}

TEST(IsoTpTest, AGapInTheSequenceLosesTheWholeMessage) {
  IsoTp iso_tp;
  iso_tp.Take(0, Bytes{0x10, 20, 1, 2, 3, 4, 5, 6});
  iso_tp.Take(0, Bytes{0x21, 7, 8, 9, 10, 11, 12, 13});
  const auto step = iso_tp.Take(0, Bytes{0x23, 14, 15, 16, 17, 18, 19, 20});
  EXPECT_EQ(step.kind, Kind::kBroken);
  EXPECT_EQ(step.lost, 3u);
  EXPECT_EQ(iso_tp.Take(0, Bytes{0x22, 14, 15, 16, 17, 18, 19, 20}).lost, 1u);
}

TEST(IsoTpTest, SilenceANewMessageAndAShortFrameLoseTheOneUnderWay) {
  IsoTp iso_tp;
  iso_tp.Take(0, Bytes{0x10, 20, 1, 2, 3, 4, 5, 6});
  EXPECT_EQ(iso_tp.Take(2'000'000, Bytes{0x21, 7, 8, 9, 10, 11, 12, 13}).lost, 2u);
  iso_tp.Take(0, Bytes{0x10, 20, 1, 2, 3, 4, 5, 6});
  EXPECT_EQ(iso_tp.Take(0, Bytes{0x10, 20, 1, 2, 3, 4, 5, 6}).lost, 1u);
  EXPECT_EQ(iso_tp.Take(0, Bytes{0x21, 7}).lost, 2u);
  iso_tp.Take(0, Bytes{0x10, 20, 1, 2, 3, 4, 5, 6});
  const auto single = iso_tp.Take(0, Bytes{0x01, 0x7F});
  EXPECT_EQ(single.kind, Kind::kDone);
  EXPECT_EQ(single.lost, 1u);
}

TEST(IsoTpTest, FlowControlIsNoDataAndNonsenseIsBroken) {
  IsoTp iso_tp;
  EXPECT_EQ(iso_tp.Take(0, Bytes{0x30, 0, 0}).kind, Kind::kControl);
  for (const Bytes& frame :
       {Bytes{}, Bytes{0x00}, Bytes{0x05, 1, 2}, Bytes{0x10, 7, 1, 2, 3, 4, 5, 6}, Bytes{0x10, 20},
        Bytes{0x21, 1}, Bytes{0xF0}}) {
    EXPECT_EQ(iso_tp.Take(0, frame).kind, Kind::kBroken);
  }
}

}  // namespace
}  // namespace telltale::sim
