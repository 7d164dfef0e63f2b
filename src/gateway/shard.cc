#include "gateway/shard.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace telltale::gateway {
namespace {

constexpr std::chrono::milliseconds kTickEvery{100};
// With different client ids; one more closes one of them.
constexpr std::size_t kConnectionsPerVehicleMax = 8;

}  // namespace

// One config record on its way into this shard's partitions. Always answered, also when the shard
// stops first.
struct Shard::ConfigTask {
  CheckedConfig config;
  std::vector<Place> where;
  std::promise<Result<Entries>> promise;
  CommitNumber commit;
  Entries entries;
  bool is_answered = false;

  ~ConfigTask() { Answer(Error{Code::kUnavailable, "the shard stopped; send the config again"}); }
  void Answer(Result<Entries> result) {
    if (!std::exchange(is_answered, true)) promise.set_value(std::move(result));
  }
};

Shard::Shard(Options options, Parts parts, ContentKey content_key, std::function<void()> on_failed)
    : options_(options),
      parts_(std::move(parts)),
      on_failed_(std::move(on_failed)),
      closed_(parts_.counters.Get("connections_closed_total")),
      acks_(parts_.counters.Get("acks")),
      publishes_qos0_(parts_.counters.Get("publishes_qos0")),
      publishes_qos1_(parts_.counters.Get("publishes_qos1")),
      pauses_(parts_.counters.Get("reading_pauses")),
      vehicle_pauses_(parts_.counters.Get("reading_pauses_vehicle")),
      stalls_(parts_.counters.Get("log_stalls")),
      stalled_(parts_.counters.Get("log_stalled_shards")),
      processor_(options.batch,
                 {parts_.writer, *parts_.sealer, parts_.clock, parts_.counters, parts_.unknown},
                 content_key),
      choices_(parts_.writer, options.batch.partitions, parts_.taken) {
  parts_.writer.SetOnCommit([this](Result<CommitNumber> commit) { OnCommit(std::move(commit)); });
  parts_.writer.SetOnStall([this](const Status& status) { OnStall(status); });
  loop_.SetOnTurn([this] { OnTurn(); });
}

Shard::~Shard() { CHECK(!thread_.joinable()); }

void Shard::Start() {
  ticks_.Every(kTickEvery, [this] { OnTick(); });
  sweeps_.Every(options_.sweep_every, [this] { Sweep(); });
  thread_ = std::thread([this] { loop_.Run(); });
}

void Shard::Stop() {
  if (!thread_.joinable()) return;
  loop_.Post([this] { Drain(); });
  thread_.join();
}

void Shard::Drain() {
  is_draining_ = true;
  has_room_ = false;  // nothing more is read or taken
  for (auto& [ref, connection] : connections_) connection->Pause();
  if (const Status synced = parts_.writer.SyncNow(); !synced.ok()) {
    spdlog::error("gateway: shard {}: {}", options_.id.value, synced.error().ToString());
  }
  ReleaseAcks();
  for (auto& [ref, connection] : connections_) {
    connection->Finish(MqttCode::kServerShuttingDown);
  }
  closed_.Add(connections_.size());
  waiting_.clear();
  over_budget_.clear();
  connections_.clear();
  graveyard_.clear();
  TakeConfigsOn();
  configs_unstaged_.clear();
  configs_waiting_.clear();
  ticks_.Cancel();
  sweeps_.Cancel();
  loop_.Stop();
}

void Shard::Adopt(VehicleConnection::Arrived arrived) {
  loop_.Post([this, arrived = std::move(arrived)]() mutable { Admit(std::move(arrived)); });
}

