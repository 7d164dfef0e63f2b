#include "sim/mirror.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <unordered_map>

#include "base/stop.h"
#include "sim/mirror_car.h"
#include "sim/mirror_generation.h"

namespace telltale::sim {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kReadEvery{20};
constexpr milliseconds kLookEvery{1000};
constexpr std::size_t kRecordsPerTurn = 4096;
// Reports that the other environment has not acknowledged: above it nothing is read.
constexpr std::uint64_t kUnacknowledgedMax = 200'000;
constexpr int kBootBitsOfASession = 16;

class Mirror {
 public:
  Mirror(MirrorParts parts, const MirrorOptions& options,
         const std::function<void(const MirrorProgress&)>& on_progress)
      : parts_(std::move(parts)),
        options_(options),
        on_progress_(on_progress),
        road_{.loop = loop_,
              .clock = parts_.reader.clock,
              .record = record_,
              .host = options.host,
              .port = options.port},
        reports_(parts_.contract_of, options.leave_out),
        read_timer_(loop_),
        look_timer_(loop_),
        repeats_(parts_.reader.counters.Drops("mirror", Reason::kDuplicate)),
        conflicts_(parts_.reader.counters.Drops("mirror", Reason::kSeqConflict)),
        taken_count_(parts_.reader.counters.Get("reports_taken")),
        acked_count_(parts_.reader.counters.Get("reports_acked")),
        pseudonyms_(parts_.reader.counters.Get("pseudonyms")),
        broken_(parts_.reader.counters.Drops("mirror", Reason::kReportMalformed)) {}

  Status Run() {
    RETURN_IF_ERROR(parts_.reader.disk.MakeFolders(options_.reader.state_dir, 0700));
    RETURN_IF_ERROR(BeginGeneration());
    ASSIGN_OR_RETURN(reader_, MirrorReader::Open(parts_.reader, options_.reader));
    checkpoint_ = reader_->positions();
    read_timer_.Every(kReadEvery, [this] { Keep(Turn()); });
    look_timer_.Every(kLookEvery, [this] { Keep(Look()); });
    loop_.Run();
    Report();
    return result_;
  }

 private:
  Micros Now() { return parts_.reader.clock.NowUtc(); }
  std::uint64_t Unacknowledged() const { return taken_ - road_.record.totals().reports_acked; }

  void Keep(const Status& status) {
    if (status.ok()) return;
    result_ = status;
    loop_.Stop();
  }

  Status BeginGeneration() {
    const std::uint64_t before = generation_.number;
    ASSIGN_OR_RETURN(generation_,
                     TakeGeneration(parts_.reader.disk, options_.reader.state_dir + "/generation",
                                    parts_.random, Now(), options_.generation_hours));
    boots_before_ = generation_.sessions << kBootBitsOfASession;
    if (before != 0) spdlog::info("mirror: generation {} begins", generation_.number);
    for (auto& [ref, car] : cars_) Retire(std::move(car));
    cars_.clear();
    return Ok();
  }

  void Retire(std::unique_ptr<MirrorCar> car) {
    car->Leave(Now());
    leaving_.push_back(std::move(car));
  }

  // The key lives in memory alone and ends with the car.
  Result<net::TlsContext> ContextFor(const std::string& vin) {
    ASSIGN_OR_RETURN(net::CertificateAndKey issued, parts_.authority.IssueVehicle(vin, Now()));
    net::TlsPem pem;
    pem.ca = parts_.authority.certificate_pem();
    pem.certificate = std::move(issued.certificate_pem);
    pem.key = std::move(issued.key_pem);
    return net::TlsContext::ForClient(
        pem, {.ca = "the authority", .certificate = "a pseudonym", .key = "a pseudonym's key"});
  }

  Result<MirrorCar*> CarOf(const log::RecordView& record) {
    std::unique_ptr<MirrorCar>& car = cars_[record.header.vehicle];
    if (car != nullptr && car->firmware() == record.firmware) return car.get();
    std::unique_ptr<MirrorCar> former = std::move(car);
    const std::string vin = PseudonymOf(generation_.key, record.header.vehicle);
    ASSIGN_OR_RETURN(net::TlsContext context, ContextFor(vin));
    MirrorCar::Plan plan;
    plan.car.vin = vin;
    plan.car.firmware = std::string(record.firmware);
    plan.car.seed = parts_.random.NextU64();
    plan.car.boots_before = former != nullptr ? former->boots() : boots_before_;
    plan.distance_km = PseudonymDistanceKm(generation_.key, record.header.vehicle);
    car = std::make_unique<MirrorCar>(std::move(plan), std::move(context), road_);
    if (former == nullptr) {
      pseudonyms_.Add();
      parts_.introduce(vin, ClassOf(record));
    }
    // What a batch says of firmware holds for all of it: another one, another car.
    if (former != nullptr) {
      car->GoOnFrom(*former);
      Retire(std::move(former));
    }
    return car.get();
  }

