#include "gateway/registry_client.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <future>

#include "base/local_socket.h"
#include "internal/v1/local.pb.h"

namespace telltale::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 10s;

// A registry by hand: the test accepts the follower and says what the map is.
class RegistryClientTest : public ::testing::Test {
 protected:
  RegistryClientTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "telltale-client-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    auto made = LocalListener::Listen(folder_ + "/registry.sock", 0600);
    EXPECT_TRUE(made.ok());
    listener_.emplace(std::move(made).value());
    client_ = std::make_unique<RegistryClient>(
        RegistryClient::Options{.socket_path = folder_ + "/registry.sock"}, counters_);
  }
  ~RegistryClientTest() override {
    client_.reset();
    std::filesystem::remove_all(folder_);
  }
  LocalConnection Follower() {
    auto accepted = listener_->Accept(kPatience);
    EXPECT_TRUE(accepted.ok() && accepted->has_value());
    const auto subscribe = (*accepted)->Receive(kPatience);
    EXPECT_TRUE(subscribe.ok() && subscribe->has_value());
    return std::move(**accepted);
  }
  static void Say(LocalConnection& to, const std::vector<std::string>& vins,
                  const std::vector<std::string>& removed = {}) {
    internal::v1::RegistryMessage message;
    message.mutable_rows()->set_complete(true);
    for (const std::string& vin : vins) {
      internal::v1::VehicleRow& row = *message.mutable_rows()->add_rows();
      row.set_vin(vin);
      row.set_vehicle_ref(std::string(16, vin[0]));
    }
    for (const std::string& vin : removed) message.mutable_rows()->add_removed_vins(vin);
    ASSERT_TRUE(to.Send(message.SerializeAsString()).ok());
  }
  void WaitFor(const std::string& vin) {
    while (!client_->Find(vin)) std::this_thread::yield();
  }

  std::string folder_;
  std::optional<LocalListener> listener_;
  Counters counters_;
  std::unique_ptr<RegistryClient> client_;
};

TEST_F(RegistryClientTest, AnErasedVehicleIsForgottenAndItsConnectionsEnd) {
  std::promise<std::pair<VehicleRef, VehicleRef>> told;
  client_->Start([&](VehicleRef former, const Vehicle& now) { told.set_value({former, now.ref}); });
  LocalConnection follower = Follower();
  Say(follower, {"A", "B"});
  WaitFor("B");
  const VehicleRef ref = client_->Find("A")->ref;
  Say(follower, {}, {"A"});
  auto answer = told.get_future();
  ASSERT_EQ(answer.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(answer.get(), std::pair(ref, VehicleRef{}));
  EXPECT_FALSE(client_->Find("A"));
  EXPECT_TRUE(client_->Find("B"));
}

TEST_F(RegistryClientTest, WhatIsErasedWhileTheRegistryIsAwayIsForgottenWithTheNextMap) {
  std::promise<VehicleRef> told;
  client_->Start([&](VehicleRef former, const Vehicle& now) {
    if (now.ref == VehicleRef{}) told.set_value(former);
  });
  VehicleRef ref;
  {
    LocalConnection follower = Follower();
    Say(follower, {"A", "B"});
    WaitFor("B");
    ref = client_->Find("A")->ref;
  }
  LocalConnection follower = Follower();
  Say(follower, {"B"});
  auto answer = told.get_future();
  ASSERT_EQ(answer.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(answer.get(), ref);
  EXPECT_FALSE(client_->Find("A"));
  EXPECT_TRUE(client_->Find("B"));
}

}  // namespace
}  // namespace telltale::gateway
