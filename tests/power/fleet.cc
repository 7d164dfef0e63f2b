#include "fleet.h"

#include "telltale/v1/telemetry.pb.h"

namespace telltale::power {

Car::Car(std::uint8_t number, std::uint64_t boot_random) : number_(number), boot_{1, boot_random} {
  vehicle_.ref.bytes[7] = number;  // the partition
  vehicle_.ref.bytes[15] = number;
  vehicle_.ref.bytes[0] = 1;  // zeros are no vehicle
}

Batch Car::Make(Random& random, Micros now) {
  Batch batch;
  batch.first = next_seq_;
  batch.count = 1 + random.Below(4);
  v1::ReportBatch message;
  message.set_boot_counter(boot_.counter);
  message.set_boot_random(boot_.random);
  message.set_firmware("1.0.0");
  for (std::uint64_t i = 0; i < batch.count; ++i) {
    v1::Report& report = *message.add_reports();
    report.set_seq(next_seq_);
    report.set_event_time_us(now.value + static_cast<std::int64_t>(i));
    report.set_speed_kmh(50);
    report.set_is_fcw_warning(next_seq_ % 3 == 0);  // every third opens or closes an alert
    report.set_latitude_deg(48.0 + number_);
    report.set_longitude_deg(11.5);
    ++next_seq_;
  }
  batch.payload = message.SerializeAsString();
  return batch;
}

const Batch& Car::Next(Random& random, Micros now) {
  if (unsent_.empty()) unsent_.push_back(Make(random, now));
  return unsent_.front();
}

void Car::Sent(CommitNumber commit) {
  waiting_.emplace_back(std::move(unsent_.front()), commit);
  unsent_.pop_front();
}

void Car::Release(CommitNumber durable) {
  while (!waiting_.empty() && waiting_.front().second <= durable) {
    const Batch& batch = waiting_.front().first;
    for (std::uint64_t i = 0; i < batch.count; ++i) acked_.emplace(number_, batch.first + i);
    waiting_.pop_front();
  }
}

void Car::Break() {
  while (!waiting_.empty()) {
    unsent_.push_front(std::move(waiting_.back().first));
    waiting_.pop_back();
  }
}

}  // namespace telltale::power