  Status Take(const log::RecordView& record) {
    ASSIGN_OR_RETURN(MirrorCar * car, CarOf(record));
    const sequence::Verdict verdict = car->See(record);
    if (verdict == sequence::Verdict::kDuplicate) repeats_.Add();
    if (verdict == sequence::Verdict::kSeqConflict) conflicts_.Add();
    if (verdict != sequence::Verdict::kNew) return Ok();
    auto report = reports_.Encode(record, car->distance_km());
    if (!report.ok()) {
      if (report.error().code != Code::kInvalid) return report.error();
      broken_.Add();
      return Ok();
    }
    car->Take(std::move(report).value(), record, Now());
    ++taken_;
    return Ok();
  }

  Status Turn() {
    if (StopRequested()) ends_ = true;
    if (!ends_ && Unacknowledged() < kUnacknowledgedMax) {
      ASSIGN_OR_RETURN(const std::size_t count,
                       reader_->Read(kRecordsPerTurn, [this](const auto& r) { return Take(r); }));
      if (options_.once && (count == 0 || reader_->past_first_ends())) ends_ = true;
    }
    return ends_ ? End() : Ok();
  }

  // Lets everyone say all, then stops the loop.
  Status End() {
    if (ended_at_.value == 0) {
      ended_at_ = Now();
      waited_for_.clear();
      for (auto& [ref, car] : cars_) Retire(std::move(car));
      cars_.clear();
    }
    std::erase_if(leaving_, [](const auto& car) { return car->gone(); });
    if (!leaving_.empty() && Now().value - ended_at_.value <= options_.drain_us) return Ok();
    if (Unacknowledged() > 0) {
      // Its place stays where all before it is there: a next run sends the rest again.
      return Error{Code::kUnavailable,
                   fmt::format("{} reports were not acknowledged", Unacknowledged())};
    }
    RETURN_IF_ERROR(reader_->Save(reader_->positions()));
    loop_.Stop();
    return Ok();
  }

  Status Look() {
    const Micros now = Now();
    for (const auto& [ref, car] : cars_) car->Tick(now);
    if (!ends_) RETURN_IF_ERROR(MovePlace());
    // After MovePlace(): who is gone is no longer waited for there.
    std::erase_if(leaving_, [](const auto& car) { return car->gone(); });
    if (!ends_ && now >= generation_.ends_at) RETURN_IF_ERROR(BeginGeneration());
    Report();
    taken_count_.Add(taken_ - taken_count_.value());
    acked_count_.Add(record_.totals().reports_acked - acked_count_.value());
    return WriteCounters(options_.reader.state_dir, "counters", parts_.reader.counters);
  }

  // A place is good when all that was taken before it is acknowledged.
  Status MovePlace() {
    std::erase_if(waited_for_,
                  [](const auto& one) { return one.first->acknowledged() >= one.second; });
    if (!waited_for_.empty()) return Ok();
    RETURN_IF_ERROR(reader_->Save(checkpoint_));
    checkpoint_ = reader_->positions();
    const auto wait_for = [this](const std::unique_ptr<MirrorCar>& car) {
      if (car->acknowledged() < car->taken()) waited_for_.emplace_back(car.get(), car->taken());
    };
    for (const auto& [ref, car] : cars_) wait_for(car);
    for (const auto& car : leaving_) wait_for(car);
    return Ok();
  }

  void Report() {
    on_progress_({.generation = generation_.number,
                  .vehicles = cars_.size(),
                  .connected = road_.connected,
                  .records_read = parts_.reader.counters.Get("records_read").value(),
                  .reports_taken = taken_,
                  .reports_acknowledged = record_.totals().reports_acked});
  }

  MirrorParts parts_;
  const MirrorOptions& options_;
  const std::function<void(const MirrorProgress&)>& on_progress_;
  net::EventLoop loop_;
  Record record_;
  Road road_;
  MirrorReports reports_;
  MirrorGeneration generation_;
  std::uint32_t boots_before_ = 0;
  std::unique_ptr<MirrorReader> reader_;
  std::unordered_map<VehicleRef, std::unique_ptr<MirrorCar>, VehicleRefHash> cars_;
  std::vector<std::unique_ptr<MirrorCar>> leaving_;
  std::vector<log::Position> checkpoint_;
  std::vector<std::pair<const MirrorCar*, std::uint64_t>> waited_for_;
  net::Timer read_timer_;
  net::Timer look_timer_;
  Counter& repeats_;
  Counter& conflicts_;
  Counter& taken_count_;
  Counter& acked_count_;
  Counter& pseudonyms_;
  Counter& broken_;
  std::uint64_t taken_ = 0;
  bool ends_ = false;
  Micros ended_at_;
  Status result_;
};

}  // namespace

Status RunMirror(MirrorParts parts, const MirrorOptions& options,
                 const std::function<void(const MirrorProgress&)>& on_progress) {
  return Mirror(std::move(parts), options, on_progress).Run();
}

}  // namespace telltale::sim