void Shard::Admit(VehicleConnection::Arrived arrived) {
  if (is_draining_ || has_failed_) return closed_.Add();
  TakeOver(arrived.vehicle);
  // It may have come through the door just before its certificate was revoked, and missed
  // CloseRevoked() on its way here.
  if (parts_.trust != nullptr && parts_.trust->IsRevoked(*arrived.tls)) {
    CountRefused(Reason::kRevoked);
    return closed_.Add();
  }
  // The same client again: the older connection is dead or about to be [MQTT-3.1.4-2]. Scoped to
  // the vehicle: the certificate says who it is, the client id only which of its clients.
  const auto [first, last] = connections_.equal_range(arrived.vehicle.ref);
  const auto same = std::find_if(first, last, [&](const auto& entry) {
    return entry.second->client_hash() == arrived.client_hash;
  });
  if (same != last) Close(*same->second, Reason::kTakenOver, MqttCode::kSessionTakenOver);
  const VehicleRef ref = arrived.vehicle.ref;
  if (connections_.count(ref) >= kConnectionsPerVehicleMax) {
    Close(*connections_.equal_range(ref).first->second, Reason::kTakenOver,
          MqttCode::kQuotaExceeded);
  }
  const auto added =
      connections_.emplace(ref, std::make_unique<VehicleConnection>(*this, std::move(arrived)));
  VehicleConnection& connection = *added->second;
  if (const Status begun = connection.Begin(); !begun.ok()) {
    spdlog::error("gateway: {}", begun.error().ToString());
    Remove(connection);
  }
}

// Of all connections of a vehicle at once: none may go on with an older choice.
void Shard::TakeOver(Vehicle& vehicle) {
  vehicle = choices_.Apply(vehicle);
  if (vehicle.choice_number == 0) return;
  const auto [first, last] = connections_.equal_range(vehicle.ref);
  for (auto it = first; it != last; ++it) it->second->set_vehicle(vehicle);
}

void Shard::UpdateVehicle(VehicleRef former, const Vehicle& update) {
  loop_.Post([this, former, vehicle = update]() mutable {
    if (vehicle.ref == former) TakeOver(vehicle);
    const auto [first, last] = connections_.equal_range(former);
    std::vector<VehicleConnection*> found;
    for (auto it = first; it != last; ++it) found.push_back(it->second.get());
    for (VehicleConnection* connection : found) {
      if (vehicle.ref == former) {
        connection->set_vehicle(vehicle);
        continue;
      }
      // Another owner: another reference, perhaps another shard. The car comes back by itself.
      connection->Finish(MqttCode::kAdministrative);
      Remove(*connection);
    }
  });
}

void Shard::CloseRevoked() {
  loop_.Post([this] {
    if (parts_.trust == nullptr) return;
    const net::TlsContext tls = parts_.trust->current();
    std::vector<VehicleConnection*> revoked;
    for (auto& [ref, connection] : connections_) {
      if (tls.IsRevoked(connection->tls())) revoked.push_back(connection.get());
    }
    for (VehicleConnection* connection : revoked) {
      spdlog::info("gateway: vehicle {}: connection closed ({})", connection->vehicle().ref.ToHex(),
                   ReasonName(Reason::kRevoked));
      Close(*connection, Reason::kRevoked, MqttCode::kNotAuthorized);
    }
  });
}

Result<CommitNumber> Shard::Process(const Vehicle& vehicle, ByteSpan payload, std::uint8_t qos) {
  auto commit = processor_.Process(vehicle, payload, qos);
  if (!commit.ok()) {
    if (commit.error().code == Code::kOverloaded) CloseRoom();
    return commit;
  }
  (qos == 0 ? publishes_qos0_ : publishes_qos1_).Add();
  if (*commit <= parts_.writer.durable_commit()) is_release_due_ = true;
  if (!parts_.writer.HasRoom()) CloseRoom();
  return commit;
}

void Shard::AwaitDurable(VehicleConnection& connection) {
  if (!std::exchange(connection.is_listed, true)) waiting_.push_back(&connection);
}

void Shard::CountRefused(Reason reason) { parts_.counters.Drops("gateway", reason).Add(); }

void Shard::Close(VehicleConnection& connection, Reason reason, MqttCode code) {
  CountRefused(reason);
  connection.Finish(code);
  Remove(connection);
}

