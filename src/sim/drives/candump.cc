// CAN log of a data logger, `candump -L` text: OBD-II, J1939 or UDS, with the logger's GNSS
// receiver on its second channel and its motion sensor in a table beside it. What the data's
// description and the data say, and what is done with it:
//   - which values are decoded, and from what: docs/can.md. Databases beside the log are used when
//     they are there (canmod-gps.dbc, tp_uds.dbc, CSS-Electronics-SAE-J1939-DEMO.dbc); without them
//     their frames are kForeign. Frames of ids that nothing describes are kForeign
//   - a frame holds one value or a few: those of a slot of 100 ms make one report. That is the rate
//     of most J1939 groups and finer than OBD polling (2 Hz); engine speed comes every 10 ms, the
//     last of a slot stands. The motion sensor's 100 Hz become the slot's mean
//   - OBD-II answers of one PID each, polled in turn: a report has the PIDs of its slot
//   - position: the receiver's own frames, so that each value has its own time and validity; the
//     table *_gps.csv is decoded from them and repeats the latest of what is older: not read, nor
//     are *_obd2.csv, *_dm1.csv and *_signals.csv. A position that is not valid (before the first
//     fix, stale; altitude -5400) is kInvalid. Speed is the receiver's unless the bus has wheel
//     speed (SPN 84); PID 0D is obd_speed_kmh beside it
//   - the logger's clock is ahead of UTC: by 4.4 s in the car, 7.6 s in the truck, in the middle
//     (*_gps.csv has a second less: its gnss_epoch is that of the next row). All times are moved by
//     the middle difference to the receiver's valid time. Without a receiver (the EV) the logger's
//     clock stands
//   - *_imu.csv: acceleration with gravity, in axes of the sensor, and how it was mounted is not
//     written. Up is where gravity says; the yaw rate around it agrees with the change of GNSS
//     heading (correlation 0.95, sign as ISO 8855; 0.4 deg/s offset at standstill, left in).
//     Forward is not known: no longitudinal or lateral acceleration. In the truck somebody takes
//     the sensor in hand after 88 s (250 deg/s in a parked truck): from there on kInvalid
//   - 30 of the EV's battery answers are a first frame that nothing follows: kMalformed, as every
//     message that is cut
//   - DM1: lamp and number of active codes. SPN and FMI do not fit the contract's text of a code
//   - a log whose ids nothing describes (the Toyota of comma2k19: no database; a quarter of its
//     frames are the recorder's own) gives one drive without a report, all frames kForeign
//   - no ignition signal: none is made up
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/drives/can_decoder.h"
#include "sim/drives/imu.h"
#include "sim/drives/lines.h"
#include "sim/drives/readers.h"
#include "sim/drives/slots.h"

namespace telltale::sim {
namespace {

constexpr std::int64_t kSlotUs = 100'000;
constexpr std::int64_t kYear2000Us = 946'684'800'000'000;

// A file that need not be there.
Result<std::optional<std::string>> OptionalBeside(const Source& source, const std::string& file) {
  auto text = source.Beside(file);
  if (text.ok()) return std::optional(std::move(*text));
  if (text.error().code == Code::kNotFound) return std::optional<std::string>();
  return text.error();
}

Result<std::optional<Dbc>> DatabaseBeside(const Source& source, const std::string& file) {
  ASSIGN_OR_RETURN(const auto text, OptionalBeside(source, file));
  if (!text) return std::optional<Dbc>();
  auto dbc = Dbc::Parse(*text);
  if (!dbc.ok()) return Annotate(dbc.error(), file);
  return std::optional(std::move(*dbc));
}

// How far the logger's clock is ahead of the receiver's. 0: there is none.
std::int64_t ClockAheadUs(const std::vector<CanFrame>& frames, const CanDecoder& decoder) {
  std::vector<std::int64_t> differences;
  for (const CanFrame& frame : frames) {
    const auto seconds = decoder.GnssTimeOf(frame);
    if (seconds) differences.push_back(frame.at_us - std::llround(*seconds * 1e6));
  }
  if (differences.empty()) return 0;
  const auto middle = differences.begin() + static_cast<std::ptrdiff_t>(differences.size() / 2);
  std::nth_element(differences.begin(), middle, differences.end());
  return *middle;
}

// The mean over the slot of what the motion sensor says.
class MotionOfSlot {
 public:
  explicit MotionOfSlot(const std::vector<ImuSample>& samples) : mount_(ImuMount::Of(samples)) {}

