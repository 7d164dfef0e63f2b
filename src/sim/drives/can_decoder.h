// Frames of a vehicle's bus as values of the contract: OBD-II answers, J1939 groups, UDS answers
// and the frames of a GNSS receiver. What is decoded: docs/can.md.
#pragma once

#include <map>
#include <optional>
#include <string_view>

#include "sim/drives/candump_log.h"
#include "sim/drives/dbc.h"
#include "sim/drives/drive.h"
#include "sim/drives/iso_tp.h"
#include "sim/drives/j1939.h"
#include "sim/drives/j1939_tp.h"

namespace telltale::sim {

// The databases that lie beside a recording; each may be missing.
struct CanDatabases {
  std::optional<Dbc> j1939;
  std::optional<Dbc> uds;   // messages as ISO-TP delivers them, one byte of length before them
  std::optional<Dbc> gnss;  // of the receiver at the logger
};

class CanDecoder {
 public:
  explicit CanDecoder(CanDatabases databases);

  // Puts what the frame says into `report`. Counts it, and frames before it that were waiting for
  // it, unless they gave values: then the answer is how many they are. 0: no value.
  std::uint64_t Take(const CanFrame& frame, telltale::v1::Report& report, RowCounts& counts);
  // At the end: frames of messages that were never complete.
  std::uint64_t pending_frames() const;
  // Seconds UTC, when the frame is the receiver's valid time.
  std::optional<double> GnssTimeOf(const CanFrame& frame) const;

  bool has_obd() const { return has_obd_; }
  bool has_j1939() const { return has_j1939_; }
  bool has_traction_battery() const { return has_traction_battery_; }
  bool has_exhaust_fluid() const { return has_exhaust_fluid_; }  // diesel

 private:
  std::uint64_t TakeGnss(const DbcMessage& message, const CanFrame& frame,
                         telltale::v1::Report& report, RowCounts& counts);
  std::uint64_t TakeDiagnostic(const CanFrame& frame, telltale::v1::Report& report,
                               RowCounts& counts);
  bool TakeUds(std::uint32_t id, std::span<const std::uint8_t> message,
               telltale::v1::Report& report);
  std::uint64_t TakeJ1939(const CanFrame& frame, telltale::v1::Report& report, RowCounts& counts);

  CanDatabases databases_;
  J1939Decoder j1939_;
  J1939Tp j1939_tp_;
  std::map<std::uint32_t, IsoTp> iso_tp_;  // by id
  bool has_obd_ = false;
  bool has_j1939_ = false;
  bool has_wheel_speed_ = false;  // then the receiver's speed is not the vehicle's own
  bool has_traction_battery_ = false;
  bool has_exhaust_fluid_ = false;
};

}  // namespace telltale::sim
