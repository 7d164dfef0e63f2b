// Choices of vehicles: in the database and over the socket.
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "registry/client.h"
#include "registry/server.h"
#include "registry/wire.h"

namespace telltale::registry {
namespace {

using namespace std::chrono_literals;

const std::string kVin = "WVWZZZ1JZXW000001";

VehicleEntry CarOf(std::uint32_t ownership_epoch) {
  VehicleEntry car;
  car.vin = kVin;
  car.ownership_epoch = ownership_epoch;
  return car;
}

class ChoiceTest : public testing::Test {
 protected:
  ChoiceTest() {
    std::string pattern = testing::TempDir() + "/choice-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~ChoiceTest() override { std::filesystem::remove_all(folder_); }
  Registry Open() {
    auto opened = Registry::Open(folder_ + "/registry.db", references_, clock_);
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    return std::move(opened).value();
  }
  static ChoiceWish Off(bool precise, bool cell, bool behaviour) {
    ChoiceWish wish;
    if (precise) wish.set.precise = false;
    if (cell) wish.set.cell = false;
    if (behaviour) wish.set.behaviour = false;
    return wish;
  }

  std::string folder_;
  SeededRandom random_{7};
  RandomReferences references_{random_};
  ManualClock clock_{Micros::Seconds(1'700'000'000)};
};

TEST_F(ChoiceTest, AChoiceIsKeptWithItsTimeAndUserAndTheRestStays) {
  VehicleRef ref;
  {
    Registry registry = Open();
    ref = registry.Resolve(kVin)->vehicle.vehicle_ref;
    EXPECT_EQ(registry.ShowChoice(ref)->choice.number, 0u);
    ASSERT_TRUE(registry.SetChoice(ref, Off(true, false, false), 1001).ok());
    ASSERT_TRUE(registry.SetChoice(ref, Off(false, true, false), 1002).ok());
  }
  Registry registry = Open();
  const auto state = registry.ShowChoice(ref);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->choice.precise, false);
  EXPECT_EQ(state->choice.cell, false);
  EXPECT_EQ(state->choice.behaviour, std::nullopt);
  EXPECT_EQ(state->choice.number, 2u);
  EXPECT_EQ(state->changed_by_uid, 1002u);
  EXPECT_EQ(state->changed_at, clock_.NowUtc());
  EXPECT_EQ(registry.FindByVin(kVin)->choice.number, 2u);
  EXPECT_EQ(registry.List(0, 10)->vehicles.at(0).choice.cell, false);

  ChoiceWish back;
  back.precise_default = true;
  EXPECT_EQ(registry.SetChoice(ref, back, 0)->choice.precise, std::nullopt);
  EXPECT_EQ(registry.SetChoice(ref, back, 0)->choice.number, 3u) << "nothing changed again";
  EXPECT_EQ(registry.SetChoice({}, back, 0).error().code, Code::kNotFound);
}

TEST_F(ChoiceTest, ANewOwnerBeginsWithTheDefaultsAndTheFormerOnesChoiceStays) {
  Registry registry = Open();
  const VehicleRef former = registry.Resolve(kVin)->vehicle.vehicle_ref;
  ASSERT_TRUE(registry.SetChoice(former, Off(true, true, true), 0).ok());
  const std::vector<VehicleEntry> sold = {CarOf(2)};
  ASSERT_TRUE(registry.Import(sold).ok());
  EXPECT_EQ(registry.FindByVin(kVin)->choice.number, 0u);
  EXPECT_EQ(registry.ShowChoice(former)->choice.number, 1u);
}

TEST_F(ChoiceTest, TheFirstWordOfWhereAChoiceBeginsStaysAndEarlierChoicesAreShown) {
  Registry registry = Open();
  const VehicleRef ref = registry.Resolve(kVin)->vehicle.vehicle_ref;
  const auto taken = [&](std::uint64_t number, std::uint64_t at) {
    const ChoiceInForce one{.vehicle = ref,
                            .choice_number = number,
                            .partition = PartitionId{5},
                            .safety = Offset{at},
                            .telemetry = Offset{at + 1},
                            .sealed = Offset{at + 2},
                            .taken_at = {}};
    EXPECT_TRUE(registry.RecordTaken({&one, 1}).ok());
  };
  ASSERT_TRUE(registry.SetChoice(ref, Off(true, false, false), 0).ok());
  EXPECT_FALSE(registry.FindByRef(ref)->choice.in_force);
  taken(1, 10);
  taken(1, 500);
  EXPECT_TRUE(registry.FindByRef(ref)->choice.in_force);
  ASSERT_TRUE(registry.SetChoice(ref, Off(false, true, false), 0).ok());
  EXPECT_FALSE(registry.FindByRef(ref)->choice.in_force);
  EXPECT_FALSE(registry.ShowChoice(ref)->in_force.has_value());
  taken(2, 20);
  const auto state = registry.ShowChoice(ref);
  ASSERT_TRUE(state.ok() && state->in_force);
  EXPECT_EQ(state->in_force->sealed, Offset{22});
  ASSERT_EQ(state->earlier.size(), 1u);
  EXPECT_EQ(state->earlier[0].safety, Offset{10});
}

TEST_F(ChoiceTest, WhatWasChosenAndFromWhereIsAppendOnly) {
  {
    Registry registry = Open();
    const VehicleRef ref = registry.Resolve(kVin)->vehicle.vehicle_ref;
    ASSERT_TRUE(registry.SetChoice(ref, Off(true, false, false), 0).ok());
    ChoiceInForce taken;
    taken.vehicle = ref;
    taken.choice_number = 1;
    ASSERT_TRUE(registry.RecordTaken({&taken, 1}).ok());
  }
  auto database = *store::Database::Open(folder_ + "/registry.db",
                                         {.migrations = std::array<const char*, 2>{"", ""}});
  for (const char* table : {"choice_changes", "choice_in_force"}) {
    const std::string name(table);
    EXPECT_FALSE(database.Execute("UPDATE " + name + " SET choice_number = 7").ok()) << table;
    EXPECT_FALSE(database.Execute("DELETE FROM " + name).ok()) << table;
  }
}

TEST_F(ChoiceTest, OverTheSocketItIsPushedWithTheCallersUserAndAsInForceOnceAGatewaySaidSo) {
  Counters counters;
  const auto server = *Server::Start(Open(), folder_ + "/s", counters);
  auto client = *Client::Connect(folder_ + "/s");
  const std::vector<VehicleEntry> cars = {CarOf(1)};
  ASSERT_TRUE(client.Import(cars).ok());
  const VehicleRef ref = client.FindByVin(kVin)->vehicle_ref;
  LocalConnection follower = *LocalConnection::Connect(folder_ + "/s");
  wire::RegistryRequest subscribe;
  subscribe.mutable_subscribe();
  ASSERT_TRUE(follower.Send(subscribe.SerializeAsString()).ok());
  const auto next = [](LocalConnection& from) {
    wire::RegistryMessage message;
    const auto frame = from.Receive(5s);
    EXPECT_TRUE(frame.ok() && frame->has_value() && message.ParseFromString(**frame));
    return message;
  };
  EXPECT_FALSE(next(follower).rows().rows(0).has_choice());

  const auto state = client.SetChoice(ref, Off(false, false, true));
  ASSERT_TRUE(state.ok()) << state.error().ToString();
  EXPECT_EQ(state->changed_by_uid, getuid());
  const auto pushed = next(follower);
  EXPECT_EQ(pushed.rows().rows(0).choice().number(), 1u);
  EXPECT_TRUE(pushed.rows().rows(0).choice().has_behaviour());
  EXPECT_FALSE(pushed.rows().rows(0).choice().has_precise());

  wire::RegistryRequest taken;
  auto& one = *taken.mutable_taken_choices()->add_taken();
  one.set_vehicle_ref(ref.bytes.data(), ref.bytes.size());
  one.set_choice_number(1);
  one.set_sealed_offset(42);
  LocalConnection gateway = *LocalConnection::Connect(folder_ + "/s");
  ASSERT_TRUE(gateway.Send(taken.SerializeAsString()).ok());
  EXPECT_TRUE(next(gateway).has_imported());
  EXPECT_TRUE(next(follower).rows().rows(0).choice().in_force());
  EXPECT_EQ(client.ShowChoice(ref)->in_force->sealed, Offset{42});
  one.set_vehicle_ref("short");
  ASSERT_TRUE(gateway.Send(taken.SerializeAsString()).ok());
  EXPECT_EQ(next(gateway).failure().code(), "invalid");
}

}  // namespace
}  // namespace telltale::registry
