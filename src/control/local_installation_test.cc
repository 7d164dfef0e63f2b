// The real installation over real sockets, with someone who answers as a publisher does.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/check.h"
#include "base/local_socket.h"
#include "control/config_record.h"
#include "control/installation.h"
#include "internal/v1/local.pb.h"
#include "seal/seal.h"

namespace telltale::control {
namespace {

namespace wire = ::telltale::internal::v1;
using namespace std::chrono_literals;

class LocalInstallationTest : public testing::Test {
 protected:
  LocalInstallationTest() : paths_(MakeFolder()) {
    key_ = *seal::MakeEd25519();
    CHECK(disk_.MakeFolders(paths_.keys(), 0750).ok());
    CHECK(disk_.MakeFolders(paths_.run() + "/publish", 0750).ok());
    CHECK(disk_.MakeFolders(paths_.data() + "/control", 0750).ok());
    CHECK(seal::StoreKey(disk_, paths_.keys() + "/control.key", key_.private_raw, true).ok());
    CHECK(seal::StoreKey(disk_, paths_.keys() + "/control.pub", key_.public_raw, false).ok());
    first_ = {.config_seq = ConfigSeq{1},
              .environment = "here",
              .contract_number = 1,
              .contract_digest = std::string(64, 'c'),
              .stable_release = std::string(64, 'a'),
              .created_at = Micros{1},
              .next_contract = std::nullopt};
    CHECK(WriteFileDurably(disk_, FirstConfigPath(paths_), *SignConfig(first_, key_)).ok());
  }
  ~LocalInstallationTest() override { std::filesystem::remove_all(paths_.root); }

  static std::string MakeFolder() {
    std::string pattern = testing::TempDir() + "/installation-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    return pattern;
  }

  // Answers one request with `reply`, and gives it back.
  wire::PublisherRequest AnswerOnce(LocalListener& listener, const wire::PublisherReply& reply) {
    auto connection = listener.Accept(10s);
    CHECK(connection.ok() && connection->has_value());
    const auto frame = (*connection)->Receive(10s);
    CHECK(frame.ok() && frame->has_value());
    wire::PublisherRequest request;
    CHECK(request.ParseFromString(**frame));
    CHECK((*connection)->Send(reply.SerializeAsString()).ok());
    return request;
  }

