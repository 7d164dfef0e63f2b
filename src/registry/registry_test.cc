#include "registry/registry.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "registry/client.h"
#include "registry/server.h"
#include "registry/wire.h"

namespace telltale::registry {
namespace {

using namespace std::chrono_literals;

// A VIN that starts with `start`, filled up with zeros.
std::string Vin(std::string start) {
  start.resize(kVinCharacters, '0');
  return start;
}

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() {
    std::string pattern = testing::TempDir() + "/registry-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/registry.db";
  }
  ~RegistryTest() override { std::filesystem::remove_all(folder_); }

  Registry MustOpen() {
    auto opened = Registry::Open(path_, references_, clock_);
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    return std::move(opened).value();
  }
  static VehicleEntry Car(const std::string& vin, std::uint32_t epoch = 1) {
    return {.vin = Vin(vin),
            .model = "Arrow 2",
            .vehicle_class = VehicleClass::kVan,
            .fuel = "diesel",
            .ownership_epoch = epoch};
  }

  std::string folder_;
  std::string path_;
  SeededRandom random_{7};
  RandomReferences references_{random_};
  ManualClock clock_{Micros::Seconds(1'700'000'000)};
};

TEST_F(RegistryTest, AnUnknownVinIsAddedOnceAndSurvivesReopening) {
  VehicleRef ref;
  {
    Registry registry = MustOpen();
    const auto first = registry.Resolve(Vin("VAN0001"));
    ASSERT_TRUE(first.ok()) << first.error().ToString();
    EXPECT_TRUE(first->added);
    EXPECT_EQ(first->vehicle.entry.vehicle_class, VehicleClass::kUnknown);
    EXPECT_EQ(first->vehicle.entry.ownership_epoch, 1u);
    ref = first->vehicle.vehicle_ref;
  }
  Registry registry = MustOpen();
  const auto again = registry.Resolve(Vin("VAN0001"));
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->added);
  EXPECT_EQ(again->vehicle.vehicle_ref, ref);
}

TEST_F(RegistryTest, WhatIsNoVinIsRefusedWithoutRepeatingIt) {
  Registry registry = MustOpen();
  for (const std::string& vin :
       {std::string(), std::string("A B"), std::string(18, 'A'), std::string(16, 'A'), Vin("QIO"),
        Vin("abc"), std::string("caf\xc3\xa9"), Vin(std::string("A\0B", 3))}) {
    const auto refused = registry.Resolve(vin);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    if (!vin.empty()) {
      EXPECT_EQ(refused.error().message.find(vin), std::string::npos);
    }
  }
}

TEST_F(RegistryTest, ImportSaysWhatItAddedUpdatedAndLeft) {
  Registry registry = MustOpen();
  const std::vector<VehicleEntry> first = {Car("A1"), Car("A2")};
  const auto added = registry.Import(first);
  ASSERT_TRUE(added.ok()) << added.error().ToString();
  EXPECT_EQ(added->added, 2u);

  std::vector<VehicleEntry> second = {Car("A1"), Car("A2"), Car("A3")};
  second[1].fuel = "electric";
  const auto mixed = registry.Import(second);
  ASSERT_TRUE(mixed.ok());
  EXPECT_EQ(mixed->added, 1u);
  EXPECT_EQ(mixed->updated, 1u);
  EXPECT_EQ(mixed->unchanged, 1u);
  EXPECT_EQ(mixed->changed.size(), 2u);
  EXPECT_EQ(registry.FindByVin(Vin("A2"))->entry.fuel, "electric");
}

TEST_F(RegistryTest, ImportingAnUnknownVehicleKeepsItsReference) {
  Registry registry = MustOpen();
  const VehicleRef ref = registry.Resolve(Vin("A1"))->vehicle.vehicle_ref;
  const std::vector<VehicleEntry> entries = {Car("A1")};
  ASSERT_TRUE(registry.Import(entries).ok());
  const auto found = registry.FindByVin(Vin("A1"));
  EXPECT_EQ(found->vehicle_ref, ref);
  EXPECT_EQ(found->entry.vehicle_class, VehicleClass::kVan);
}

TEST_F(RegistryTest, ANewOwnerGetsANewReferenceAndOffsetAndTheOldOneCanStillBeFound) {
  Registry registry = MustOpen();
  const std::vector<VehicleEntry> first = {Car("A1", 1)};
  const std::vector<VehicleEntry> second = {Car("A1", 2)};
  ASSERT_TRUE(registry.Import(first).ok());
  const auto before = registry.FindByVin(Vin("A1"));
  ASSERT_TRUE(registry.Import(second).ok());
  const auto after = registry.FindByVin(Vin("A1"));
  EXPECT_NE(after->vehicle_ref, before->vehicle_ref);
  EXPECT_NE(after->odometer_offset_km, before->odometer_offset_km);
  EXPECT_EQ(registry.FindByRef(before->vehicle_ref)->entry.ownership_epoch, 1u);
  EXPECT_EQ(registry.Resolve(Vin("A1"))->vehicle.vehicle_ref, after->vehicle_ref);
  EXPECT_EQ(registry.List(0, 10)->vehicles.size(), 1u);  // only the owner in force
}

TEST_F(RegistryTest, ALowerOwnershipEpochRefusesTheWholeImport) {
  Registry registry = MustOpen();
  const std::vector<VehicleEntry> first = {Car("A1", 3)};
  ASSERT_TRUE(registry.Import(first).ok());
  const std::vector<VehicleEntry> second = {Car("A2"), Car("A1", 2)};
  const auto refused = registry.Import(second);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_NE(refused.error().message.find("vehicle 2"), std::string::npos);
  EXPECT_EQ(registry.FindByVin(Vin("A2")).error().code, Code::kNotFound);
}

TEST_F(RegistryTest, ChangesAreAppendOnlyAndNameNoVin) {
  Registry registry = MustOpen();
  ASSERT_TRUE(registry.Resolve(Vin("SECRETV1N1")).ok());
  const std::vector<VehicleEntry> entries = {Car("SECRETV1N1")};
  ASSERT_TRUE(registry.Import(entries).ok());
  auto database = store::Database::Open(
      path_, {.application_id = 0, .migrations = std::array<const char*, 2>{"", ""}});
  ASSERT_TRUE(database.ok()) << database.error().ToString();
  EXPECT_FALSE(database->Execute("UPDATE vehicle_changes SET fuel = 'gas'").ok());
  EXPECT_FALSE(database->Execute("DELETE FROM vehicle_changes").ok());
  auto changes = database->Prepare("SELECT * FROM vehicle_changes ORDER BY change_id");
  ASSERT_TRUE(*changes->Step());
  EXPECT_EQ(changes->Text(2), "added_unknown");
  ASSERT_TRUE(*changes->Step());
  EXPECT_EQ(changes->Text(2), "updated");
  for (int column = 0; column < 8; ++column) EXPECT_NE(changes->Text(column), Vin("SECRETV1N1"));
  EXPECT_FALSE(*changes->Step());
}

TEST_F(RegistryTest, OffsetsStayWithinAMillionKilometres) {
  for (int i = 0; i < 1000; ++i) {
    const double offset_km = references_.Draw("A1", 1).odometer_offset_km;
    ASSERT_GE(offset_km, 0.0);
    ASSERT_LE(offset_km, 1'000'000.0);
  }
}

TEST(ReferencesTest, TheSameSeedVinAndEpochGiveTheSameReferenceAndNothingElseDoes) {
  SeededReferences one(1);
  SeededReferences also_one(1);
  SeededReferences two(2);
  const Reference drawn = one.Draw("A1", 1);
  EXPECT_EQ(also_one.Draw("A1", 1).vehicle_ref, drawn.vehicle_ref);
  EXPECT_EQ(also_one.Draw("A1", 1).odometer_offset_km, drawn.odometer_offset_km);
  const std::set<VehicleRef> distinct = {drawn.vehicle_ref, one.Draw("A1", 2).vehicle_ref,
                                         one.Draw("A2", 1).vehicle_ref,
                                         two.Draw("A1", 1).vehicle_ref};
  EXPECT_EQ(distinct.size(), 4u);
  EXPECT_LE(drawn.odometer_offset_km, 1'000'000.0);
}

class VehicleFileTest : public testing::Test {
 protected:
  static std::string ErrorOf(const std::string& text) {
    const auto parsed = ParseVehicleFile(text);
    if (parsed.ok()) return "accepted";
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
    return parsed.error().message;
  }
};

TEST_F(VehicleFileTest, ReadsColumnsInAnyOrderAndQuotedValues) {
  const auto parsed = ParseVehicleFile(
      "\xef\xbb\xbf"
      "model,vin,ownership_epoch,class,fuel\r\n"
      "\"Model \"\"X\"\", long\",A1000000000000000,2,passenger_car,electric\r\n"
      "\r\n"
      ",A2000000000000000,1,unknown,unknown");
  ASSERT_TRUE(parsed.ok()) << parsed.error().ToString();
  ASSERT_EQ(parsed->size(), 2u);
  EXPECT_EQ((*parsed)[0].model, "Model \"X\", long");
  EXPECT_EQ((*parsed)[0].ownership_epoch, 2u);
  EXPECT_EQ((*parsed)[1].vin, Vin("A2"));
}

TEST_F(VehicleFileTest, EachMistakeNamesLineAndColumnAndWhatIsAllowed) {
  const std::string head = "vin,model,class,fuel,ownership_epoch\n";
  const std::string good = Vin("A1") + ",m,van,gas,1\n";
  struct Case {
    std::string text;
    std::vector<std::string> words;
  };
  const std::vector<Case> cases = {
      {"", {"vin", "first line"}},
      {"vin,model,class,fuel\n", {"ownership_epoch is missing"}},
      {"vin,model,class,fuel,ownership_epoch,colour\n", {"6 columns"}},
      {head + "A B,m,van,gas,1\n", {"line 2", "column vin", "must be 17"}},
      {head + good + Vin("A2") + ",m\x01,van,gas,1\n", {"line 3", "column model"}},
      {head + Vin("A1") + ",m,boat,gas,1\n", {"line 2", "column class", "passenger_car"}},
      {head + Vin("A1") + ",m,van,coal,1\n", {"line 2", "column fuel", "gasoline"}},
      {head + Vin("A1") + ",m,van,gas,0\n", {"line 2", "column ownership_epoch", "from 1"}},
      {head + Vin("A1") + ",m,van,gas,1x\n", {"line 2", "column ownership_epoch"}},
      {head + Vin("A1") + ",m,van,gas,4294967296\n", {"line 2", "column ownership_epoch"}},
      {head + Vin("A1") + ",m,van,gas\n", {"line 2", "4 values"}},
      {head + Vin("A1") + ",\"m,van,gas,1\n", {"line 2", "quote"}},
      {head + good + good, {"line 3", "line 2 has the same"}},
  };
  for (const Case& one : cases) {
    const std::string message = ErrorOf(one.text);
    for (const std::string& word : one.words) {
      EXPECT_NE(message.find(word), std::string::npos) << message << " lacks " << word;
    }
  }
}

TEST_F(VehicleFileTest, AMistakeDoesNotRepeatTheVin) {
  EXPECT_EQ(ErrorOf("vin,model,class,fuel,ownership_epoch\nSECRET 1,m,van,gas,1\n").find("SECRET"),
            std::string::npos);
}

class ServerTest : public RegistryTest {
 protected:
  ServerTest() { Restart(); }
  void Restart() {
    server_.reset();
    auto started = Server::Start(MustOpen(), socket_path(), counters_);
    EXPECT_TRUE(started.ok()) << started.error().ToString();
    server_ = std::move(started).value();
  }
  std::string socket_path() const { return folder_ + "/registry.sock"; }
  LocalConnection MustConnect() {
    auto connected = LocalConnection::Connect(socket_path());
    EXPECT_TRUE(connected.ok());
    return std::move(connected).value();
  }
  static wire::RegistryMessage Next(LocalConnection& from) {
    wire::RegistryMessage message;
    auto frame = from.Receive(5s);
    EXPECT_TRUE(frame.ok() && frame->has_value());
    if (frame.ok() && frame->has_value()) {
      EXPECT_TRUE(message.ParseFromString(**frame));
    }
    return message;
  }
  static void Send(LocalConnection& to, const wire::RegistryRequest& request) {
    ASSERT_TRUE(to.Send(request.SerializeAsString()).ok());
  }
  static wire::RegistryRequest ResolveOf(const std::string& vin) {
    wire::RegistryRequest request;
    request.mutable_resolve()->set_vin(vin);
    return request;
  }

