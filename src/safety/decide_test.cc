#include <gtest/gtest.h>

#include <limits>

#include "safety/safety.h"

namespace telltale::safety {
namespace {

constexpr std::uint8_t kFirst = kSlotsFixed;
constexpr std::uint8_t kSecond = kSlotsFixed + 1;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();  // here: field absent

Rule Braking() {
  Rule rule;
  rule.name = "hard_braking";
  rule.slots = {kFirst};
  rule.direction = Direction::kBelow;
  rule.enter = 4;
  rule.leave = 3.2;
  rule.hold = Micros{200'000};
  rule.gap = Micros::Seconds(10);
  rule.severity = {{4, Severity::kMedium}, {6, Severity::kHigh}};
  return rule;
}

Rule Edge() {
  Rule rule = Braking();
  rule.name = "warning";
  rule.has_peak = false;
  rule.direction = Direction::kAbove;
  rule.enter = rule.leave = 0.5;
  rule.hold = Micros{0};
  return rule;
}

// Feeds one rule report by report; says what happened as text: "open", "close@<ms>", both or "".
class Track {
 public:
  explicit Track(Rule rule) : rule_(std::move(rule)) {}

  std::string At(std::int64_t ms, double first, double speed = 50, double second = kNan) {
    Values values;
    const auto put = [&values](std::uint8_t slot, double value) {
      if (value != value) return;
      values.number[slot] = value;
      values.present |= std::uint64_t{1} << slot;
    };
    put(kFirst, first);
    put(kSecond, second);
    put(kSlotSpeed, speed);
    const Report report{
        .boot = boot, .seq = seq++, .event_time = Micros{ms * 1000}, .values = &values};
    const Decision decision = Decide(state_, report, rule_);
    const Decision again = Decide(state_, report, rule_);
    EXPECT_EQ(decision.next, again.next) << "Decide is pure";
    state_ = decision.next;
    std::string said;
    for (std::uint8_t n = 0; n < decision.count; ++n) {
      last = decision.changes[n];
      if (!said.empty()) said += " ";
      said += last.closed ? "close@" + std::to_string(last.ended_at.value / 1000) : "open";
    }
    return said;
  }

  BootId boot{1, 1};
  std::uint64_t seq = 0;
  Change last;

 private:
  Rule rule_;
  Episode state_;
};

TEST(DecideTest, OpensWhenTheLevelWasHeldAndNamesTheFirstReport) {
  Track car(Braking());
  EXPECT_EQ(car.At(0, -1), "");
  EXPECT_EQ(car.At(100, -4), "") << "exactly the level counts; held for 0 ms";
  EXPECT_EQ(car.At(200, -5), "");
  EXPECT_EQ(car.At(299, -4.5), "") << "199 ms";
  EXPECT_EQ(car.At(300, -4.1), "open") << "200 ms";
  EXPECT_EQ(car.last.episode.first_seq, 1u);
  EXPECT_EQ(car.last.episode.started_at, Micros{100'000});
  EXPECT_EQ(car.last.episode.peak, 5);
  EXPECT_EQ(car.last.episode.surroundings.speed_kmh, 50.0f);
}

TEST(DecideTest, OneReportUnderTheLevelBeforeCompletionStartsOver) {
  Track car(Braking());
  EXPECT_EQ(car.At(0, -5), "");
  EXPECT_EQ(car.At(100, -3.9), "") << "over the reset level, but not held";
  EXPECT_EQ(car.At(200, -5), "");
  EXPECT_EQ(car.At(300, -5), "");
  EXPECT_EQ(car.At(400, -5), "open");
  EXPECT_EQ(car.last.episode.first_seq, 2u);
}

TEST(DecideTest, StaysOneEpisodeUntilUnderTheResetLevel) {
  Track car(Braking());
  car.At(0, -5);
  EXPECT_EQ(car.At(200, -5), "open");
  EXPECT_EQ(car.At(300, -3.3), "");
  EXPECT_EQ(car.At(400, -6.5), "") << "the peak goes on rising";
  EXPECT_EQ(car.At(500, -3.2), "") << "exactly the reset level still holds";
  EXPECT_EQ(car.At(600, -3.1), "close@600");
  EXPECT_EQ(car.last.episode.peak, 6.5);
  EXPECT_EQ(SeverityOf(Braking(), car.last.episode.peak), Severity::kHigh);
  EXPECT_EQ(SeverityOf(Braking(), 4), Severity::kMedium);
  EXPECT_EQ(car.At(700, -3.1), "") << "closed once";
}

TEST(DecideTest, TheSignOfTheDirectionDecides) {
  Track braking(Braking());
  braking.At(0, 9);
  EXPECT_EQ(braking.At(1000, 9), "") << "hard acceleration is not braking";
  Rule either = Braking();
  either.direction = Direction::kMagnitude;
  Track car(either);
  car.At(0, 9);
  EXPECT_EQ(car.At(1000, -9), "open");
}

TEST(DecideTest, SeveralFieldsGiveTheLargestMeasureOfThoseThere) {
  Rule rule = Braking();
  rule.direction = Direction::kMagnitude;
  rule.slots = {kFirst, kSecond};
  rule.hold = Micros{0};
  Track car(rule);
  EXPECT_EQ(car.At(0, 1, 50, -2), "");
  EXPECT_EQ(car.At(100, kNan, 50, -4.5), "open");
  EXPECT_EQ(car.At(200, 3.5, 50, 0), "") << "the other axis holds it";
  EXPECT_EQ(car.At(300, 3.0, 50, 0), "close@300");
}

TEST(DecideTest, SpeedIsAskedWhereTheEpisodeStarts) {
  Rule rule = Braking();
  rule.minimum_speed = 15;
  Track car(rule);
  car.At(0, -5, 14.9);
  EXPECT_EQ(car.At(300, -5, kNan), "") << "unknown speed is not fast enough";
  EXPECT_EQ(car.At(400, -5, 15), "");
  EXPECT_EQ(car.At(600, -5, 3), "open") << "it may slow down within";
  EXPECT_EQ(car.last.episode.first_seq, 2u);
}

TEST(DecideTest, AGapEndsTheEpisodeAtItsLastReport) {
  Track car(Braking());
  car.At(0, -5);
  EXPECT_EQ(car.At(200, -5), "open");
  EXPECT_EQ(car.At(10'200, -5), "") << "10 s are not longer than 10 s";
  EXPECT_EQ(car.At(20'201, -5), "close@10200");
  EXPECT_EQ(car.At(20'401, -5), "open") << "and the next one begins";
}

TEST(DecideTest, AGapAlsoBreaksAHold) {
  Track car(Braking());
  car.At(0, -5);
  EXPECT_EQ(car.At(10'001, -5), "");
  EXPECT_EQ(car.At(10'201, -5), "open");
  EXPECT_EQ(car.last.episode.started_at, Micros{10'001'000});
}

TEST(DecideTest, OneReportCanEndOneEpisodeAndOpenTheNext) {
  Track car(Edge());
  EXPECT_EQ(car.At(0, 1), "open");
  EXPECT_EQ(car.At(60'000, 1), "close@0 open");
  EXPECT_EQ(car.last.episode.first_seq, 1u);
}

TEST(DecideTest, AFlagOpensOnTrueAlsoAsTheFirstWordAndClosesOnFalse) {
  Track car(Edge());
  EXPECT_EQ(car.At(0, 1), "open");
  EXPECT_EQ(car.At(100, 1), "");
  EXPECT_EQ(car.At(200, kNan), "") << "a report without the flag says nothing";
  EXPECT_EQ(car.At(300, 0), "close@300");
  EXPECT_EQ(car.At(400, 0), "");
  EXPECT_EQ(car.At(500, 1), "open");
}

TEST(DecideTest, AFlagThatIsNotHeardOfAgainEndsByTheGap) {
  Track car(Edge());
  EXPECT_EQ(car.At(0, 1), "open");
  EXPECT_EQ(car.At(10'000, kNan), "");
  EXPECT_EQ(car.At(10'001, kNan), "close@0");
}

TEST(DecideTest, ANewBootEndsWhatTheOldOneBegan) {
  Track car(Edge());
  EXPECT_EQ(car.At(0, 1), "open");
  EXPECT_EQ(car.At(50, 1), "");
  car.boot = {2, 9};
  car.seq = 0;
  EXPECT_EQ(car.At(100, 1), "close@50 open");
  EXPECT_EQ(car.last.episode.boot, (BootId{2, 9}));

  Track pending(Braking());
  pending.At(0, -5);
  pending.boot = {2, 9};
  EXPECT_EQ(pending.At(200, -5), "") << "a hold does not reach over a reboot";
}

TEST(DecideTest, EqualTimesAreEvaluated) {
  Track car(Edge());
  EXPECT_EQ(car.At(0, 1), "open");
  EXPECT_EQ(car.At(0, 0), "close@0");
}

}  // namespace
}  // namespace telltale::safety