  PosixDisk disk_;
  Paths paths_;
  seal::KeyPair key_;
  InForce first_;
};

TEST_F(LocalInstallationTest, AnOrderReachesThePublisherAndItsAnswerIsRead) {
  auto installation = OpenLocalInstallation(disk_, paths_.root);
  ASSERT_TRUE(installation.ok()) << installation.error().ToString();
  const auto contracts = (*installation)->InForceNow();
  ASSERT_TRUE(contracts.ok());
  EXPECT_EQ(contracts->in_force.stable_release, std::string(64, 'a'));
  auto listener = LocalListener::Listen(paths_.orders_socket(), 0600);
  ASSERT_TRUE(listener.ok());
  wire::PublisherReply reply;
  reply.set_config_seq(2);
  auto& partition = *reply.add_partitions();
  partition.set_partition(3);
  partition.set_pending("warming");
  partition.add_lanes()->set_lot_to(10'002);
  partition.add_releases()->set_lots_since_us(55);
  const std::string bytes = *(*installation)->Sign(first_);
  wire::PublisherRequest request;
  std::thread publisher([&] { request = AnswerOnce(*listener, reply); });
  const auto view = (*installation)->Order(bytes);
  publisher.join();
  EXPECT_EQ(request.signed_config(), bytes);
  ASSERT_TRUE(view.ok()) << view.error().ToString();
  EXPECT_EQ(view->config_seq, ConfigSeq{2});
  ASSERT_EQ(view->partitions.size(), 1u);
  EXPECT_EQ(view->partitions[0].partition, 3u);
  EXPECT_EQ(view->partitions[0].pending, "warming");
  EXPECT_EQ(view->partitions[0].lanes.at(0).lot_to, 10'002u);
  EXPECT_EQ(view->partitions[0].marks.at(0).lots_since, Micros{55});
}

TEST_F(LocalInstallationTest, ARefusalIsPassedOnAndNobodyThereIsUnavailable) {
  auto installation = OpenLocalInstallation(disk_, paths_.root);
  ASSERT_TRUE(installation.ok());
  EXPECT_EQ((*installation)->AskPublisher().error().code, Code::kUnavailable);
  EXPECT_EQ((*installation)->AppendToLog("x").error().code, Code::kUnavailable);
  auto listener = LocalListener::Listen(paths_.orders_socket(), 0600);
  ASSERT_TRUE(listener.ok());
  wire::PublisherReply reply;
  reply.mutable_failure()->set_code("refused");
  reply.mutable_failure()->set_message("a deposed leader");
  std::thread publisher([&] { AnswerOnce(*listener, reply); });
  const auto view = (*installation)->Order("bytes");
  publisher.join();
  ASSERT_FALSE(view.ok());
  EXPECT_EQ(view.error().ToString(), "refused: a deposed leader");
}

TEST_F(LocalInstallationTest, AConfigThatTheOwnerAddsIsSeenAtTheNextLook) {
  auto installation = OpenLocalInstallation(disk_, paths_.root);
  ASSERT_TRUE(installation.ok());
  EXPECT_EQ((*installation)->InForceNow()->in_force.config_seq, ConfigSeq{1});
  InForce next = first_;
  next.config_seq = ConfigSeq{5};
  next.leader_epoch = 3;
  CHECK(disk_.MakeFolders(paths_.log() + "/config", 0750).ok());
  CHECK(WriteFileDurably(disk_, paths_.log() + "/config/00000000000000000005",
                         *SignConfig(next, key_))
            .ok());
  const auto contracts = (*installation)->InForceNow();
  ASSERT_TRUE(contracts.ok());
  EXPECT_EQ(contracts->in_force.config_seq, ConfigSeq{5});
  EXPECT_EQ(contracts->leader_epoch_max, 3u);
}

TEST_F(LocalInstallationTest, WhatServeSaysOfCostsIsTakenAndWhatIsNoCostIsLeftOut) {
  auto installation = OpenLocalInstallation(disk_, paths_.root);
  ASSERT_TRUE(installation.ok());
  const std::string path = paths_.run() + "/releases.json";
  EXPECT_TRUE((*installation)->WorkerCosts().empty());
  for (const char* text : {"", "[", "[]", R"({"releases":3})",
                           R"({"releases":[3,{"release":"a","place":"candidate"}]})",
                           R"({"releases":[{"release":"a","place":"candidate","cpu_s":-1,
                              "cpu_since":"2026-11-30T10:00:00Z"}]})",
                           R"({"releases":[{"release":"a","place":"candidate","cpu_s":1,
                              "cpu_since":"yesterday"}]})"}) {
    CHECK(WriteFileDurably(disk_, path, text).ok());
    EXPECT_TRUE((*installation)->WorkerCosts().empty()) << text;
  }
  CHECK(WriteFileDurably(disk_, path, R"({"config_seq":4,"releases":[{"release":"a","place":
    "candidate","cpu_s":1.25,"cpu_since":"1970-01-01T00:00:02.000000Z"}]})")
            .ok());
  const auto costs = (*installation)->WorkerCosts();
  ASSERT_EQ(costs.size(), 1u);
  EXPECT_EQ(costs[0].release, "a");
  EXPECT_EQ(costs[0].place, "candidate");
  EXPECT_EQ(costs[0].cpu, Micros{1'250'000});
  EXPECT_EQ(costs[0].cpu_since, Micros{2'000'000});
}

}  // namespace
}  // namespace telltale::control
