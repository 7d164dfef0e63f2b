// Random operations, failures and power cuts, beside a model that only has maps.
#include <fmt/format.h>

#include "base/test_rounds.h"
#include "vault/keys/keys_testing.h"

namespace telltale::vault {
namespace {

constexpr std::uint64_t kSeedsUsual = 12;
constexpr int kSteps = 250;

// A hour or a vehicle by its name, with the key it had.
using Keys = std::map<std::string, std::string>;

class Model {
 public:
  explicit Model(std::uint64_t seed) : choice_(seed) {
    if (seed % 2 == 0) world_.options.replicas = {"/replica"};
    tree_ = world_.MustOpen();
  }

  void Run() {
    for (int i = 0; i < kSteps && !testing::Test::HasFailure(); ++i) Step();
    Restart(true);
    EXPECT_FALSE(tree_->destruction_pending());
    EXPECT_EQ(world_.provider.keys.size(), 1u);
    const std::string reached = Reachable(world_.provider, world_.disk.ever);
    EXPECT_FALSE(destroyed_.empty()) << "the control";
    for (const std::string& key : destroyed_) EXPECT_EQ(reached.find(key), reached.npos);
    for (const auto& [name, key] : must_) EXPECT_NE(reached.find(key), reached.npos) << name;
  }

 private:
  HourKeyId Hour_() {
    return {choice_.Below(4) == 0 ? RetentionClass::kHold : RetentionClass::kPosition,
            Hour{static_cast<std::int64_t>(choice_.Below(60))}};
  }
  VehicleRef Vehicle() { return VehicleOf(choice_.Below(30) + 1); }
  static std::string NameOfHour(const HourKeyId& id) {
    return fmt::format("{} {}", NameOf(id.retention_class), id.hour.value);
  }

  void Step() {
    // Of the disk's next calls, or of the provider.
    const bool failing = choice_.Below(6) == 0;
    if (failing) world_.sim.FailAfter(choice_.Below(12));
    world_.provider.refuse_create = choice_.Below(8) == 0;
    const std::uint64_t what = choice_.Below(12);
    if (what < 3) EnsureVehicle();
    if (what >= 3 && what < 6) EnsureHour();
    if (what >= 6 && what < 8) Flush();
    if (what == 8) Drop();
    if (what == 9) Destroy();
    if (what == 10) Retry();
    world_.sim.FailNever();
    world_.provider.refuse_create = false;
    if (what == 11) Restart(choice_.Below(2) == 0);
    Compare();
  }

