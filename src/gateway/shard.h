// One shard of the log and the connections of its vehicles, on one thread. Back-pressure: above the
// log's high mark, and while a reader of the streams is too far behind (HoldReading), no connection
// of the shard is read; a commit, or the end of that, lets them go on. Nothing accepted is dropped.
// Acknowledgements leave when the commit that carries their records is durable.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "gateway/batch_processor.h"
#include "gateway/byte_budget.h"
#include "gateway/choice_book.h"
#include "gateway/config_store.h"
#include "gateway/vehicle_connection.h"
#include "gateway/vehicle_trust.h"
#include "net/event_loop.h"

namespace telltale::gateway {

class Shard {
 public:
  struct Options {
    ShardId id;
    BatchProcessor::Options batch;
    ByteBudget::Rate vehicle_rate;
    std::chrono::milliseconds sweep_every{1000};  // for who is late
  };
  struct Parts {
    log::ShardWriter& writer;
    std::unique_ptr<seal::Sealer> sealer;
    Clock& clock;
    Counters& counters;
    log::WakeServer* wake = nullptr;      // may be null
    const VehicleTrust* trust = nullptr;  // may be null: nobody is revoked
    UnknownTally* unknown = nullptr;      // may be null: unknown fields are not told by number
    TakenChoices* taken = nullptr;        // may be null: nobody is told what was taken over
  };
  // Everything in `parts` must outlive the shard. `on_failed` is called once, on the shard's
  // thread, when the log failed: every connection is closed without its acknowledgements by then.
  Shard(Options options, Parts parts, ContentKey content_key, std::function<void()> on_failed);
  // After Stop(), and after the log: its sync thread calls back.
  ~Shard();

  void Start();
  // Reads no more, writes what was read, acknowledges what became durable, closes all. Joins.
  void Stop();

  // Any thread.
  void Adopt(VehicleConnection::Arrived arrived);
  // `former` is the vehicle's reference until now. A choice that is new here is taken over, also
  // of a vehicle that is not connected; of a vehicle with another owner, tell the shard of each.
  void UpdateVehicle(VehicleRef former, const Vehicle& vehicle);
  // True: no vehicle is read until false is said, whatever room the log has. Connections stay.
  void HoldReading(bool is_held);
  // Ends the connections whose certificate is revoked by now; ask after VehicleTrust::Refresh().
  void CloseRevoked();
  // Stages `config` in each (stream, partition) of `where` and uses its contract from then on. The
  // answer comes when it is durable.
  struct Place {
    log::StreamIndex stream;
    PartitionId partition;
  };
  using Entries = std::vector<log::Log::LedgerEntry>;
  std::future<Result<Entries>> AppendConfig(CheckedConfig config, std::vector<Place> where);

  // For this shard's connections, on its thread.
  net::EventLoop& loop() { return loop_; }
  Micros now_monotonic() const { return parts_.clock.NowMonotonic(); }
  bool has_room() const { return has_room_; }
  Result<CommitNumber> Process(const Vehicle& vehicle, ByteSpan payload, std::uint8_t qos);
  Reason unwritten_reason() const { return processor_.unwritten_reason(); }  // of its kUnavailable
  void AwaitDurable(VehicleConnection& connection);
  // Counts what a connection's vehicle has sent. False: it has sent enough for now; do not read it
  // until OnBudget().
  bool Spend(VehicleConnection& connection, std::size_t bytes, Micros now);
  void CountAcks(std::size_t acks) { acks_.Add(acks); }
  void CountRefused(Reason reason);
  void Remove(VehicleConnection& connection);  // destroyed at the end of the turn

 private:
  struct ConfigTask;

  void OnCommit(Result<CommitNumber> commit);
  void OnDurable();
  void ReleaseAcks();
  void OpenRoom();
  void TakeConfigsOn();
  void OnTurn();
  void OnTick();
  void Sweep();
  void Admit(VehicleConnection::Arrived arrived);
  void TakeOver(Vehicle& vehicle);
  void CloseRoom();
  void OnStall(const Status& status);
  void Close(VehicleConnection& connection, Reason reason, MqttCode code);
  void OpenBudgets();
  void ForgetBudgets(Micros now);
  bool TryConfig(ConfigTask& task);
  void Fail(const Error& error);
  void Drain();

  const Options options_;
  Parts parts_;
  std::function<void()> on_failed_;
  Counter& closed_;
  Counter& acks_;
  Counter& publishes_qos0_;
  Counter& publishes_qos1_;
  Counter& pauses_;
  Counter& vehicle_pauses_;
  Counter& stalls_;
  Counter& stalled_;  // a gauge: shards whose log has no room

  net::EventLoop loop_;
  net::Timer ticks_{loop_};
  net::Timer sweeps_{loop_};
  std::thread thread_;
  std::atomic<bool> is_commit_posted_{false};
  std::atomic<bool> has_log_failed_{false};
  bool is_stalled_ = false;  // the log's sync thread only

  // The shard's thread only, from here on.
  BatchProcessor processor_;
  ChoiceBook choices_;
  // Not while the log is full, reading is held or the shard drains: then nobody is read.
  bool has_room_ = true;
  bool is_held_ = false;  // by HoldReading()
  bool is_draining_ = false;
  bool has_failed_ = false;
  bool is_release_due_ = false;  // an acknowledgement waits that needs no commit
  std::unordered_multimap<VehicleRef, std::unique_ptr<VehicleConnection>, VehicleRefHash>
      connections_;
  std::vector<VehicleConnection*> waiting_;  // with acknowledgements that wait for the disk
  // Of vehicles that are connected or sent much a short while ago: coming again buys nothing.
  std::unordered_map<VehicleRef, ByteBudget, VehicleRefHash> budgets_;
  std::vector<VehicleConnection*> over_budget_;
  std::vector<std::unique_ptr<VehicleConnection>> graveyard_;
  std::vector<std::unique_ptr<ConfigTask>> configs_unstaged_;
  std::vector<std::unique_ptr<ConfigTask>> configs_waiting_;
};

}  // namespace telltale::gateway