  Counters counters_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AResolvedUnknownVinIsTheSameAfterARestart) {
  LocalConnection peer = MustConnect();
  Send(peer, ResolveOf(Vin("NEW1")));
  const auto first = Next(peer);
  ASSERT_EQ(first.rows().rows_size(), 1);
  EXPECT_TRUE(first.rows().added());
  Send(peer, ResolveOf(Vin("NEW1")));  // a connection carries many requests
  EXPECT_FALSE(Next(peer).rows().added());
  Restart();
  LocalConnection again = MustConnect();
  Send(again, ResolveOf(Vin("NEW1")));
  const auto second = Next(again);
  EXPECT_FALSE(second.rows().added());
  EXPECT_EQ(second.rows().rows(0).vehicle_ref(), first.rows().rows(0).vehicle_ref());
}

TEST_F(ServerTest, ASubscriberGetsTheWholeMapInPagesAndThenEachChange) {
  auto client = Client::Connect(socket_path());
  ASSERT_TRUE(client.ok());
  std::vector<VehicleEntry> entries;
  for (std::uint32_t i = 0; i < kRowsPerPage + 5; ++i)
    entries.push_back(Car("V" + std::to_string(10'000 + i)));
  const auto counts = client->Import(entries);
  ASSERT_TRUE(counts.ok()) << counts.error().ToString();
  EXPECT_EQ(counts->added, entries.size());

  LocalConnection subscriber = MustConnect();
  wire::RegistryRequest subscribe;
  subscribe.mutable_subscribe();
  Send(subscriber, subscribe);
  std::set<std::string> vins;
  bool complete = false;
  while (!complete) {
    const auto message = Next(subscriber);
    ASSERT_TRUE(message.has_rows());
    for (const auto& row : message.rows().rows()) vins.insert(row.vin());
    complete = message.rows().complete();
  }
  EXPECT_EQ(vins.size(), entries.size());

  auto lister = Client::Connect(socket_path());
  ASSERT_TRUE(lister.ok());
  const auto all = lister->ListAll();
  ASSERT_TRUE(all.ok()) << all.error().ToString();
  EXPECT_EQ(all->size(), entries.size());

  LocalConnection peer = MustConnect();
  Send(peer, ResolveOf(Vin("LATER")));
  const auto reply = Next(peer);
  const auto change = Next(subscriber);
  ASSERT_EQ(change.rows().rows_size(), 1);
  EXPECT_EQ(change.rows().rows(0).vehicle_ref(), reply.rows().rows(0).vehicle_ref());
}

TEST_F(ServerTest, LookupAddsNothingAndFindsByVinAndReference) {
  auto client = Client::Connect(socket_path());
  EXPECT_EQ(client->FindByVin(Vin("GHAST")).error().code, Code::kNotFound);
  EXPECT_EQ(client->FindByVin(Vin("GHAST")).error().code, Code::kNotFound);
  const std::vector<VehicleEntry> entries = {Car("A1")};
  ASSERT_TRUE(client->Import(entries).ok());
  const auto by_vin = client->FindByVin(Vin("A1"));
  ASSERT_TRUE(by_vin.ok());
  const auto by_ref = client->FindByRef(by_vin->vehicle_ref);
  ASSERT_TRUE(by_ref.ok());
  EXPECT_EQ(by_ref->entry.vin, Vin("A1"));
  EXPECT_EQ(by_ref->entry.model, "Arrow 2");
}

TEST_F(ServerTest, AnErasureIsToldToSubscribers) {
  auto client = Client::Connect(socket_path());
  const std::vector<VehicleEntry> entries = {Car("A1"), Car("B1"), Car("B1", 2)};
  ASSERT_TRUE(client->Import(entries).ok());
  const VehicleRef ref = client->FindByVin(Vin("A1"))->vehicle_ref;
  const VehicleRef latest = client->FindByVin(Vin("B1"), 2)->vehicle_ref;
  LocalConnection subscriber = MustConnect();
  wire::RegistryRequest subscribe;
  subscribe.mutable_subscribe();
  Send(subscriber, subscribe);
  EXPECT_TRUE(Next(subscriber).rows().complete());

  EXPECT_EQ(*client->Erase(ref), 2u);
  const auto gone = Next(subscriber);
  EXPECT_EQ(gone.rows().rows_size(), 0);
  ASSERT_EQ(gone.rows().removed_vins_size(), 1);
  EXPECT_EQ(gone.rows().removed_vins(0), Vin("A1"));
  EXPECT_EQ(*client->Erase(ref), 0u);

  // With an earlier owner's row left there is a successor, and that is what is told.
  EXPECT_EQ(*client->Erase(latest), 2u);
  const auto successor = Next(subscriber);
  ASSERT_EQ(successor.rows().rows_size(), 1);
  EXPECT_EQ(successor.rows().rows(0).ownership_epoch(), 3u);
}

TEST_F(ServerTest, BadRequestsGetAReasonAndTheServerGoesOn) {
  {
    LocalConnection peer = MustConnect();
    ASSERT_TRUE(peer.Send("\xff\xff\xff").ok());
    EXPECT_EQ(Next(peer).failure().code(), "invalid");
  }
  {
    LocalConnection peer = MustConnect();
    ASSERT_TRUE(peer.Send("").ok());
    EXPECT_EQ(Next(peer).failure().code(), "unsupported");
    Send(peer, ResolveOf("not a vin"));
    EXPECT_EQ(Next(peer).failure().code(), "invalid");
    wire::RegistryRequest request;
    request.mutable_import()->add_rows()->set_vin(Vin("A1"));  // no fuel, no epoch
    Send(peer, request);
    EXPECT_EQ(Next(peer).failure().code(), "invalid");
    Send(peer, ResolveOf(Vin("YES1")));
    EXPECT_TRUE(Next(peer).rows().added());
  }
}

TEST_F(ServerTest, TheSocketIsForOwnerAndGroupOnly) {
  const auto permissions = std::filesystem::status(socket_path()).permissions();
  EXPECT_EQ(static_cast<unsigned>(permissions) & 0777u, 0660u);
}

}  // namespace
}  // namespace telltale::registry
