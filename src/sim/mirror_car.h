// A vehicle of the mirrored environment: drives under a pseudonym what another one reports.
#pragma once

#include "log/record.h"
#include "sequence/sequence.h"
#include "sim/car.h"
#include "sim/car_link.h"

namespace telltale::sim {

// Loop's thread only.
class MirrorCar {
 public:
  struct Plan {
    CarOptions car;
    double distance_km = 0;  // see PseudonymDistanceKm()
  };
  // `road` must outlive it.
  MirrorCar(Plan plan, net::TlsContext context, Road& road);

  // The same vehicle before it: what was seen of its boots is known here.
  void GoOnFrom(MirrorCar& former) { seen_ = std::move(former.seen_); }
  // Whether this report of the vehicle is one that was not seen yet.
  sequence::Verdict See(const log::RecordView& record);
  // Numbers it and sends it when the protocol says so. A boot not seen before begins one here.
  void Take(telltale::v1::Report report, const log::RecordView& record, Micros now);
  void Tick(Micros now);
  // Nothing more comes: sends all and says goodbye.
  void Leave(Micros now);

  bool gone() const { return leaves_ && car_.idle() && !link_.is_open(); }
  std::uint64_t taken() const { return taken_; }
  std::uint64_t acknowledged() const { return taken_ - car_.unacknowledged_reports(); }
  double distance_km() const { return plan_.distance_km; }
  std::uint32_t boots() const { return car_.boots(); }
  const std::string& firmware() const { return plan_.car.firmware; }

 private:
  const Plan plan_;
  Car car_;
  CarLink link_;
  sequence::VehicleSequence seen_;
  bool has_new_boot_ = false;
  bool leaves_ = false;
  std::uint64_t taken_ = 0;
};

}  // namespace telltale::sim