  void EnsureVehicle() {
    const VehicleRef vehicle = Vehicle();
    const auto ordinal = tree_->EnsureVehicle(vehicle);
    ASSERT_TRUE(ordinal.ok());
    now_[vehicle.ToHex()] = KeyText(*tree_, vehicle);
    fresh_ordinals_[ordinal->value] = vehicle.ToHex();
  }
  void EnsureHour() {
    const HourKeyId id = Hour_();
    ASSERT_TRUE(tree_->EnsureHour(id, Hour{100}).ok());
    now_[NameOfHour(id)] = KeyText(*tree_, id);
  }
  void Flush() {
    const bool flushed = tree_->Flush().ok();
    Became(flushed);
    if (!flushed && choice_.Below(2) == 0) Drop();
  }
  // `now_` is durable, or may be.
  void Became(bool durable) {
    for (const auto& [name, key] : now_) {
      if (durable) must_[name] = key;
      if (durable) used_.insert(key);
      may_[name].insert(key);
    }
    if (!durable) return;
    for (const auto& [ordinal, vehicle] : fresh_ordinals_) {
      const auto [at, added] = given_.emplace(ordinal, vehicle);
      EXPECT_EQ(at->second, vehicle) << "ordinal " << ordinal << " given twice";
    }
    fresh_ordinals_.clear();
  }
  void Drop() {
    // What a destruction's rewrite made durable on its way stays; all else goes.
    tree_->DropUnflushed();
    TakeWhatIsThere();
  }
  void Destroy() {
    std::vector<HourKeyId> hours;
    std::vector<VehicleRef> vehicles;
    std::set<std::string> names;
    for (std::uint64_t i = choice_.Below(4); i > 0; --i) hours.push_back(Hour_());
    for (std::uint64_t i = choice_.Below(4); i > 0; --i) vehicles.push_back(Vehicle());
    for (const HourKeyId& id : hours) names.insert(NameOfHour(id));
    for (const VehicleRef& vehicle : vehicles) names.insert(vehicle.ToHex());
    Became(false);
    const bool done = tree_->Destroy(hours, vehicles).ok();
    for (const std::string& name : names) {
      now_.erase(name);
      must_.erase(name);
      going_.insert(name);
    }
    // Its rewrite takes what was not flushed along.
    if (!done) return;
    for (const std::string& name : going_) {
      for (const std::string& key : may_[name]) {
        // One that no Flush() said was durable has sealed nothing.
        if (used_.contains(key) && now_[name] != key) destroyed_.insert(key);
      }
      if (now_[name].empty()) {
        now_.erase(name);
        may_.erase(name);
      }
    }
    going_.clear();
  }
  void Retry() {
    Became(false);  // what is written again takes along what was not flushed
    (void)tree_->Retry();
  }
  void Restart(bool crash) {
    tree_.reset();
    if (crash) world_.sim.Crash(choice_.NextU64());
    tree_ = world_.MustOpen();
    ASSERT_NE(tree_, nullptr);
    TakeWhatIsThere();
  }

  // After going back: each durable key is there; what else is there is one that there may be.
  void TakeWhatIsThere() {
    now_.clear();
    fresh_ordinals_.clear();
    Keys there;
    for (const HourKeyInfo& info : tree_->Hours()) {
      there[NameOfHour(info.id)] = KeyText(*tree_, info.id);
    }
    for (std::uint64_t i = 1; i <= 30; ++i) {
      const auto ordinal = tree_->OrdinalOf(VehicleOf(i));
      if (!ordinal.ok()) continue;
      there[VehicleOf(i).ToHex()] = KeyText(*tree_, VehicleOf(i));
      fresh_ordinals_[ordinal->value] = VehicleOf(i).ToHex();
    }
    for (const auto& [name, key] : must_) EXPECT_EQ(there[name], key) << name;
    for (const auto& [name, key] : there) EXPECT_TRUE(may_[name].contains(key)) << name;
    now_ = there;
  }
  void Compare() {
    for (const auto& [name, key] : now_) {
      const auto vehicle = VehicleRef::FromHex(name);
      if (vehicle.ok()) {
        EXPECT_EQ(KeyText(*tree_, *vehicle), key);
      }
    }
    std::size_t hours = 0;
    for (const auto& [name, key] : now_) hours += VehicleRef::FromHex(name).ok() ? 0 : 1;
    EXPECT_EQ(tree_->Hours().size(), hours);
    EXPECT_EQ(tree_->vehicles(), now_.size() - hours);
  }

  SeededRandom choice_;
  KeyWorld world_;
  std::unique_ptr<KeyTree> tree_;
  Keys now_;                                          // as the tree says
  Keys must_;                                         // durable
  std::map<std::string, std::set<std::string>> may_;  // what may come back with a restart
  std::set<std::string> going_;                       // destroyed, not yet said to be done
  std::set<std::string> used_;                        // keys that were durable once
  std::set<std::string> destroyed_;                   // keys that must open nowhere
  std::map<std::uint32_t, std::string> fresh_ordinals_;
  std::map<std::uint32_t, std::string> given_;
};

TEST(KeyTreeModelTest, ItDoesWhatTheModelSays) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(kSeedsUsual); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Model(seed).Run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace telltale::vault
