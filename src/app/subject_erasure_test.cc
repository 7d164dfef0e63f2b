#include "app/subject_erasure.h"

#include <gtest/gtest.h>

#include <set>

#include "app/subject_receipt.h"
#include "base/erasure_list.h"
#include "base/sim_disk.h"

namespace telltale::app {
namespace {

constexpr Micros kErasureNow = Micros::Seconds(1'800'000'000);
const std::string kJobs = "/data/erased/jobs";

VehicleRef RefOf(std::uint8_t n) {
  VehicleRef ref;
  ref.bytes.fill(n);
  return ref;
}

// Four stores by hand: a list, a vault that a hold may stop, alerts, and a stream that ages out.
struct ErasureWorld {
  ErasureWorld() { EXPECT_TRUE(disk.MakeFolders("/data/erased").ok()); }
  std::vector<StoreStep> Steps() {
    return {Step("list", true, &list), Step("vault", true, &vault), Step("alerts", true, &alerts),
            Step("stream", false, &stream)};
  }
  StoreStep Step(const std::string& store, bool needs_vehicle, Result<StoreAnswer>* says) {
    return {.store = store,
            .needs_vehicle = needs_vehicle,
            .act = [this, store, says](const StepView& view) {
              tried.push_back(store);
              if (view.vehicle != nullptr) seen.insert(view.vehicle->ToHex());
              return *says;
            }};
  }
  Erasure Make() { return Erasure(disk, clock, random, kJobs, Steps()); }
  static ErasureRequest Request(std::uint8_t n = 1) {
    return {.vehicle = RefOf(n), .basis = "request 17", .asked_by = "uid 0"};
  }

  SimDisk disk;
  ManualClock clock{kErasureNow};
  SeededRandom random{3};
  Result<StoreAnswer> list = StoreAnswer{};
  Result<StoreAnswer> vault = StoreAnswer{};
  Result<StoreAnswer> alerts = StoreAnswer{};
  Result<StoreAnswer> stream = StoreAnswer{};
  std::vector<std::string> tried;
  std::set<std::string> seen;
};

StoreAnswer Answer(LineState state, Micros due_by = {}) {
  return {.state = state, .counts = {}, .note = {}, .due_by = due_by};
}

TEST(ErasureTest, GoesThroughEveryStoreAndClosesWithTheLast) {
  ErasureWorld world;
  Erasure erasure = world.Make();
  auto job = erasure.Begin(ErasureWorld::Request());
  ASSERT_TRUE(job.ok()) << job.error().ToString();
  ASSERT_TRUE(erasure.Resume(*job).ok());
  EXPECT_EQ(world.tried, (std::vector<std::string>{"list", "vault", "alerts", "stream"}));
  EXPECT_EQ(world.seen, std::set<std::string>{RefOf(1).ToHex()});
  EXPECT_TRUE(job->closed());
  const auto saved = erasure.folder().Load(job->id);
  ASSERT_TRUE(saved.ok());
  EXPECT_EQ(*saved, *job);
}

TEST(ErasureTest, NothingElseIsTriedBeforeTheListIsWritten) {
  ErasureWorld world;
  world.list = Error{Code::kOverloaded, "disk full"};
  Erasure erasure = world.Make();
  auto job = erasure.Begin(ErasureWorld::Request());
  ASSERT_TRUE(erasure.Resume(*job).ok());
  EXPECT_EQ(world.tried, std::vector<std::string>{"list"});
  EXPECT_NE(job->lines[0].last_error, "");
  world.list = StoreAnswer{};
  ASSERT_TRUE(erasure.Resume(*job).ok());
  EXPECT_EQ(job->lines[0].last_error, "");
  EXPECT_TRUE(job->closed());
}

TEST(ErasureTest, AHoldStopsItsLineAloneAndIsGoneOnWithWhenItEnds) {
  ErasureWorld world;
  world.vault = Answer(LineState::kHeld);
  Erasure erasure = world.Make();
  auto job = erasure.Begin(ErasureWorld::Request());
  ASSERT_TRUE(erasure.Resume(*job).ok());
  EXPECT_EQ(job->Find("vault")->state, LineState::kHeld);
  EXPECT_EQ(job->Find("alerts")->state, LineState::kDone);
  EXPECT_FALSE(job->closed());
  EXPECT_EQ(job->vehicle_ref, RefOf(1).ToHex()) << "needed when the hold ends";
  EXPECT_TRUE(HasWork(*job, kErasureNow));

  world.vault = StoreAnswer{};
  world.tried.clear();
  ASSERT_TRUE(erasure.ResumeAll().ok());
  EXPECT_EQ(world.tried, std::vector<std::string>{"vault"}) << "what is done is not done again";
  const auto ended = erasure.folder().Load(job->id);
  EXPECT_TRUE(ended->closed());
  EXPECT_EQ(ended->vehicle_ref, "");
}

TEST(ErasureTest, TheReferenceGoesWithTheLastLineThatNeedsItAndTheReceiptStaysOpen) {
  ErasureWorld world;
  world.stream = Answer(LineState::kAgesOut, kErasureNow + Micros::Seconds(100));
  Erasure erasure = world.Make();
  auto job = erasure.Begin(ErasureWorld::Request());
  ASSERT_TRUE(erasure.Resume(*job).ok());
  EXPECT_FALSE(job->closed());
  EXPECT_EQ(job->vehicle_ref, "");
  const auto file = ReadWholeFile(world.disk, kJobs + "/" + job->id + ".json");
  EXPECT_EQ(file->find(RefOf(1).ToHex()), std::string::npos);
  EXPECT_FALSE(HasWork(*job, kErasureNow)) << "only a date is waited for";
  EXPECT_TRUE(HasWork(*job, kErasureNow + Micros::Seconds(100)));

  world.clock.Advance(Micros::Seconds(100));
  world.stream = StoreAnswer{};
  ASSERT_TRUE(erasure.Resume(*job).ok());
  EXPECT_TRUE(job->closed());
  EXPECT_EQ(job->closed_at, kErasureNow + Micros::Seconds(100));
}

TEST(ErasureTest, AStoreThatFailsStaysOpenWithItsReasonAndStopsNoOther) {
  ErasureWorld world;
  world.alerts = Error{Code::kUnavailable, "a reader holds the log"};
  Erasure erasure = world.Make();
  auto job = erasure.Begin(ErasureWorld::Request());
  ASSERT_TRUE(erasure.Resume(*job).ok());
  EXPECT_EQ(job->Find("alerts")->state, LineState::kOpen);
  EXPECT_NE(ReceiptText(*job).find("a reader holds the log"), std::string::npos);
  EXPECT_EQ(job->Find("stream")->state, LineState::kDone);
  EXPECT_FALSE(job->closed());
}

TEST(ErasureTest, AskingTwiceIsOneJobAndAnotherVehicleIsAnother) {
  ErasureWorld world;
  Erasure erasure = world.Make();
  const auto first = erasure.Begin(ErasureWorld::Request(1));
  const auto again = erasure.Begin(ErasureWorld::Request(1));
  const auto other = erasure.Begin(ErasureWorld::Request(2));
  EXPECT_EQ(first->id, again->id);
  EXPECT_NE(first->id, other->id);
  EXPECT_EQ(erasure.folder().List()->size(), 2u);
}

TEST(ErasureTest, WithoutABasisNothingBegins) {
  ErasureWorld world;
  Erasure erasure = world.Make();
  for (const std::string& basis : {std::string(), std::string(201, 'x'), std::string("a\nb")}) {
    auto request = ErasureWorld::Request();
    request.basis = basis;
    EXPECT_EQ(erasure.Begin(request).error().code, Code::kInvalid);
  }
  EXPECT_TRUE(erasure.folder().List()->empty());
}

TEST(ErasureTest, AStoreThatCameWithANewerBuildGetsALineAndOneOfANewerBuildKeepsIt) {
  ErasureWorld world;
  auto steps = world.Steps();
  steps.pop_back();
  world.alerts = Error{Code::kUnavailable, "later"};
  Erasure older(world.disk, world.clock, world.random, kJobs, steps);
  auto job = older.Begin(ErasureWorld::Request());
  ASSERT_TRUE(older.Resume(*job).ok());
  EXPECT_EQ(job->Find("stream"), nullptr);
  world.stream = Answer(LineState::kAgesOut, kErasureNow + Micros::Seconds(9));
  Erasure newer = world.Make();
  ASSERT_TRUE(newer.Resume(*job).ok());
  EXPECT_EQ(job->Find("stream")->state, LineState::kAgesOut);
  world.alerts = StoreAnswer{};
  ASSERT_TRUE(older.Resume(*job).ok());
  EXPECT_FALSE(job->closed()) << "the line that this build does not know is open";
}

TEST(ErasureTest, AKillAfterTheEffectOfAnyStepAndBeforeItIsSavedIsGoneOnWith) {
  for (std::size_t stop = 1; stop <= 4; ++stop) {
    ErasureWorld world;
    std::vector<StoreStep> steps = world.Steps();
    for (StoreStep& step : steps) {
      step.act = [&world, stop, act = step.act](const StepView& view) {
        auto answer = act(view);
        // The process is gone: nothing it does from here on reaches the disk.
        if (world.tried.size() == stop) world.disk.FailAfter(0);
        return answer;
      };
    }
    {
      Erasure killed(world.disk, world.clock, world.random, kJobs, steps);
      auto job = killed.Begin(ErasureWorld::Request());
      ASSERT_TRUE(job.ok());
      EXPECT_FALSE(killed.Resume(*job).ok()) << stop;
    }
    EXPECT_EQ(world.tried.size(), stop) << "nothing goes on behind what could not be saved";
    world.disk.FailNever();
    Erasure erasure = world.Make();
    ASSERT_TRUE(erasure.ResumeAll().ok());
    const auto jobs = erasure.folder().List();
    ASSERT_EQ(jobs->size(), 1u);
    EXPECT_TRUE(jobs->front().closed()) << stop;
    // The step that was cut is taken again, those before it are not.
    EXPECT_EQ(world.tried.size(), 5u) << stop;
  }
}

TEST(ErasureTest, APowerCutAtAnyWriteIsGoneOnFromWhatWasSaved) {
  bool is_through = false;
  for (std::uint64_t calls = 0; !is_through; ++calls) {
    ASSERT_LT(calls, 200u);
    ErasureWorld world;
    bool was_begun = false;
    world.disk.FailAfter(calls);
    {
      Erasure erasure = world.Make();
      auto job = erasure.Begin(ErasureWorld::Request());
      was_begun = job.ok();
      is_through = was_begun && erasure.Resume(*job).ok();
    }
    world.disk.FailNever();
    world.disk.Crash(calls);
    Erasure erasure = world.Make();
    const auto left = erasure.folder().List();
    ASSERT_TRUE(left.ok()) << calls << ": " << left.error().ToString();
    EXPECT_GE(left->size(), was_begun ? 1u : 0u) << calls;
    auto job = erasure.Begin(ErasureWorld::Request());
    ASSERT_TRUE(job.ok()) << calls;
    ASSERT_TRUE(erasure.Resume(*job).ok()) << calls;
    EXPECT_TRUE(job->closed()) << calls;
    EXPECT_EQ(erasure.folder().List()->size(), 1u) << calls;
  }
}

TEST(ErasureJobTest, WhatIsWrittenIsReadAndTheReceiptHasNoReference) {
  ErasureJob job{.id = "0123456789abcdef",
                 .tag = std::string(64, 'a'),
                 .vehicle_ref = std::string(32, 'b'),
                 .basis = "law \xc3\xa4",
                 .asked_by = "uid 0 (root)",
                 .asked_at = kErasureNow,
                 .closed_at = {},
                 .lines = {{.store = "alerts",
                            .state = LineState::kAgesOut,
                            .counts = {{"rows", 7}},
                            .note = "n",
                            .last_error = "e",
                            .due_by = kErasureNow,
                            .changed_at = kErasureNow}}};
  const auto read = DecodeJob(EncodeJob(job));
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(*read, job);
  EXPECT_EQ(ReceiptJson(job).dump().find(job.vehicle_ref), std::string::npos);
  EXPECT_EQ(ReceiptText(job).find(job.vehicle_ref), std::string::npos);
  EXPECT_EQ(TimeText(kErasureNow), "2027-01-15T08:00:00Z");
}

TEST(ErasureJobTest, WhatIsNoJobIsRefused) {
  const std::string good = EncodeJob({.id = "0123456789abcdef",
                                      .tag = std::string(64, 'a'),
                                      .vehicle_ref = {},
                                      .basis = "b",
                                      .asked_by = "u",
                                      .asked_at = kErasureNow,
                                      .closed_at = {},
                                      .lines = {}});
  const auto with = [&good](const std::string& from, const std::string& to) {
    std::string changed = good;
    const std::size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return changed.replace(at, from.size(), to);
  };
  for (const std::string& bad :
       {std::string("{}"), std::string("[1]"), good.substr(0, 50),
        with("\"asked_at_us\": 18", "\"asked_at_us\": \"18"),
        with("0123456789abcdef", "../../etc/passwd"), with("\"lines\": []", "\"lines\": [1]")}) {
    EXPECT_EQ(DecodeJob(bad).error().code, Code::kCorrupt) << bad;
  }
  EXPECT_EQ(DecodeJob(with("\"min_reader\": 1", "\"min_reader\": 2")).error().code,
            Code::kUnsupported);
}

}  // namespace
}  // namespace telltale::app
