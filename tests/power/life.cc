#include "life.h"

#include <fmt/format.h>

#include "clerk.h"
#include "platform.h"

namespace telltale::power {
namespace {

constexpr int kLives = 3;
constexpr int kStepsPerLife = 120;
constexpr int kDrainTurnsMax = 10'000;

class Seed {
 public:
  explicit Seed(std::uint64_t seed) : random_(seed), platform_(disk_, clock_, seed) {
    for (std::uint8_t car = 0; car < kPartitions; ++car) cars_.emplace_back(car, seed * 16 + car);
    platform_.Install();
  }

  Outcome Run() {
    for (int life = 0; life < kLives && outcome_.problem.empty(); ++life) {
      // Small numbers cut the starts, large ones the work.
      disk_.FailAfter(random_.Below(2) == 0 ? random_.Below(250) : random_.Below(4000));
      Live();
      Cut();
      CheckStreams();
    }
    if (outcome_.problem.empty()) Settle();
    if (outcome_.problem.empty()) CheckResults();
    for (const Car& car : cars_) outcome_.acked += car.acked().size();
    outcome_.audited = audited_;
    outcome_.vehicles_answered = clerk_.answered();
    return outcome_;
  }

 private:
  void Fail(std::string what) {
    if (outcome_.problem.empty()) outcome_.problem = std::move(what);
  }
  // What may happen to a process: its disk fails. Anything else is a broken promise.
  bool Alive(const Status& status) {
    if (status.ok()) return true;
    const Code code = status.error().code;
    const bool of_the_disk = code == Code::kUnavailable || code == Code::kNotFound ||
                             code == Code::kOutcomeUnknown;  // of a database's commit
    if (!of_the_disk) Fail(status.error().ToString());
    return false;
  }
  template <typename T>
  bool Alive(const Result<T>& result) {
    return Alive(result.ok() ? Ok() : Status(result.error()));
  }

  void StartAll() {
    if (!Alive(platform_.StartGateway())) return;
    (void)Alive(platform_.StartWorker());
    (void)Alive(platform_.StartLake());
    (void)Alive(platform_.StartVault());
    (void)Alive(platform_.StartRegistry());
    (void)Alive(platform_.StartPublisher());
  }

