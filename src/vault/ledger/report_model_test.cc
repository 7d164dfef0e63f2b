// Random histories against a model that keeps every (vehicle, hour) by itself and answers for any
// moment by looking at all of them.
#include <map>

#include "base/random.h"
#include "base/test_rounds.h"
#include "vault/ledger/ledger_testing.h"

namespace telltale::vault {
namespace {

constexpr std::int64_t kHours = 60;
constexpr std::uint32_t kVehicles = 25;

struct Stored {
  HourKeyId id;
  std::uint32_t vehicle = 0;
  Micros at;
  Micros due;  // lowered by each shortening
};
struct Span {
  Micros from;
  Micros to;
};

struct Model {
  std::vector<Stored> stored;
  std::map<HourKeyId, Micros> dropped;  // at most one life here
  std::map<std::uint32_t, Micros> erased;
  std::map<std::pair<std::uint32_t, HourKeyId>, Span> held;

  // Every vehicle past its window at `at`, by the definition alone.
  std::set<std::uint32_t> StillStored(RetentionClass retention_class, Micros at) const {
    std::set<std::uint32_t> found;
    for (const Stored& one : stored) {
      if (one.id.retention_class != retention_class || one.at > at || one.due > at) continue;
      const auto gone = dropped.find(one.id);
      if (gone != dropped.end() && gone->second <= at) continue;
      const auto erasure = erased.find(one.vehicle);
      if (erasure != erased.end() && erasure->second <= at) continue;
      const auto hold = held.find({one.vehicle, one.id});
      if (hold != held.end() && hold->second.from <= at && at < hold->second.to) continue;
      found.insert(one.vehicle);
    }
    return found;
  }
};

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), seed_(seed), world_(4096, 6) {
    world_.MustOpen(AtHour(0));
    for (const RetentionClass one : {RetentionClass::kPosition, RetentionClass::kRefused}) {
      windows_[one] = 10 + static_cast<std::uint32_t>(random_.Below(20));
      EXPECT_TRUE(world_.ledger->SetWindow(one, windows_[one], AtHour(0)).ok());
    }
  }

  void Run() {
    for (std::int64_t step = 1; step < kHours * 8; ++step) {
      const Micros now = AtHour(0) + Micros{step * (kHourUs / 8) + 1000};
      Step(now);
      if (testing::Test::HasFatalFailure()) return;
    }
  }

  void Compare() {
    for (std::int64_t step = 0; step < kHours * 8; step += 5) {
      const Micros at = AtHour(0) + Micros{step * (kHourUs / 8) + 2000};
      ReportInput input;
      input.now = AtHour(kHours);
      input.at = at;
      input.list = true;
      input.grace = Micros{0};
      input.ledger = world_.ledger->View();
      const Report report = MakeReport(input);
      std::map<RetentionClass, std::vector<std::uint32_t>> answers;
      for (const ClassAnswer& answer : report.still_stored) {
        answers[answer.retention_class] = answer.ordinals;
      }
      for (const auto& [retention_class, hours] : windows_) {
        const auto expected = model_.StillStored(retention_class, at);
        EXPECT_EQ(answers[retention_class], std::vector(expected.begin(), expected.end()))
            << "seed " << seed_ << " step " << step << " " << NameOf(retention_class);
        compared_ += expected.size();
      }
    }
  }

  std::uint64_t compared() const { return compared_; }

 private:
  RetentionClass AnyClass() {
    return random_.Below(4) == 0 ? RetentionClass::kRefused : RetentionClass::kPosition;
  }

  void Step(Micros now) {
    const std::uint64_t what = random_.Below(30);
    if (what < 16) {
      StoreSome(now);
    } else if (what < 23) {
      DropSome(now);
    } else if (what == 23) {
      Shorten(now);
    } else if (what == 24) {
      const auto vehicle = static_cast<std::uint32_t>(random_.Below(kVehicles));
      ASSERT_TRUE(world_.ledger->MarkErased(std::vector{Ordinal{vehicle}}, now).ok());
      model_.erased.emplace(vehicle, now);
    } else if (what == 25) {
      HoldSome(now);
    } else if (what == 26) {
      ASSERT_TRUE(world_.ledger->Fold(now).ok());
    } else if (what == 27) {
      world_.ledger.reset();
      world_.disk.Crash(seed_ + static_cast<std::uint64_t>(now.value));
      ASSERT_TRUE(world_.Open(now).ok());
    }
  }

  // As the store does: a basis in the last hours, within the window, the hour not dropped.
  void StoreSome(Micros now) {
    for (int i = 0; i < 4; ++i) {
      const RetentionClass retention_class = AnyClass();
      const auto back = static_cast<std::int64_t>(random_.Below(6));
      const HourKeyId id{retention_class, Hour{HourOf(now).value - back}};
      const auto vehicle = static_cast<std::uint32_t>(random_.Below(kVehicles));
      if (model_.dropped.contains(id) || model_.erased.contains(vehicle)) continue;
      ASSERT_TRUE(world_.ledger->Note(id, Ordinal{vehicle}, 1, now).ok());
      const Micros due = StartOf(Hour{id.hour.value + windows_[retention_class]});
      if (due <= now) continue;
      model_.stored.push_back({id, vehicle, now, due});
    }
    ASSERT_TRUE(world_.ledger->Commit().ok());
  }

  // An hour that is due, sooner or later.
  void DropSome(Micros now) {
    for (const Stored& one : model_.stored) {
      if (one.due > now || model_.dropped.contains(one.id) || random_.Below(6) != 0) continue;
      ASSERT_TRUE(world_.ledger->MarkDropped(std::vector{one.id}, now, 1).ok());
      model_.dropped.emplace(one.id, now);
    }
  }

  void Shorten(Micros now) {
    const RetentionClass retention_class = AnyClass();
    std::uint32_t& window = windows_[retention_class];
    if (window <= 8) return;
    --window;
    ASSERT_TRUE(world_.ledger->SetWindow(retention_class, window, now).ok());
    for (Stored& one : model_.stored) {
      if (one.id.retention_class != retention_class) continue;
      one.due = std::min(one.due, std::max(now, StartOf(Hour{one.id.hour.value + window})));
    }
  }

  void HoldSome(Micros now) {
    if (model_.stored.empty()) return;
    const Stored& one = model_.stored[random_.Below(model_.stored.size())];
    const std::uint64_t number = ++holds_;
    OrdinalSet vehicles;
    vehicles.Add(Ordinal{one.vehicle});
    if (model_.held.contains({one.vehicle, one.id})) return;
    ASSERT_TRUE(world_.ledger->MarkHeld(number, one.id, vehicles, now).ok());
    Span& span = model_.held[{one.vehicle, one.id}];
    span = {now, kNever};
    if (random_.Below(2) == 0) return;
    span.to = now + Micros{kHourUs};
    ASSERT_TRUE(world_.ledger->MarkHoldLifted(number, span.to).ok());
  }

  SeededRandom random_;
  const std::uint64_t seed_;
  LedgerWorld world_;
  Model model_;
  std::map<RetentionClass, std::uint32_t> windows_;
  std::uint64_t holds_ = 0;
  std::uint64_t compared_ = 0;
};

TEST(ReportModelTest, AnyMomentOfAnyHistoryIsAnsweredAsByLookingAtEveryVehicleAndHour) {
  std::uint64_t compared = 0;
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(8); ++seed) {
    History history(seed);
    history.Run();
    history.Compare();
    compared += history.compared();
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(compared, 1000u) << "or nothing was ever past its window";
}

}  // namespace
}  // namespace telltale::vault
