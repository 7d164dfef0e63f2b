#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>

#include "sim/car.h"
#include "sim/drives/drive.h"
#include "sim/synthetic.h"

namespace telltale::sim {
namespace {

telltale::v1::ReportBatch Parse(const Outgoing& out) {
  telltale::v1::ReportBatch batch;
  EXPECT_TRUE(batch.ParseFromString(out.payload));
  return batch;
}

TimedReport Quiet(std::int64_t at_us) {
  TimedReport moment;
  moment.at_us = at_us;
  moment.report.set_speed_kmh(50);
  return moment;
}

class CarTest : public testing::Test {
 protected:
  void Take(const TimedReport& moment) {
    car.Take(moment, Micros{moment.at_us}, Micros{moment.at_us});
  }
  // The first report of a boot leaves at once: its edge fields have just become known.
  void TakeFirst() {
    Take(Quiet(0));
    const Outgoing* out = car.NextToSend();
    ASSERT_NE(out, nullptr);
    ASSERT_TRUE(car.OnPubAck(out->packet_id, Micros{0}));
  }
  Record record;
  Car car{{.vin = "TTSM0000000000000", .firmware = "1.0.0"}, record};
};

// What identities a car has, and what it loses in a restart, follows from its seed and its time.
TEST(CarSeedTest, WhenAcknowledgementsComeChangesNoBootAndNoFault) {
  const auto sent = [](bool is_slow) {
    Record record;
    Car car({.vin = "TTSM0000000000000",
             .firmware = "1.0.0",
             .seed = 5,
             .repeats_per_mille = 500,
             .malformed_per_mille = 100},
            record);
    std::set<std::tuple<std::uint64_t, std::uint64_t, bool>> reports;
    const auto drain = [&](std::int64_t now_us) {
      while (const Outgoing* out = car.NextToSend()) {
        const auto batch = Parse(*out);
        for (const auto& report : batch.reports()) {
          reports.emplace(batch.boot_random(), report.seq(), report.has_event_time_us());
        }
        EXPECT_TRUE(car.OnPubAck(out->packet_id, Micros{now_us}));
      }
    };
    for (int i = 0; i < 400; ++i) {
      TimedReport moment = Quiet(i * 300'000);
      moment.boot = moment.loses_buffer = i % 77 == 76;
      if (!is_slow) car.Tick(Micros{moment.at_us - 1});  // a timer comes now and then
      car.Take(moment, Micros{moment.at_us}, Micros{moment.at_us});
      if (!is_slow || i % 100 == 99) drain(moment.at_us);
    }
    car.Flush(Micros{400 * 300'000});
    drain(400 * 300'000);
    return reports;
  };
  EXPECT_EQ(sent(false), sent(true));
}

TEST_F(CarTest, SendsItsBufferEveryFiftyReports) {
  TakeFirst();
  for (int i = 1; i <= 49; ++i) Take(Quiet(i * 1000));
  EXPECT_EQ(car.NextToSend(), nullptr);
  Take(Quiet(50'000));
  const Outgoing* out = car.NextToSend();
  ASSERT_NE(out, nullptr);
  EXPECT_EQ(Parse(*out).reports_size(), 50);
}

TEST_F(CarTest, SendsItsBufferAfterTenSeconds) {
  TakeFirst();
  Take(Quiet(1'000'000));
  car.Tick(Micros{10'999'999});
  EXPECT_EQ(car.NextToSend(), nullptr);
  car.Tick(Micros{11'000'000});
  EXPECT_NE(car.NextToSend(), nullptr);
}

TEST_F(CarTest, SendsAtOnceWhileAccelerationIsHardAndForTheReportAfter) {
  TakeFirst();
  Take(Quiet(1000));
  TimedReport hard = Quiet(2000);
  hard.report.set_acceleration_longitudinal_mps2(-2.5f);
  Take(hard);
  const Outgoing* out = car.NextToSend();
  ASSERT_NE(out, nullptr);
  EXPECT_EQ(Parse(*out).reports_size(), 2);
  Take(Quiet(3000));
  out = car.NextToSend();
  ASSERT_NE(out, nullptr) << "the report after is still urgent";
  Take(Quiet(4000));
  EXPECT_EQ(car.NextToSend(), nullptr);
}

TEST_F(CarTest, SendsAtOnceWhenAnyWarningChangesEitherWay) {
  TakeFirst();
  TimedReport hazard = Quiet(1000);
  hazard.report.set_is_hazard_light_on(true);
  Take(hazard);
  ASSERT_NE(car.NextToSend(), nullptr);
  hazard.at_us = 2000;
  Take(hazard);
  EXPECT_EQ(car.NextToSend(), nullptr) << "nothing changed";
  Take(Quiet(3000));  // unset counts as false
  EXPECT_NE(car.NextToSend(), nullptr);
}

TEST_F(CarTest, NamesThePreviousBootUntilTheFirstPubAck) {
  TakeFirst();
  TimedReport reboot = Quiet(5000);
  reboot.boot = true;
  Take(reboot);
  const Outgoing* out = car.NextToSend();
  ASSERT_NE(out, nullptr);
  EXPECT_EQ(Parse(*out).boot_counter(), 2u);
  EXPECT_EQ(Parse(*out).previous_boot_counter(), 1u);
  EXPECT_EQ(Parse(*out).previous_last_seq(), 0u);
  EXPECT_EQ(Parse(*out).reports(0).seq(), 0u);
  ASSERT_TRUE(car.OnPubAck(out->packet_id, Micros{6000}));
  car.Take(Quiet(7000), Micros{7000}, Micros{7000});
  car.Flush(Micros{7000});
  out = car.NextToSend();
  ASSERT_NE(out, nullptr);
  EXPECT_FALSE(Parse(*out).has_previous_boot_counter());
}

TEST_F(CarTest, WhatWasInFlightIsSentAgainInOrderOnTheNextConnection) {
  TakeFirst();
  for (int i = 1; i <= 3; ++i) {
    Take(Quiet(i * 1000));
    car.Flush(Micros{i * 1000});
  }
  const std::uint64_t first = car.NextToSend()->first_seq;
  const std::uint64_t second = car.NextToSend()->first_seq;
  car.OnDisconnected();
  const Outgoing* again = car.NextToSend();
  EXPECT_TRUE(again->again);
  EXPECT_EQ(again->first_seq, first);
  EXPECT_EQ(car.NextToSend()->first_seq, second);
  const Outgoing* fresh = car.NextToSend();
  EXPECT_FALSE(fresh->again);
  EXPECT_FALSE(car.OnPubAck(60'000, Micros{0}));
}

TEST(SyntheticSourceTest, TheSameSeedDrivesTheSameTrip) {
  SyntheticSource a(PlanVehicle(7, 1), {});
  SyntheticSource b(PlanVehicle(7, 1), {});
  TimedReport x;
  TimedReport y;
  int reports = 0;
  while (a.Next(x)) {
    ASSERT_TRUE(b.Next(y));
    ASSERT_EQ(x.report.SerializeAsString(), y.report.SerializeAsString());
    ++reports;
  }
  EXPECT_EQ(reports, 300);
}

TEST(SyntheticSourceTest, AFleetHasEveryFaultAndBothFirmwareVersions) {
  std::set<std::string> firmwares;
  int hard = 0;
  int aeb = 0;
  int unknown_fields = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    const VehiclePlan plan = PlanVehicle(7, i);
    firmwares.insert(plan.firmware);
    SyntheticSource source(plan, {});
    TimedReport moment;
    while (source.Next(moment)) {
      if (moment.report.acceleration_longitudinal_mps2() < -3.92f) ++hard;
      if (moment.report.is_aeb_engaged()) ++aeb;
      const auto& report = moment.report;
      if (!report.GetReflection()->GetUnknownFields(report).empty()) ++unknown_fields;
      EXPECT_EQ(moment.report.has_acceleration_vertical_mps2(), plan.firmware == kNewFirmware);
      EXPECT_LT(std::abs(moment.report.acceleration_longitudinal_mps2()), 12.0f);
      EXPECT_LT(moment.report.speed_kmh(), 70.0f);
    }
  }
  EXPECT_EQ(firmwares.size(), 2u);
  EXPECT_GT(hard, 0);
  EXPECT_GT(aeb, 0);
  EXPECT_GT(unknown_fields, 0);
}

TEST(SyntheticSourceTest, ATripEndsAndAnotherBegins) {
  SyntheticOptions options;
  options.duration_us = 900'000'000;
  SyntheticSource source(PlanVehicle(7, 0), options);
  TimedReport moment;
  std::uint32_t cycles = 0;
  while (source.Next(moment)) cycles = std::max(cycles, moment.report.ignition_cycle());
  EXPECT_GE(cycles, 2u);
}

TEST(GunzipTest, ACutFileIsAnErrorAndNotACrash) {
  EXPECT_EQ(Gunzip("\x1f\x8b\x08").error().code, Code::kCorrupt);
  EXPECT_EQ(Gunzip("").error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace telltale::sim