bool Shard::Spend(VehicleConnection& connection, std::size_t bytes, Micros now) {
  const auto [at, is_new] =
      budgets_.try_emplace(connection.vehicle().ref, options_.vehicle_rate, now);
  if (at->second.Spend(bytes, now)) return true;
  vehicle_pauses_.Add();
  over_budget_.push_back(&connection);
  return false;
}

void Shard::OpenBudgets() {
  const Micros now = now_monotonic();
  std::vector<VehicleConnection*> paused;
  paused.swap(over_budget_);
  for (VehicleConnection* connection : paused) {
    if (connection->is_over()) continue;  // left while another one resumed
    if (budgets_.at(connection->vehicle().ref).HasAny(now)) {
      connection->OnBudget();  // may read on, and leave
    } else {
      over_budget_.push_back(connection);
    }
  }
}

void Shard::ForgetBudgets(Micros now) {
  for (auto it = budgets_.begin(); it != budgets_.end();) {
    const bool is_idle = it->second.IsFull(now) && !connections_.contains(it->first);
    it = is_idle ? budgets_.erase(it) : std::next(it);
  }
}

void Shard::Remove(VehicleConnection& connection) {
  const auto [first, last] = connections_.equal_range(connection.vehicle().ref);
  const auto found = std::find_if(
      first, last, [&](const auto& entry) { return entry.second.get() == &connection; });
  if (found == last) return;
  closed_.Add();
  if (connection.is_listed) std::erase(waiting_, &connection);
  std::erase(over_budget_, &connection);
  graveyard_.push_back(std::move(found->second));
  connections_.erase(found);
}

void Shard::CloseRoom() {
  if (!std::exchange(has_room_, false)) return;
  pauses_.Add();
  for (auto& [ref, connection] : connections_) connection->Pause();
}

void Shard::OpenRoom() {
  if (has_room_ || is_held_ || is_draining_ || !parts_.writer.HasRoom()) return;
  has_room_ = true;
  // A connection may leave while it resumes; it stays in the graveyard until the turn ends.
  std::vector<VehicleConnection*> all;
  all.reserve(connections_.size());
  for (auto& [ref, connection] : connections_) all.push_back(connection.get());
  for (VehicleConnection* connection : all) connection->Resume();
}

void Shard::HoldReading(bool is_held) {
  loop_.Post([this, is_held] {
    is_held_ = is_held;
    is_held ? CloseRoom() : OpenRoom();
  });
}

// On the log's sync thread: at a stall's begin and at its end.
void Shard::OnStall(const Status& status) {
  is_stalled_ = !is_stalled_;
  const unsigned id = options_.id.value;
  if (is_stalled_) {
    stalls_.Add();
    stalled_.Add();
    return spdlog::error("gateway: shard {}: {}; vehicles wait until it has room", id,
                         status.error().ToString());
  }
  stalled_.Add(std::uint64_t{0} - 1);
  if (status.ok()) spdlog::info("gateway: shard {}: the log takes records again", id);
}

// On the log's sync thread.
void Shard::OnCommit(Result<CommitNumber> commit) {
  if (!commit.ok()) {
    spdlog::error("gateway: shard {}: {}", options_.id.value, commit.error().ToString());
    has_log_failed_ = true;
  }
  if (parts_.wake != nullptr) parts_.wake->WakeAll();
  if (!is_commit_posted_.exchange(true)) loop_.Post([this] { OnDurable(); });
}

void Shard::OnDurable() {
  is_commit_posted_ = false;
  if (has_log_failed_) return Fail(Error{Code::kUnavailable, "the log failed"});
  ReleaseAcks();
  OpenRoom();
  TakeConfigsOn();
}

void Shard::ReleaseAcks() {
  is_release_due_ = false;
  const CommitNumber durable = parts_.writer.durable_commit();
  std::vector<VehicleConnection*> listed;
  listed.swap(waiting_);
  for (VehicleConnection* connection : listed) connection->is_listed = false;
  for (VehicleConnection* connection : listed) {
    connection->OnDurable(durable);  // may read on, and leave
    if (!connection->is_over() && connection->has_waiting_acks()) AwaitDurable(*connection);
  }
}

