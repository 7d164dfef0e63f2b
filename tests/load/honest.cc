#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "loads.h"
#include "reports.h"

namespace telltale::load {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPace{1};  // how finely batches fall due; counted into the latency
constexpr std::string_view kTopic = "telltale/v1/reports";

class HonestCar final : public Client {
 public:
  HonestCar(Run& run, const net::TlsContext& tls, std::uint64_t boot)
      : Client(run, tls, "honest"), boot_(boot) {}

  std::function<void()> on_accepted;
  std::function<void(Micros due, std::size_t phase)> on_ack;
  std::function<void(const Error&)> on_gone;

  void Publish(Micros due, std::size_t phase, int reports) {
    if (!is_accepted()) return;  // is gone: counted there
    v1::ReportBatch batch;
    batch.set_boot_counter(1);
    batch.set_boot_random(boot_);
    batch.set_firmware("2.0.0");
    const Micros now = run().clock.NowUtc();
    for (int i = 0; i < reports; ++i) FillReport(*batch.add_reports(), seq_++, now);
    packet_id_ =
        packet_id_ == 0xFFFF ? std::uint16_t{1} : static_cast<std::uint16_t>(packet_id_ + 1);
    under_way_.push_back({packet_id_, due, phase, seq_});
    std::string bytes;
    gateway::AppendPublish(
        bytes, {.topic = kTopic, .payload = batch.SerializeAsString(), .packet_id = packet_id_});
    Send(bytes);
  }

  std::uint64_t boot() const { return boot_; }
  std::uint64_t acked_reports() const { return acked_reports_; }
  bool is_quiet() const { return under_way_.empty(); }

 private:
  struct UnderWay {
    std::uint16_t packet_id;
    Micros due;
    std::size_t phase;
    std::uint64_t next_seq;
  };

  void OnAccepted() override { on_accepted(); }
  // PUBACKs come in the order of the PUBLISHes.
  void OnPubAck(std::uint16_t packet_id) override {
    if (under_way_.empty() || under_way_.front().packet_id != packet_id) return;
    const UnderWay done = under_way_.front();
    under_way_.pop_front();
    acked_reports_ = done.next_seq;
    on_ack(done.due, done.phase);
  }
  void OnGone(const Error& why) override { on_gone(why); }

  const std::uint64_t boot_;
  std::uint64_t seq_ = 0;
  std::uint64_t acked_reports_ = 0;
  std::uint16_t packet_id_ = 0;
  std::deque<UnderWay> under_way_;
};

class Honest {
 public:
  Honest(Run& run, const std::vector<net::TlsContext>& cars, const HonestOptions& options)
      : run_(run), options_(options), timer_(run.loop) {
    SeededRandom random(run.seed);
    for (const net::TlsContext& tls : cars) {
      auto car = std::make_unique<HonestCar>(run, tls, random.NextU64());
      car->on_accepted = [this] { ConnectNext(); };
      car->on_ack = [this](Micros due, std::size_t phase) {
        ++acked_;
        took_us_[phase].push_back((run_.Now() - due).value);
      };
      car->on_gone = [this](const Error& why) {
        ++gone_;
        fmt::print(stderr, "honest: {}\n", why.ToString());
      };
      cars_.push_back(std::move(car));
    }
    took_us_.emplace_back();
    names_.emplace_back("start");
  }

  void ConnectNext() {
    if (connected_ < cars_.size()) {
      const Status opened = cars_[connected_++]->Open();
      CHECK(opened.ok());
      return;
    }
    Report({{"connected", cars_.size()}});
    began_ = run_.Now();
    timer_.Every(kPace, [this] { Turn(); });
  }

  void BeginPhase(const std::string& name) {
    names_.push_back(name);
    took_us_.emplace_back();
  }

  // Nothing more is due; ends the loop when the last one is acknowledged or patience is over.
  void Drain() {
    timer_.Cancel();
    const Micros began = run_.Now();
    timer_.Every(milliseconds(20), [this, began] {
      const bool is_quiet =
          std::all_of(cars_.begin(), cars_.end(), [](const auto& car) { return car->is_quiet(); });
      if (!is_quiet && (run_.Now() - began).value < kHonestPatienceUs) return;
      timer_.Cancel();
      run_.loop.Stop();
    });
  }

  Status End() {
    nlohmann::json phases;
    for (std::size_t i = 0; i < names_.size(); ++i) phases[names_[i]] = Quantiles(took_us_[i]);
    std::string lines;
    for (std::size_t i = 0; i < cars_.size(); ++i) {
      lines += fmt::format("{} {:016x} {}\n", VinOf(options_.cars.first + i), cars_[i]->boot(),
                           cars_[i]->acked_reports());
    }
    PosixDisk disk;
    RETURN_IF_ERROR(WriteFileDurably(disk, options_.record, lines));
    Report({{"phases", phases}, {"sent", sent_}, {"acked", acked_}, {"gone", gone_}});
    return Ok();
  }

 private:
  Micros DueOf(std::uint64_t number) const {
    const double after_us = static_cast<double>(number) * 1e6 / options_.batches_per_second;
    return Micros{began_.value + static_cast<std::int64_t>(after_us)};
  }

  void Turn() {
    const Micros now = run_.Now();
    for (; DueOf(sent_) <= now; ++sent_) {
      cars_[sent_ % cars_.size()]->Publish(DueOf(sent_), names_.size() - 1,
                                           options_.reports_per_batch);
    }
  }

  Run& run_;
  const HonestOptions& options_;
  net::Timer timer_;
  std::vector<std::unique_ptr<HonestCar>> cars_;
  std::size_t connected_ = 0;
  Micros began_;
  std::uint64_t sent_ = 0;
  std::uint64_t acked_ = 0;
  std::uint64_t gone_ = 0;
  std::vector<std::string> names_;
  std::vector<std::vector<std::int64_t>> took_us_;  // by phase
};

}  // namespace

Status RunHonest(Run& run, const std::vector<net::TlsContext>& cars, const HonestOptions& options) {
  Honest honest(run, cars, options);
  run.loop.Post([&] { honest.ConnectNext(); });
  const Commands commands(run.loop, [&](const std::string& line) {
    if (line.starts_with("phase ")) honest.BeginPhase(line.substr(6));
    if (line == "drain") honest.Drain();
  });
  run.loop.Run();
  return honest.End();
}

}  // namespace telltale::load
