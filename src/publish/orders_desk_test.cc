#include "publish/orders_desk.h"

#include <gtest/gtest.h>

#include "publish/publish_testing.h"

namespace telltale::publish {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{20'000};

internal::v1::PublisherReply Echo(const internal::v1::PublisherRequest& request) {
  internal::v1::PublisherReply reply;
  reply.set_config_seq(request.signed_config().size());
  return reply;
}

std::string RequestOf(std::size_t bytes) {
  internal::v1::PublisherRequest request;
  request.set_signed_config(std::string(bytes, 'x'));
  return request.SerializeAsString();
}

std::uint64_t ReplyOf(LocalConnection& connection) {
  const auto frame = Must(connection.Receive(kLong));
  internal::v1::PublisherReply reply;
  EXPECT_TRUE(frame && reply.ParseFromString(*frame));
  return reply.config_seq();
}

TEST(OrdersDeskTest, EachRequestRingsTheBellAndGetsItsReplyWhateverOthersDo) {
  TempFolder folder;
  Bell bell;
  const auto desk = Must(OrdersDesk::Start(folder.path + "/orders.sock", bell));
  LocalConnection silent = Must(LocalConnection::Connect(folder.path + "/orders.sock"));
  LocalConnection first = Must(LocalConnection::Connect(folder.path + "/orders.sock"));
  LocalConnection second = Must(LocalConnection::Connect(folder.path + "/orders.sock"));
  ASSERT_TRUE(first.Send(RequestOf(3)).ok());
  ASSERT_TRUE(second.Send(RequestOf(5)).ok());
  std::size_t answered = 0;
  while (answered < 2) {
    bell.Wait(kLong);
    desk->AnswerAll([&answered](const auto& request) {
      ++answered;
      return Echo(request);
    });
  }
  EXPECT_FALSE(desk->is_waiting());
  EXPECT_EQ(ReplyOf(first), 3u);
  EXPECT_EQ(ReplyOf(second), 5u);
}

TEST(OrdersDeskTest, ARequestThatIsNoneIsHungUpOn) {
  TempFolder folder;
  Bell bell;
  const auto desk = Must(OrdersDesk::Start(folder.path + "/orders.sock", bell));
  LocalConnection peer = Must(LocalConnection::Connect(folder.path + "/orders.sock"));
  ASSERT_TRUE(peer.Send("\xff\xff").ok());
  EXPECT_FALSE(peer.Receive(kLong).ok());
  EXPECT_FALSE(desk->is_waiting());
}

TEST(OrdersDeskTest, ADeskThatClosesWaitsForNobodysAnswer) {
  TempFolder folder;
  Bell bell;
  auto desk = Must(OrdersDesk::Start(folder.path + "/orders.sock", bell));
  LocalConnection peer = Must(LocalConnection::Connect(folder.path + "/orders.sock"));
  ASSERT_TRUE(peer.Send(RequestOf(1)).ok());
  bell.Wait(kLong);
  desk.reset();
  EXPECT_FALSE(peer.Receive(kLong).ok());
}

}  // namespace
}  // namespace telltale::publish
