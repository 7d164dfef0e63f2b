#include "sim/mirror_car.h"

namespace telltale::sim {

MirrorCar::MirrorCar(Plan plan, net::TlsContext context, Road& road)
    : plan_(std::move(plan)),
      car_(plan_.car, road.record),
      link_(car_, std::move(context), road,
            {.is_done = [this] { return leaves_ && car_.idle(); },
             .waits = [] { return std::chrono::milliseconds(0); }}) {
  link_.ConnectAfter(std::chrono::milliseconds(0));
}

sequence::Verdict MirrorCar::See(const log::RecordView& record) {
  const std::size_t boots = seen_.boots().size();
  const auto verdict =
      seen_.See(record.header.boot, record.header.seq, record.header.content_hash, record.log_time);
  // A late report of an earlier boot begins none.
  has_new_boot_ = has_new_boot_ || seen_.boots().size() > boots;
  return verdict;
}

void MirrorCar::Take(telltale::v1::Report report, const log::RecordView& record, Micros now) {
  TimedReport moment;
  moment.report = std::move(report);
  moment.boot = has_new_boot_;
  has_new_boot_ = false;
  car_.Take(moment, now, record.header.event_time);
  ++taken_;
  link_.Pump();
}

void MirrorCar::Tick(Micros now) {
  car_.Tick(now);
  link_.Pump();
}

void MirrorCar::Leave(Micros now) {
  leaves_ = true;
  car_.Flush(now);
  link_.Pump();
}

}  // namespace telltale::sim