  void Take(const ImuSample& sample, std::int64_t at_us, SlotJoiner& slots, RowCounts& counts) {
    if (!mount_ || sample.at_us >= mount_->moved_at_us()) {
      counts.DropValue(ValueDrop::kInvalid, 6);
      return counts.Drop(RowDrop::kNothing);
    }
    telltale::v1::Report* report = slots.Open(at_us);
    if (report == nullptr) return counts.Drop(RowDrop::kBackwards);
    if (slots.slot() != slot_) {
      slot_ = slots.slot();
      samples_ = 0;
      yaw_ = 0;
      vertical_ = 0;
    }
    ++samples_;
    yaw_ += mount_->YawRateDps(sample);
    vertical_ += mount_->VerticalMps2(sample);
    report->set_yaw_rate_dps(static_cast<float>(yaw_ / samples_));
    report->set_acceleration_vertical_mps2(static_cast<float>(vertical_ / samples_));
    report->set_motion_source(telltale::v1::MOTION_SOURCE_IMU);
    slots.Added(at_us);
  }

 private:
  std::optional<ImuMount> mount_;
  std::int64_t slot_ = -1;
  double samples_ = 0;
  double yaw_ = 0;
  double vertical_ = 0;
};

void TakeFrame(const CanFrame& frame, std::int64_t at_us, CanDecoder& decoder, SlotJoiner& slots,
               RowCounts& counts) {
  telltale::v1::Report values;
  const std::uint64_t rows = decoder.Take(frame, values, counts);
  if (rows == 0) return;
  telltale::v1::Report* report = slots.Open(at_us);
  if (report == nullptr) return counts.Drop(RowDrop::kBackwards, rows);
  report->MergeFrom(values);
  slots.Added(at_us, rows);
}

Result<CanDecoder> DecoderFor(const Source& source) {
  CanDatabases databases;
  ASSIGN_OR_RETURN(databases.gnss, DatabaseBeside(source, "canmod-gps.dbc"));
  ASSIGN_OR_RETURN(databases.uds, DatabaseBeside(source, "tp_uds.dbc"));
  ASSIGN_OR_RETURN(databases.j1939, DatabaseBeside(source, "CSS-Electronics-SAE-J1939-DEMO.dbc"));
  return CanDecoder(std::move(databases));
}

void Describe(const CanDecoder& decoder, Drive& drive) {
  if (decoder.has_j1939()) {
    drive.vehicle_class = "truck";
  } else if (!decoder.has_obd() && !decoder.has_traction_battery()) {
    drive.vehicle_class = "unknown";
  }
  if (decoder.has_exhaust_fluid()) drive.fuel = "diesel";
  if (decoder.has_traction_battery()) drive.fuel = "electric";
}

}  // namespace

Result<std::vector<Drive>> ReadCandump(const Source& source) {
  std::vector<Drive> drives(1);
  Drive& drive = drives.front();
  std::string name = source.name;
  if (name.ends_with(".candump")) name.resize(name.size() - 8);
  drive.name = fmt::format("can-{}", name);
  std::vector<CanFrame> frames;
  ForEachLine(source.text, [&](std::string_view line, std::size_t) {
    const auto frame = ParseCandumpLine(line);
    if (frame) {
      frames.push_back(*frame);
    } else {
      drive.counts.Drop(RowDrop::kMalformed);
    }
  });
  if (frames.empty()) return Error{Code::kInvalid, "no line is a frame as candump writes it"};
  ASSIGN_OR_RETURN(CanDecoder decoder, DecoderFor(source));
  std::vector<ImuSample> samples;
  ASSIGN_OR_RETURN(const auto imu_text, OptionalBeside(source, name + "_imu.csv"));
  if (imu_text) {
    ASSIGN_OR_RETURN(samples, ReadImuTable(*imu_text, drive.counts));
  }
  MotionOfSlot motion(samples);
  SlotJoiner slots(drive, kSlotUs);
  const std::int64_t ahead_us = ClockAheadUs(frames, decoder);
  drive.is_dated = frames.front().at_us - ahead_us >= kYear2000Us;
  auto sample = samples.begin();
  const auto take_samples_until = [&](std::int64_t at_us) {
    for (; sample != samples.end() && sample->at_us < at_us; ++sample) {
      motion.Take(*sample, sample->at_us - ahead_us, slots, drive.counts);
    }
  };
  for (const CanFrame& frame : frames) {
    take_samples_until(frame.at_us);
    TakeFrame(frame, frame.at_us - ahead_us, decoder, slots, drive.counts);
  }
  take_samples_until(std::numeric_limits<std::int64_t>::max());
  slots.Close();
  drive.counts.Drop(RowDrop::kMalformed, decoder.pending_frames());
  Describe(decoder, drive);
  return drives;
}

}  // namespace telltale::sim
