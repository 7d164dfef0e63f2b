// Whatever a bus carries: frames, messages over transport protocols and databases are taken apart
// without reading beyond them, and every frame is told of once. The first byte chooses the parser.
#include "base/check.h"
#include "sim/drives/can_decoder.h"
#include "sim/drives/in_range.h"
#include "sim/drives/iso_tp.h"
#include "sim/drives/j1939_tp.h"
#include "sim/drives/lines.h"
#include "sim/drives/obd2.h"
#include "sim/drives/readers.h"

namespace {

using namespace telltale::sim;
using Bytes = std::span<const std::uint8_t>;

constexpr char kGnss[] =
    "BO_ 3 gnss_pos: 8 X\n SG_ Latitude : 1|28@1+ (1e-06,-90) [-90|90] \"deg\" X\n"
    " SG_ PositionValid : 0|1@1+ (1,0) [0|1] \"\" X\n"
    "BO_ 2 gnss_time: 6 X\n SG_ TimeValid : 0|1@1+ (1,0) [0|1] \"\" X\n"
    " SG_ Epoch : 8|40@1+ (0.001,1577840400) [0|0] \"sec\" X\n";
constexpr char kUds[] =
    "BO_ 2028 Battery: 62 X\n SG_ M_SID_0x220101_StateOfChargeBMS m257 : 64|8@1+ (0.5,0) [0|0] "
    "\"%\" X\n SG_ response m98M : 23|16@0+ (1,0) [0|0] \"unit\" X\n"
    " SG_ service M : 15|8@0+ (1,0) [0|0] \"\" X\n"
    "SG_MUL_VAL_ 2028 M_SID_0x220101_StateOfChargeBMS response 257-257;\n";

void CheckSums(const Drive& drive) {
  CHECK(drive.counts.rows == drive.reports.size() + drive.counts.dropped_rows());
}

void FuzzLog(const std::string& text) {
  static telltale::PosixDisk disk;
  const auto drives = ReadCandump({disk, "none/log", "none", "log", text});
  if (drives.ok()) CheckSums(drives->front());
  // The same frames with the databases at hand.
  CanDatabases databases;
  databases.gnss = *Dbc::Parse(kGnss);
  databases.uds = *Dbc::Parse(kUds);
  CanDecoder decoder(std::move(databases));
  RowCounts counts;
  std::uint64_t frames = 0;
  std::uint64_t used = 0;
  ForEachLine(text, [&](std::string_view line, std::size_t) {
    const auto frame = ParseCandumpLine(line);
    if (!frame) return;
    ++frames;
    telltale::v1::Report report;
    used += decoder.Take(*frame, report, counts);
    (void)decoder.GnssTimeOf(*frame);
  });
  CHECK(frames == used + counts.rows + decoder.pending_frames());
}

void FuzzDatabase(std::string_view text) {
  const std::size_t end = std::min(text.find('\0'), text.size());
  const auto dbc = Dbc::Parse(text.substr(0, end));
  if (!dbc.ok()) return;
  const std::string_view rest = text.substr(end);
  const Bytes data(reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size());
  for (const DbcMessage& message : dbc->messages()) {
    for (const DbcSignal& signal : message.signals) {
      (void)message.Has(signal, data);
      CHECK(signal.RawIn(data).has_value() == signal.ValueIn(data).has_value());
    }
  }
  RowCounts counts;
  telltale::v1::Report report;
  (void)J1939Decoder(*dbc).Take(61444, 0, data, report, counts);
}

// Frames of eight bytes, each behind a byte of time and one of address.
void FuzzTransports(Bytes data) {
  IsoTp iso_tp;
  J1939Tp j1939_tp;
  std::uint64_t frames = 0;
  std::uint64_t iso_told = 0;
  std::uint64_t j1939_told = 0;
  std::int64_t at_us = 0;
  const auto tell = [](const TransportStep& step, std::uint64_t& told) {
    told += step.frames + step.lost + (step.kind == TransportStep::Kind::kControl ? 1 : 0);
  };
  for (; data.size() >= 10; data = data.subspan(10)) {
    ++frames;
    at_us += data[0] * 10'000;
    const Bytes frame = data.subspan(2, data[1] % 5 == 4 ? data[1] % 8 : 8);
    tell(iso_tp.Take(at_us, frame), iso_told);
    const std::uint32_t group = data[1] % 2 == 0 ? J1939Tp::kConnection : J1939Tp::kData;
    tell(j1939_tp.Take(at_us, (group << 8) | (data[1] & 0x0F0F), frame), j1939_told);
    CHECK(iso_told + iso_tp.pending_frames() == frames);
    CHECK(j1939_told + j1939_tp.pending_frames() == frames);
  }
}

void FuzzMessages(Bytes data) {
  telltale::v1::Report report;
  const ObdAnswer answer = TakeObdAnswer(data, report);
  CHECK(answer.is_service_01 || answer.values == 0);
  // A PID can carry more than it may (5E above 3,212.75 L/h): the gate behind takes it off.
  RowCounts first;
  ClearOutOfRange(report, first);
  RowCounts second;
  ClearOutOfRange(report, second);
  CHECK(second.values_dropped[static_cast<std::size_t>(ValueDrop::kOutOfRange)] == 0);
  const auto dm1 = ReadDm1(data);
  CHECK(!dm1 || dm1->codes.size() <= data.size() / 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest(data + 1, size - 1);
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      FuzzLog(text);
      break;
    case 1:
      FuzzDatabase(text);
      break;
    case 2:
      FuzzTransports(rest);
      break;
    default:
      FuzzMessages(rest);
  }
  return 0;
}
