#include "vault/keys/key_tree.h"

#include "vault/keys/keys_testing.h"

namespace telltale::vault {
namespace {

class KeyTreeTest : public testing::Test, public KeyWorld {
 protected:
  // Hours 0..2 of a page and vehicles 1..3, durable.
  std::unique_ptr<KeyTree> Filled() {
    auto tree = MustOpen();
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(tree->EnsureHour(Position(kSomeHour + i), DiesAt(i)).ok());
      EXPECT_TRUE(tree->EnsureVehicle(VehicleOf(1 + static_cast<std::uint64_t>(i))).ok());
    }
    EXPECT_TRUE(tree->Flush().ok());
    return tree;
  }
  static Hour DiesAt(int i) { return Hour{kSomeHour + kWindowHours + i}; }
  std::string Root(const std::string& folder = "/tree") {
    return ReadWholeFile(sim, folder + "/root").value();
  }
};

TEST_F(KeyTreeTest, KeysHoursAndOrdinalsAreThereAfterARestart) {
  auto tree = Filled();
  const std::string hour = KeyText(*tree, Position(kSomeHour));
  const std::string vehicle = KeyText(*tree, VehicleOf(2));
  tree = MustOpen();
  EXPECT_EQ(KeyText(*tree, Position(kSomeHour)), hour);
  EXPECT_EQ(KeyText(*tree, VehicleOf(2)), vehicle);
  EXPECT_NE(hour, vehicle);
  EXPECT_EQ(tree->OrdinalOf(VehicleOf(2))->value, 1u);
  EXPECT_EQ(*tree->VehicleAt(Ordinal{2}), VehicleOf(3));
  EXPECT_EQ(tree->vehicles(), 3u);
  EXPECT_EQ(tree->next_ordinal().value, 3u);
  const auto hours = tree->Hours();
  ASSERT_EQ(hours.size(), 3u);
  EXPECT_EQ(hours[1].id, Position(kSomeHour + 1));
  EXPECT_EQ(hours[1].dies_at, DiesAt(1));
}

TEST_F(KeyTreeTest, EnsureMakesNoSecondKey) {
  auto tree = Filled();
  const std::string hour = KeyText(*tree, Position(kSomeHour));
  const std::string vehicle = KeyText(*tree, VehicleOf(1));
  ASSERT_TRUE(tree->EnsureHour(Position(kSomeHour), Hour{9}).ok());
  EXPECT_EQ(tree->EnsureVehicle(VehicleOf(1))->value, 0u);
  EXPECT_EQ(KeyText(*tree, Position(kSomeHour)), hour);
  EXPECT_EQ(KeyText(*tree, VehicleOf(1)), vehicle);
  EXPECT_EQ(tree->Hours()[0].dies_at, DiesAt(0));
  EXPECT_EQ(tree->EnsureVehicle(VehicleRef{}).error().code, Code::kInvalid);
}

TEST_F(KeyTreeTest, ADestroyedKeyIsInNoFileThatEverWasUnderAnyKeyThatIsLeft) {
  options.replicas = {"/replica"};
  auto tree = Filled();
  const std::string hour = KeyText(*tree, Position(kSomeHour + 1));
  const std::string vehicle = KeyText(*tree, VehicleOf(2));
  const std::string kept = KeyText(*tree, VehicleOf(3));
  ASSERT_NE(Reachable(provider, disk.ever).find(hour), std::string::npos) << "the control";
  ASSERT_NE(Reachable(provider, disk.ever).find(vehicle), std::string::npos);
  const std::vector<HourKeyId> hours = {Position(kSomeHour + 1)};
  const std::vector<VehicleRef> vehicles = {VehicleOf(2)};
  ASSERT_TRUE(tree->Destroy(hours, vehicles).ok());
  const std::string left = Reachable(provider, disk.ever);
  EXPECT_EQ(left.find(hour), std::string::npos);
  EXPECT_EQ(left.find(vehicle), std::string::npos);
  EXPECT_NE(left.find(kept), std::string::npos);
  EXPECT_EQ(provider.keys.size(), 1u);
  EXPECT_FALSE(tree->destruction_pending());
  for (const std::string& file : disk.ever) EXPECT_EQ(file.find(kept), file.npos) << "in clear";
}

TEST_F(KeyTreeTest, NeighboursOfADestroyedKeyStayAndItsOrdinalIsNotGivenAgain) {
  auto tree = Filled();
  const std::string hour = KeyText(*tree, Position(kSomeHour));
  const std::string vehicle = KeyText(*tree, VehicleOf(2));
  const std::vector<HourKeyId> hours = {Position(kSomeHour + 2)};
  const std::vector<VehicleRef> vehicles = {VehicleOf(3)};
  ASSERT_TRUE(tree->Destroy(hours, vehicles).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(KeyText(*tree, Position(kSomeHour)), hour);
    EXPECT_EQ(KeyText(*tree, VehicleOf(2)), vehicle);
    EXPECT_EQ(KeyText(*tree, Position(kSomeHour + 2)), "");
    EXPECT_EQ(KeyText(*tree, VehicleOf(3)), "");
    EXPECT_EQ(tree->VehicleAt(Ordinal{2}).error().code, Code::kNotFound);
    tree = MustOpen();
  }
  EXPECT_EQ(tree->EnsureVehicle(VehicleOf(3))->value, 3u) << "a new key, a new ordinal";
  EXPECT_TRUE(tree->Destroy(hours, vehicles).ok()) << "safe to repeat";
}

TEST_F(KeyTreeTest, OrdinalsGoOnBehindPagesThatAreAllErased) {
  auto tree = Filled();
  const std::vector<VehicleRef> all = {VehicleOf(1), VehicleOf(2), VehicleOf(3)};
  ASSERT_TRUE(tree->Destroy({}, all).ok());
  EXPECT_EQ(PageName("vehicles-"), "");
  tree = MustOpen();
  EXPECT_EQ(tree->EnsureVehicle(VehicleOf(9))->value, 3u);
  tree->DropUnflushed();
  EXPECT_EQ(tree->EnsureVehicle(VehicleOf(8))->value, 3u);
}

TEST_F(KeyTreeTest, AKeyAddedToAPageLeavesTheRootAloneAndRepeatsNoKeyStream) {
  auto tree = Filled();
  const std::string root = Root();
  const std::string path = PageName("vehicles-");
  const std::string before = ReadWholeFile(sim, path).value();
  ASSERT_TRUE(tree->EnsureVehicle(VehicleOf(4)).ok());
  ASSERT_TRUE(tree->Flush().ok());
  EXPECT_EQ(Root(), root);
  const std::string after = ReadWholeFile(sim, path).value();
  EXPECT_EQ(after.size(), before.size() + kSlotBytes);
  // The same slots under the same page key: were the key stream the same, so were these bytes.
  EXPECT_NE(after.substr(kPageHeadBytes, 48), before.substr(kPageHeadBytes, 48));
  EXPECT_EQ(MustOpen()->vehicles(), 4u);
}

TEST_F(KeyTreeTest, ABatchOfDestructionsIsOneRewrite) {
  auto tree = MustOpen();
  std::vector<VehicleRef> some;
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    ASSERT_TRUE(tree->EnsureVehicle(VehicleOf(i)).ok());
    if (i % 2 == 0) some.push_back(VehicleOf(i));
  }
  ASSERT_TRUE(tree->Flush().ok());
  const int created = provider.created;
  ASSERT_TRUE(tree->Destroy({}, some).ok());
  EXPECT_EQ(provider.created, created + 1);
  tree = MustOpen();
  EXPECT_EQ(tree->vehicles(), 2500u);
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    const auto ordinal = tree->OrdinalOf(VehicleOf(i));
    ASSERT_EQ(ordinal.ok(), i % 2 == 1) << i;
    if (ordinal.ok()) {
      ASSERT_EQ(ordinal->value, i - 1);
    }
  }
}