  void Live() {
    StartAll();
    for (int step = 0; step < kStepsPerLife && outcome_.problem.empty(); ++step) {
      clock_.Advance(Micros{static_cast<std::int64_t>(random_.Below(300'000))});
      if (!platform_.gateway_runs()) return;
      GatewayStep();
      ConsumerStep();
      StoreStep();
    }
    (void)platform_.Sync();  // half-way acknowledgements, when the disk still works
    Release();
  }

  void GatewayStep() {
    for (Car& car : cars_) {
      if (random_.Below(2) == 0) Send(car);
    }
    if (random_.Below(3) != 0) platform_.Flush();
    if (random_.Below(4) == 0) (void)Alive(platform_.Sync());
    if (random_.Below(6) == 0) (void)Alive(platform_.Tick());
    Release();
  }

  void Send(Car& car) {
    const Batch& batch = car.Next(random_, clock_.NowUtc());
    const auto taken = platform_.Take(car.vehicle(), batch);
    if (!Alive(taken) || !taken->has_value()) return;
    car.Sent(**taken);
  }

  void Release() {
    for (Car& car : cars_) car.Release(platform_.Durable(car.vehicle()));
  }

  void ConsumerStep() {
    switch (random_.Below(8)) {
      case 0:
      case 1:
        if (platform_.worker_runs()) (void)Alive(platform_.StepWorker());
        break;
      case 2:
        if (platform_.worker_runs()) (void)Alive(platform_.SaveSnapshots());
        break;
      case 3:
        if (platform_.lake_runs()) (void)Alive(platform_.StepLake());
        break;
      case 4:
        if (platform_.lake_runs()) (void)Alive(platform_.CutLake());
        break;
      case 5:
        if (platform_.vault_runs()) (void)Alive(platform_.StepVault());
        break;
      case 6:
        if (platform_.vault_runs()) platform_.CommitVault();
        break;
      default:
        if (platform_.vault_runs()) AuditOnce();
    }
  }

  void StoreStep() {
    switch (random_.Below(24)) {
      case 0:
      case 1:
      case 2:
        if (platform_.registry_runs()) (void)Alive(clerk_.Import(platform_, random_));
        break;
      case 3:
        if (platform_.registry_runs()) (void)Alive(clerk_.Resolve(platform_, random_));
        break;
      case 4:
        platform_.StopRegistry();
        (void)Alive(platform_.StartRegistry());
        break;
      case 5:
        platform_.StopPublisher();
        (void)Alive(platform_.StartPublisher());
        break;
      case 6:
        if (platform_.publisher_runs()) (void)Alive(platform_.SavePublisherPositions());
        break;
      case 7:
      case 8:
      case 9:
      case 10:
        if (platform_.publisher_runs()) (void)Alive(platform_.StepPublisher());
        break;
      default:
        break;
    }
  }

  void AuditOnce() {
    const auto number = platform_.Audit();
    if (Alive(number)) audited_ = std::max(audited_, *number);
  }

  void Cut() {
    disk_.Crash(random_.NextU64());
    platform_.KillAll();
    disk_.FailNever();
    ++outcome_.cuts;
    for (Car& car : cars_) {
      car.Break();
      outcome_.resent += car.HasUnsent() ? 1 : 0;
    }
  }

  // Right after the cut, before a car says anything again.
  void CheckStreams() {
    const Status started = platform_.StartGateway();
    if (!started.ok()) return Fail("the gateway does not come back: " + started.error().ToString());
    Found found;
    const Status read = platform_.FindInStreams(found);
    if (!read.ok()) return Fail("a stream cannot be read: " + read.error().ToString());
    for (const Car& car : cars_) {
      for (const Identity& identity : car.acked()) {
        Expect(found.safety.contains(identity), "safety", identity);
        Expect(found.telemetry.contains(identity), "telemetry", identity);
        Expect(found.sealed.contains(identity), "sealed", identity);
      }
    }
    const Status vault = platform_.StartVault();
    if (!vault.ok()) return Fail("the vault does not come back: " + vault.error().ToString());
    const auto entries = platform_.AuditEntries();
    if (!entries.ok()) return Fail("audit: " + entries.error().ToString());
    if (*entries < audited_) Fail(fmt::format("audit: {} of {} entries", *entries, audited_));
    CheckStores();
  }

  void CheckStores() {
    const Status registry = platform_.StartRegistry();
    if (!registry.ok())
      return Fail("the registry does not come back: " + registry.error().ToString());
    const std::string vehicles = clerk_.Check(platform_);
    if (!vehicles.empty()) return Fail("vehicles: " + vehicles);
    const Status publisher = platform_.StartPublisher();
    if (!publisher.ok()) {
      return Fail("the publisher does not come back: " + publisher.error().ToString());
    }
    const auto alerts = platform_.CheckAlertStore();
    if (!alerts.ok()) return Fail("alerts.db: " + alerts.error().ToString());
    if (!alerts->empty()) Fail("alerts.db: " + *alerts);
  }

  void Expect(bool holds, const char* where, const Identity& identity) {
    if (!holds) {
      Fail(fmt::format("acknowledged and lost in {}: car {} seq {}", where, identity.first,
                       identity.second));
    }
  }

  void Settle() {
    StartAll();
    for (int turn = 0; AnyUnacked(); ++turn) {
      if (turn == kDrainTurnsMax) return Fail("cars cannot get their acknowledgements");
      for (Car& car : cars_) {
        if (car.HasUnsent()) Send(car);
      }
      if (!Alive(platform_.Sync())) return Fail("a sound disk fails");
      Release();
    }
    for (int turn = 0; turn < kDrainTurnsMax; ++turn) {
      clock_.Advance(Micros::Seconds(2));  // past every pause and pace
      const auto worker = platform_.StepWorker();
      const auto lake = platform_.StepLake();
      const auto vault = platform_.StepVault();
      const auto publisher = platform_.StepPublisher();
      if (!Alive(worker) || !Alive(lake) || !Alive(vault) || !Alive(publisher)) {
        return Fail("a sound disk fails");
      }
      if (!*worker && !*lake && !*vault && !*publisher) break;
    }
    clock_.Advance(Micros::Seconds(2));
    (void)Alive(platform_.StepWorker());  // marks of the last group
    (void)Alive(platform_.StepPublisher());
    platform_.CommitVault();
    if (!Alive(platform_.CutLake())) Fail("the last hand-off fails on a sound disk");
  }

  bool AnyUnacked() const {
    return std::any_of(cars_.begin(), cars_.end(), [](const Car& car) { return car.HasUnacked(); });
  }

  void CheckResults() {
    Found found;
    const Status read = platform_.FindInResults(found);
    if (!read.ok()) return Fail("a result cannot be read: " + read.error().ToString());
    std::uint64_t rows = 0;
    for (const Car& car : cars_) {
      for (const Identity& identity : car.acked()) {
        Expect(found.vault.contains(identity), "vault", identity);
        const auto row = found.rows.find(identity);
        Expect(row != found.rows.end(), "the lake", identity);
        if (row != found.rows.end() && row->second != 1) {
          Fail(fmt::format("car {} seq {} is {} rows", identity.first, identity.second,
                           row->second));
        }
        ++rows;
      }
    }
    if (found.rows.size() != rows) {
      Fail(fmt::format("{} rows for {} reports", found.rows.size(), rows));
    }
    if (found.alerts != found.expected_alerts) {
      Fail(fmt::format("{} outputs may be forwarded, {} are expected", found.alerts.size(),
                       found.expected_alerts.size()));
    }
    outcome_.alerts = found.alerts.size();
  }

  SeededRandom random_;
  SimDisk disk_;
  ManualClock clock_{kStart};
  Platform platform_;
  std::vector<Car> cars_;
  Clerk clerk_;
  std::uint64_t audited_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome RunSeed(std::uint64_t seed) { return Seed(seed).Run(); }

}  // namespace telltale::power