void Shard::OnTurn() {
  if (is_release_due_ && !has_failed_) ReleaseAcks();
  graveyard_.clear();
  parts_.writer.Flush();
}

void Shard::OnTick() {
  if (has_failed_) return;
  const Status ticked = parts_.writer.Tick(parts_.clock.NowUtc());
  if (!ticked.ok() && ticked.error().code != Code::kOverloaded) return Fail(ticked.error());
  OpenRoom();
  OpenBudgets();
}

void Shard::Sweep() {
  const Micros now = now_monotonic();
  std::vector<VehicleConnection*> overdue;
  std::vector<VehicleConnection*> slow;
  for (auto& [ref, connection] : connections_) {
    if (connection->IsSlowReader(now)) {
      slow.push_back(connection.get());
    } else if (connection->IsOverdue(now)) {
      overdue.push_back(connection.get());
    }
  }
  for (VehicleConnection* connection : slow) {
    Close(*connection, Reason::kSlowReader, MqttCode::kQuotaExceeded);
  }
  for (VehicleConnection* connection : overdue) {
    Close(*connection, Reason::kKeepAlive, MqttCode::kKeepAliveTimeout);
  }
  ForgetBudgets(now);
}

std::future<Result<Shard::Entries>> Shard::AppendConfig(CheckedConfig config,
                                                        std::vector<Place> where) {
  auto task = std::make_unique<ConfigTask>();
  task->config = std::move(config);
  task->where = std::move(where);
  auto answer = task->promise.get_future();
  loop_.Post([this, task = std::move(task)]() mutable {
    configs_unstaged_.push_back(std::move(task));
    TakeConfigsOn();
  });
  return answer;
}

bool Shard::TryConfig(ConfigTask& task) {
  log::RecordHeader header;
  header.kind = log::RecordKind::kConfig;
  header.receipt_time = header.event_time = parts_.clock.NowUtc();
  header.contract_number = task.config.contracts.first.number;
  std::vector<log::BatchBuilder> batches;
  batches.reserve(task.where.size());
  std::vector<log::ShardWriter::Staged> staged;
  task.entries.clear();
  for (const Place& place : task.where) {
    batches.emplace_back(place.partition).Add(header, {}, AsBytes(task.config.payload));
    staged.push_back({place.stream, &batches.back()});
    task.entries.push_back({place.stream, place.partition,
                            parts_.writer.next_offset(place.stream, place.partition),
                            task.config.seq, task.config.digest});
  }
  if (!staged.empty()) {
    const auto commit = parts_.writer.Append(staged);
    if (!commit.ok() && commit.error().code == Code::kOverloaded) return false;
    if (!commit.ok()) {
      task.Answer(commit.error());
      return true;
    }
    task.commit = *commit;
  }
  // What is staged from here on lies behind the config record.
  processor_.UseContracts(task.config.contracts);
  return true;
}

void Shard::TakeConfigsOn() {
  const CommitNumber durable = parts_.writer.durable_commit();
  while (!configs_unstaged_.empty() && TryConfig(*configs_unstaged_.front())) {
    configs_waiting_.push_back(std::move(configs_unstaged_.front()));
    configs_unstaged_.erase(configs_unstaged_.begin());
  }
  std::erase_if(configs_waiting_, [&](const std::unique_ptr<ConfigTask>& task) {
    if (task->commit > durable) return false;
    task->Answer(task->entries);
    return true;
  });
}

void Shard::Fail(const Error& error) {
  if (std::exchange(has_failed_, true)) return;
  spdlog::error("gateway: shard {}: {}; connections closed without acknowledgement",
                options_.id.value, error.ToString());
  for (auto& [ref, connection] : connections_) {
    CountRefused(Reason::kStorage);
    connection->Finish(MqttCode::kImplementation);
    graveyard_.push_back(std::move(connection));
  }
  closed_.Add(connections_.size());
  connections_.clear();
  waiting_.clear();
  over_budget_.clear();
  configs_unstaged_.clear();
  configs_waiting_.clear();
  on_failed_();
}

}  // namespace telltale::gateway