TEST_F(KeyTreeTest, DropUnflushedGoesBackToWhatIsDurable) {
  auto tree = Filled();
  ASSERT_TRUE(tree->EnsureHour(Position(kSomeHour + 5), Hour{1}).ok());
  ASSERT_TRUE(tree->EnsureHour(Position(kSomeHour + 500), Hour{1}).ok());
  ASSERT_TRUE(tree->SetDiesAt(Position(kSomeHour), Hour{kSomeHour + 1}).ok());
  EXPECT_EQ(tree->EnsureVehicle(VehicleOf(7))->value, 3u);
  tree->DropUnflushed();
  EXPECT_EQ(tree->Hours().size(), 3u);
  EXPECT_EQ(tree->Hours()[0].dies_at, DiesAt(0));
  EXPECT_FALSE(tree->OrdinalOf(VehicleOf(7)).ok());
  EXPECT_EQ(tree->next_ordinal().value, 3u);
  const std::uint64_t written = sim.bytes_written();
  ASSERT_TRUE(tree->Flush().ok());
  EXPECT_EQ(sim.bytes_written(), written) << "nothing to do is free";
}

TEST_F(KeyTreeTest, AnHourDiesEarlierButNeverLater) {
  auto tree = Filled();
  ASSERT_TRUE(tree->SetDiesAt(Position(kSomeHour), Hour{kSomeHour + 10}).ok());
  ASSERT_TRUE(tree->SetDiesAt(Position(kSomeHour), Hour{kSomeHour + 900}).ok());
  EXPECT_EQ(tree->SetDiesAt(Position(5), Hour{6}).error().code, Code::kNotFound);
  ASSERT_TRUE(tree->Flush().ok());
  EXPECT_EQ(MustOpen()->Hours()[0].dies_at, Hour{kSomeHour + 10});
}

