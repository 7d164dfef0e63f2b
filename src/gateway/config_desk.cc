#include "gateway/config_desk.h"

#include <spdlog/spdlog.h>

#include <set>

#include "contract/failure_wire.h"
#include "gateway/streams.h"

namespace telltale::gateway {
namespace {

constexpr std::chrono::milliseconds kPatience{100};
constexpr int kIdleTurnsMax = 100;  // 10 s without a request: hang up

}  // namespace

Status ConfigDesk::Start(const std::string& socket_path) {
  ASSIGN_OR_RETURN(const auto newest, parts_.store.Newest());
  if (newest) {
    RETURN_IF_ERROR(Append(*newest));
    spdlog::info("gateway: config {} is in force", newest->seq.value);
  }
  ASSIGN_OR_RETURN(LocalListener listener, LocalListener::Listen(socket_path, 0600));
  thread_ = std::thread([this, owned = std::move(listener)]() mutable { Serve(owned); });
  return Ok();
}

void ConfigDesk::Stop() {
  is_stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void ConfigDesk::Serve(LocalListener& listener) {
  while (!is_stopping_) {
    auto connection = listener.Accept(kPatience);
    if (connection.ok() && connection->has_value()) ServeOne(std::move(**connection));
  }
}

void ConfigDesk::ServeOne(LocalConnection connection) {
  for (int idle = 0; idle < kIdleTurnsMax && !is_stopping_; ++idle) {
    const auto frame = connection.Receive(kPatience);
    if (!frame.ok()) return;
    if (!frame->has_value()) continue;
    idle = 0;
    internal::v1::AppendReply reply;
    const Status done = PutInForce(**frame);
    reply.set_ok(done.ok());
    if (!done.ok()) {
      spdlog::error("gateway: config refused: {}", done.error().ToString());
      contract::SetFailure(done.error(), *reply.mutable_failure());
    }
    if (!connection.Send(reply.SerializeAsString()).ok()) return;
  }
}

Status ConfigDesk::PutInForce(std::string_view signed_config) {
  ASSIGN_OR_RETURN(const CheckedConfig config, parts_.store.Check(signed_config));
  if (config.seq.value <= seq_) return Ok();
  // Kept first: a crash from here on is finished at the next start.
  RETURN_IF_ERROR(parts_.store.Keep(config));
  RETURN_IF_ERROR(Append(config));
  spdlog::info("gateway: config {} is in force", config.seq.value);
  return Ok();
}

Status ConfigDesk::Append(const CheckedConfig& config) {
  std::set<std::pair<log::StreamIndex, std::uint16_t>> done;
  for (const auto& entry : parts_.log.ledger()) {
    if (entry.config_seq == config.seq) done.emplace(entry.stream, entry.partition.value);
  }
  std::vector<std::vector<Shard::Place>> places(parts_.shards.size());
  for (std::uint16_t p = 0; p < parts_.log.partitions(); ++p) {
    const PartitionId partition{p};
    auto& of_shard = places[log::ShardOf(partition, parts_.log.shards()).value];
    for (log::StreamIndex stream = 0; stream < kStreamCount; ++stream) {
      if (!done.contains({stream, p})) of_shard.push_back({stream, partition});
    }
  }
  // Also a shard with nothing to append gets it: from then on it uses the contract.
  std::vector<std::future<Result<Shard::Entries>>> answers;
  for (std::size_t i = 0; i < parts_.shards.size(); ++i) {
    answers.push_back(parts_.shards[i]->AppendConfig(config, std::move(places[i])));
  }
  Shard::Entries all;
  Status failed;
  for (auto& answer : answers) {
    auto entries = answer.get();
    if (entries.ok()) all.insert(all.end(), entries->begin(), entries->end());
    if (!entries.ok()) failed = entries.error();
  }
  // What was appended belongs in the ledger even if another shard failed.
  if (!all.empty()) RETURN_IF_ERROR(parts_.log.AppendLedger(all));
  RETURN_IF_ERROR(failed);
  seq_ = config.seq.value;
  return Ok();
}

}  // namespace telltale::gateway
