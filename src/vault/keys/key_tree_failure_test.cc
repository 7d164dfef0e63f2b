// Damage, replicas, providers that fail or lie, and disks that are full.
#include "vault/keys/keys_testing.h"

namespace telltale::vault {
namespace {

const std::vector<HourKeyId> kOneHour = {Position(kSomeHour)};
const std::vector<VehicleRef> kOneVehicle = {VehicleOf(1)};

class KeyTreeFailureTest : public testing::Test, public KeyWorld {
 protected:
  std::unique_ptr<KeyTree> Filled() {
    auto tree = MustOpen();
    for (std::uint64_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(tree->EnsureVehicle(VehicleOf(1 + i)).ok());
      EXPECT_TRUE(
          tree->EnsureHour(Position(kSomeHour + 24 * static_cast<std::int64_t>(i)), Hour{9}).ok());
    }
    EXPECT_TRUE(tree->Flush().ok());
    return tree;
  }
  std::uint64_t Count(const std::string& name) { return counters.Get(name).value(); }
};

TEST_F(KeyTreeFailureTest, ADamagedPageComesFromTheReplica) {
  options.replicas = {"/replica"};
  const std::string key = KeyText(*Filled(), VehicleOf(2));
  FlipBit(PageName("vehicles-"), kPageHeadBytes + 60);
  ASSERT_TRUE(sim.Remove(PageName("position-")).ok());
  auto tree = MustOpen();
  EXPECT_EQ(KeyText(*tree, VehicleOf(2)), key);
  EXPECT_EQ(tree->Hours().size(), 3u);
  EXPECT_EQ(Count("keys_damaged"), 0u);
  // More ordinals may have been given than the replica knew of.
  EXPECT_EQ(tree->next_ordinal().value, kVehiclesPerPage);
  options.replicas.clear();
  EXPECT_EQ(KeyText(*MustOpen(), VehicleOf(2)), key) << "and is whole here again";
}

TEST_F(KeyTreeFailureTest, ADamagedPageWithoutReplicaIsCountedAndTheOthersGoOn) {
  Filled();
  FlipBit(PageName("vehicles-"), kPageHeadBytes + 60);
  auto tree = MustOpen();
  EXPECT_EQ(Count("keys_damaged"), 3u);
  EXPECT_EQ(tree->vehicles(), 0u);
  EXPECT_EQ(tree->Hours().size(), 3u);
  EXPECT_EQ(tree->EnsureVehicle(VehicleOf(1))->value, kVehiclesPerPage) << "not one given before";
  ASSERT_TRUE(tree->Flush().ok());
  EXPECT_NE(PageName("vehicles-0."), "") << "may be put right by its replica later";
  tree = MustOpen();
  EXPECT_EQ(tree->vehicles(), 1u);
  // Vehicle 3's key may be in the damaged page, so that goes with it.
  const std::vector<VehicleRef> unknown = {VehicleOf(3)};
  ASSERT_TRUE(tree->Destroy({}, unknown).ok());
  EXPECT_EQ(PageName("vehicles-0."), "");
  EXPECT_EQ(MustOpen()->vehicles(), 1u);
}

TEST_F(KeyTreeFailureTest, ADamagedHourTakesANewKeyWhenFramesOfItCome) {
  Filled();
  FlipBit(PageName("position-"), kPageHeadBytes + 3);
  auto tree = MustOpen();
  EXPECT_EQ(Count("keys_damaged"), kHoursPerPage);
  ASSERT_TRUE(tree->EnsureHour(Position(kSomeHour), Hour{9}).ok());
  ASSERT_TRUE(tree->Flush().ok());
  const std::string key = KeyText(*tree, Position(kSomeHour));
  EXPECT_TRUE(tree->destruction_pending()) << "what the damaged page had is still to go";
  ASSERT_TRUE(tree->Retry().ok());
  EXPECT_EQ(KeyText(*MustOpen(), Position(kSomeHour)), key);
}

TEST_F(KeyTreeFailureTest, ALostRootComesFromTheReplicaAndNoOrdinalIsGivenTwice) {
  options.replicas = {"/replica"};
  const std::string key = KeyText(*Filled(), VehicleOf(2));
  FlipBit("/tree/root", 40);
  auto tree = MustOpen();
  EXPECT_EQ(KeyText(*tree, VehicleOf(2)), key);
  EXPECT_GE(tree->next_ordinal().value, kVehiclesPerPage);
  const Ordinal next = tree->next_ordinal();
  options.replicas.clear();
  tree = MustOpen();
  EXPECT_EQ(KeyText(*tree, VehicleOf(2)), key);
  EXPECT_EQ(tree->next_ordinal(), next);
}

TEST_F(KeyTreeFailureTest, AWholeLostFolderComesFromTheReplica) {
  options.replicas = {"/replica"};
  const std::string key = KeyText(*Filled(), VehicleOf(2));
  for (const std::string& name : Names()) {
    ASSERT_TRUE(sim.Remove("/tree/" + name).ok());
  }
  EXPECT_EQ(KeyText(*MustOpen(), VehicleOf(2)), key);
  options.replicas.clear();
  EXPECT_EQ(KeyText(*MustOpen(), VehicleOf(2)), key);
}

TEST_F(KeyTreeFailureTest, WithoutAnyRootThatOpensItSaysWhatThatMeans) {
  Filled();
  const std::string root = *ReadWholeFile(sim, "/tree/root");
  FlipBit("/tree/root", root.size() - 1);
  const auto damaged = Open();
  ASSERT_FALSE(damaged.ok());
  EXPECT_EQ(damaged.error().code, Code::kCorrupt);
  EXPECT_NE(damaged.error().message.find("nothing in this vault can be read"), std::string::npos);
  ASSERT_TRUE(sim.Remove("/tree/root").ok());
  const auto lost = Open();
  ASSERT_FALSE(lost.ok()) << "the provider has a root key: this vault is not new";
  EXPECT_EQ(lost.error().code, Code::kCorrupt);
  EXPECT_EQ(provider.keys.size(), 1u) << "nothing was destroyed";
}

TEST_F(KeyTreeFailureTest, ACopyFromBeforeADestructionDoesNotOpen) {
  auto tree = Filled();
  std::map<std::string, std::string> before;
  for (const std::string& name : Names()) before[name] = *ReadWholeFile(sim, "/tree/" + name);
  ASSERT_TRUE(tree->Destroy(kOneHour, {}).ok());
  tree.reset();
  for (const std::string& name : Names()) ASSERT_TRUE(sim.Remove("/tree/" + name).ok());
  for (const auto& [name, content] : before) {
    ASSERT_TRUE(WriteFileDurably(sim, "/tree/" + name, content).ok());
  }
  const auto opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kCorrupt);
  EXPECT_NE(opened.error().message.find("before a destruction"), std::string::npos);
}

TEST_F(KeyTreeFailureTest, AReplicaThatDoesNotAnswerIsCountedOwedAndCaughtUp) {
  options.replicas = {"/replica"};
  auto tree = Filled();
  disk.silent = "/replica";
  ASSERT_TRUE(tree->EnsureVehicle(VehicleOf(8)).ok());
  ASSERT_TRUE(tree->Flush().ok()) << "the vault goes on";
  EXPECT_EQ(Count("key_replica_failures"), 1u);
  EXPECT_FALSE(tree->Destroy(kOneHour, kOneVehicle).ok());
  EXPECT_TRUE(tree->destruction_pending());
  EXPECT_EQ(provider.keys.size(), 1u) << "the old root key is destroyed all the same";
  tree = MustOpen();
  EXPECT_TRUE(tree->destruction_pending()) << "known after a restart";
  disk.silent = "";
  ASSERT_TRUE(tree->Retry().ok());
  EXPECT_FALSE(tree->destruction_pending());
  EXPECT_EQ(Names("/replica"), Names("/tree"));
  for (const std::string& name : Names()) {
    EXPECT_EQ(*ReadWholeFile(sim, "/replica/" + name), *ReadWholeFile(sim, "/tree/" + name));
  }
}

TEST_F(KeyTreeFailureTest, AReplicaTakenOutOfTheOptionsIsNotWaitedFor) {
  options.replicas = {"/replica"};
  auto tree = Filled();
  disk.silent = "/replica";
  EXPECT_FALSE(tree->Destroy(kOneHour, kOneVehicle).ok());
  options.replicas.clear();
  tree = MustOpen();
  EXPECT_FALSE(tree->destruction_pending());
  tree.reset();
  options.folder = "/replica";
  disk.silent = "";
  EXPECT_EQ(Open().error().code, Code::kCorrupt) << "what it still has opens no more";
}

TEST_F(KeyTreeFailureTest, AProviderThatIsDownKeepsNoKeyAndTheRestIsDoneLater) {
  auto tree = Filled();
  const std::string key = KeyText(*tree, VehicleOf(1));
  const std::string neighbour = KeyText(*tree, VehicleOf(2));
  provider.refuse_create = true;
  EXPECT_FALSE(tree->Destroy(kOneHour, kOneVehicle).ok());
  EXPECT_EQ(KeyText(*tree, VehicleOf(1)), "") << "at once";
  ASSERT_TRUE(tree->EnsureVehicle(VehicleOf(9)).ok());
  EXPECT_TRUE(tree->Flush().ok()) << "new keys need no provider where there is a page";
  tree = MustOpen();
  EXPECT_EQ(KeyText(*tree, VehicleOf(1)), "") << "nor after a restart";
  EXPECT_EQ(KeyText(*tree, Position(kSomeHour)), "");
  EXPECT_EQ(tree->vehicles(), 3u);
  EXPECT_TRUE(tree->destruction_pending());
  provider.refuse_create = false;
  ASSERT_TRUE(tree->Retry().ok());
  EXPECT_FALSE(tree->destruction_pending());
  EXPECT_EQ(Reachable(provider, disk.ever).find(key), std::string::npos);
  EXPECT_NE(Reachable(provider, disk.ever).find(neighbour), std::string::npos);
  EXPECT_EQ(MustOpen()->vehicles(), 3u);
}

TEST_F(KeyTreeFailureTest, ARootKeyThatIsNotDestroyedKeepsTheDestructionPending) {
  auto tree = Filled();
  provider.refuse_destroy = true;
  EXPECT_FALSE(tree->Destroy(kOneHour, {}).ok());
  EXPECT_TRUE(tree->destruction_pending());
  provider.refuse_destroy = false;
  provider.destroy_lies = true;
  EXPECT_FALSE(tree->Retry().ok()) << "it says destroyed, and still lists it";
  EXPECT_TRUE(tree->destruction_pending());
  provider.destroy_lies = false;
  EXPECT_FALSE(MustOpen()->destruction_pending()) << "Open() finds it";
  EXPECT_EQ(provider.keys.size(), 1u);
}

TEST_F(KeyTreeFailureTest, AProviderThatLiesIsFoundOutBeforeAnythingIsLost) {
  auto tree = Filled();
  const std::string neighbour = KeyText(*tree, VehicleOf(2));
  provider.wrap_lies = true;
  EXPECT_FALSE(tree->Destroy(kOneHour, {}).ok());
  provider.wrap_lies = false;
  provider.create_repeats = true;
  tree = MustOpen();
  EXPECT_FALSE(tree->Destroy(kOneHour, kOneVehicle).ok()) << "the old key again is no new one";
  EXPECT_TRUE(tree->destruction_pending());
  provider.create_repeats = false;
  ASSERT_TRUE(tree->Retry().ok());
  tree = MustOpen();
  EXPECT_EQ(KeyText(*tree, VehicleOf(2)), neighbour);
  EXPECT_EQ(KeyText(*tree, VehicleOf(1)), "");
}

TEST_F(KeyTreeFailureTest, AFullDiskDoesNotKeepAKey) {
  auto tree = Filled();
  const std::string key = KeyText(*tree, VehicleOf(1));
  std::uint64_t used = 0;
  for (const std::string& name : NamesIn(sim, "/tree")) {
    used += ReadWholeFile(sim, "/tree/" + name)->size();
  }
  sim.SetCapacity(used);
  const Status destroyed = tree->Destroy(kOneHour, kOneVehicle);
  EXPECT_TRUE(destroyed.ok()) << "out of the reserve";
  EXPECT_EQ(Reachable(provider, disk.ever).find(key), std::string::npos);
  EXPECT_EQ(MustOpen()->vehicles(), 2u);
}

TEST_F(KeyTreeFailureTest, AKeyThatAFailedFlushLeftOnTheDiskGoesWithItsDestruction) {
  auto tree = Filled();
  ASSERT_TRUE(tree->EnsureVehicle(VehicleOf(9)).ok());
  const std::string key = KeyText(*tree, VehicleOf(9));
  for (std::uint64_t calls = 1;; ++calls) {
    ASSERT_LT(calls, 20u);
    sim.FailAfter(calls);
    const bool failed = !tree->Flush().ok();
    sim.FailNever();
    if (failed && Reachable(provider, disk.ever).find(key) != std::string::npos) break;
  }
  tree->DropUnflushed();
  const std::vector<VehicleRef> vehicles = {VehicleOf(9)};
  ASSERT_TRUE(tree->Destroy({}, vehicles).ok());
  EXPECT_EQ(Reachable(provider, disk.ever).find(key), std::string::npos);
  EXPECT_EQ(MustOpen()->vehicles(), 3u);
}

TEST_F(KeyTreeFailureTest, ADiskThatDoesNotReadIsNoReasonToGoBackToAReplica) {
  options.replicas = {"/replica"};
  Filled();
  disk.silent = "/tree/root";
  EXPECT_EQ(Open().error().code, Code::kUnavailable);
  EXPECT_EQ(provider.keys.size(), 1u);
  disk.silent = "";
  ASSERT_TRUE(sim.Remove("/tree/root").ok());
  disk.silent = "/replica";
  EXPECT_EQ(Open().error().code, Code::kUnavailable) << "and a replica may come back";
}

TEST_F(KeyTreeFailureTest, AnotherProvidersRootIsRefusedAndSaysWhatToSet) {
  Filled();
  std::string root = *ReadWholeFile(sim, "/tree/root");
  root.replace(root.find("memory"), 6, "pkcs11");
  ASSERT_TRUE(WriteFileDurably(sim, "/tree/root", root).ok());
  const auto opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kInvalid);
  EXPECT_NE(opened.error().message.find("\"pkcs11\", not \"memory\""), std::string::npos);
}

}  // namespace
}  // namespace telltale::vault