TEST_F(KeyTreeTest, TheIndexFindsWhatIsLeftWhateverIsErased) {
  auto tree = MustOpen();
  SeededRandom choice(3);
  std::map<std::uint64_t, std::uint32_t> alive;
  for (int step = 0; step < 3000; ++step) {
    const std::uint64_t value = choice.Below(400) * 64;  // homes that clash
    if (alive.contains(value)) {
      const std::vector<VehicleRef> one = {VehicleOf(value)};
      provider.down = true;  // memory alone
      (void)tree->Destroy({}, one);
      alive.erase(value);
    } else {
      alive[value] = tree->EnsureVehicle(VehicleOf(value))->value;
    }
  }
  ASSERT_EQ(tree->vehicles(), alive.size());
  for (std::uint64_t value = 0; value < 400 * 64; value += 64) {
    const auto ordinal = tree->OrdinalOf(VehicleOf(value));
    ASSERT_EQ(ordinal.ok(), alive.contains(value)) << value;
    if (ordinal.ok()) {
      ASSERT_EQ(ordinal->value, alive[value]);
    }
  }
}

TEST_F(KeyTreeTest, AnImportedKeyIsTakenOnceAndNoOtherInItsPlace) {
  auto tree = MustOpen();
  seal::SecretKey key;
  key.data()[0] = 7;
  const HourKeyId id{RetentionClass::kLegacy, Hour{kSomeHour}};
  ASSERT_TRUE(tree->ImportHour(id, Hour{kSomeHour}, key).ok());
  ASSERT_TRUE(tree->ImportHour(id, Hour{kSomeHour}, key).ok());
  ASSERT_TRUE(tree->Flush().ok());
  seal::SecretKey other;
  EXPECT_EQ(tree->ImportHour(id, Hour{kSomeHour}, other).error().code, Code::kExists);
  EXPECT_EQ(KeyText(*MustOpen(), id), key.text());
}

TEST_F(KeyTreeTest, HoldsHavePagesOfTheirOwn) {
  auto tree = Filled();
  const HourKeyId hold{RetentionClass::kHold, Hour{1}};
  ASSERT_TRUE(tree->EnsureHour(hold, Hour{INT64_MAX}).ok());
  ASSERT_TRUE(tree->Flush().ok());
  EXPECT_NE(PageName("hold-0."), "");
  const std::vector<HourKeyId> hours = {hold};
  ASSERT_TRUE(tree->Destroy(hours, {}).ok());
  EXPECT_EQ(PageName("hold-"), "") << "an empty page of hours goes";
  EXPECT_EQ(MustOpen()->Hours().size(), 3u);
}

TEST_F(KeyTreeTest, WhatNeedsANewerReaderIsRefused) {
  Filled();
  const auto raise = [this](const std::string& path) {
    auto file = sim.Open(path, OpenMode::kReadWrite);
    const std::uint8_t newer = kKeysVersion + 1;
    ASSERT_TRUE((*file)->WriteAt(5, {&newer, 1}).ok());
  };
  raise(PageName("vehicles-"));
  EXPECT_EQ(Open().error().code, Code::kUnsupported);
  raise("/tree/root");
  EXPECT_EQ(Open().error().code, Code::kUnsupported);
}

TEST_F(KeyTreeTest, LockedSaysWhatTheSystemAllowed) {
  auto tree = MustOpen();
  EXPECT_TRUE(tree->locked()) << "nothing is held yet";
}

}  // namespace
}  // namespace telltale::vault
