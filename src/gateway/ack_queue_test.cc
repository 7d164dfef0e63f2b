#include "gateway/ack_queue.h"

#include <gtest/gtest.h>

#include "gateway/mqtt_codec.h"

namespace telltale::gateway {
namespace {

std::string Acks(std::initializer_list<int> ids) {
  std::string out;
  for (const int id : ids) AppendPubAck(out, static_cast<std::uint16_t>(id));
  return out;
}

TEST(AckQueueTest, NothingLeavesBeforeItsCommitIsDurable) {
  AckQueue acks;
  acks.Push(1, CommitNumber{5});
  std::string out;
  EXPECT_EQ(acks.Release(CommitNumber{4}, out), 0u);
  EXPECT_EQ(out, "");
  EXPECT_EQ(acks.Release(CommitNumber{5}, out), 1u);
  EXPECT_EQ(out, Acks({1}));
  EXPECT_TRUE(acks.empty());
}

TEST(AckQueueTest, LeavesInPublishOrderEvenWhenALaterOneWasReadyFirst) {
  AckQueue acks;
  acks.Push(7, CommitNumber{2});
  acks.Push(3, CommitNumber{0});  // needed no write
  acks.Push(9, CommitNumber{3});
  std::string out;
  EXPECT_EQ(acks.Release(CommitNumber{1}, out), 0u);
  EXPECT_EQ(acks.Release(CommitNumber{2}, out), 2u);
  EXPECT_EQ(out, Acks({7, 3}));
  EXPECT_EQ(acks.Release(CommitNumber{9}, out), 1u);
  EXPECT_EQ(out, Acks({7, 3, 9}));
}

TEST(AckQueueTest, IsFullAtTheNamedLimitAndEmptiesInOrder) {
  AckQueue acks;
  std::string out;
  std::string expected;
  std::uint16_t next = 1;
  for (int round = 0; round < 5; ++round) {
    while (!acks.IsFull()) {
      AppendPubAck(expected, next);
      acks.Push(next, CommitNumber{next});
      ++next;
    }
    EXPECT_EQ(acks.size(), kInFlightMax);
    acks.Release(CommitNumber{next - kInFlightMax / 2 - 1u}, out);
    EXPECT_EQ(acks.size(), kInFlightMax / 2);
  }
  acks.Release(CommitNumber{next}, out);
  EXPECT_EQ(out, expected);
}

}  // namespace
}  // namespace telltale::gateway
