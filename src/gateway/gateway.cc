#include "gateway/gateway.h"

#include <spdlog/spdlog.h>

#include "gateway/config_desk.h"
#include "gateway/retention_keeper.h"
#include "gateway/streams.h"
#include "seal/derive.h"

namespace telltale::gateway {

Gateway::Gateway(const Config& config, const Paths& paths, Parts parts)
    : config_(config),
      paths_(paths),
      parts_(parts),
      transport_keys_({paths.keys(), paths.log() + "/transport.seen"}, parts.disk, parts.clock,
                      parts.counters) {}

Result<std::unique_ptr<Gateway>> Gateway::Start(const Config& config, const Paths& paths,
                                                Parts parts) {
  std::unique_ptr<Gateway> made(new Gateway(config, paths, parts));
  RETURN_IF_ERROR(made->LoadKeys());
  RETURN_IF_ERROR(made->OpenLog());
  made->LoadUnknown();
  RETURN_IF_ERROR(made->StartShards());
  std::vector<Shard*> shards;
  for (const auto& shard : made->shards_) shards.push_back(shard.get());
  ConfigStore store(parts.disk,
                    {paths.log() + "/config", paths.contracts(), made->control_public_});
  made->desk_ = std::make_unique<ConfigDesk>(
      ConfigDesk::Parts{std::move(store), *made->log_, std::move(shards)});
  RETURN_IF_ERROR(made->desk_->Start(paths.append_socket()));
  made->StartRetention();
  return made;
}

Gateway::~Gateway() { Stop(); }

Status Gateway::LoadKeys() {
  ASSIGN_OR_RETURN(gateway_private_, seal::LoadKey(parts_.disk, paths_.keys() + "/gateway.key"));
  ASSIGN_OR_RETURN(control_public_, seal::LoadKey(parts_.disk, paths_.keys() + "/control.pub"));
  const auto or_default = [this](const std::string& set, const char* name) {
    return set.empty() ? paths_.ca() + name : set;
  };
  ASSIGN_OR_RETURN(trust_, VehicleTrust::Load({.ca = or_default(config_.mqtt_client_ca, "/ca.crt"),
                                               .certificate = paths_.certs() + "/server.crt",
                                               .key = paths_.certs() + "/server.key",
                                               .revocation_list = or_default(
                                                   config_.mqtt_revocation_list, "/vehicles.crl")},
                                              parts_.clock, parts_.counters));
  return Ok();
}

Status Gateway::OpenLog() {
  log::LogOptions options;
  options.streams = StreamNames();
  options.partitions = config_.log_partitions;
  options.shards = config_.log_shards;
  options.segment_bytes = config_.log_segment_bytes;
  options.unsynced_bytes_max = config_.log_unsynced_bytes_max;
  ASSIGN_OR_RETURN(log_, parts_.streams.Open(options));
  RETURN_IF_ERROR(parts_.disk.MakeFolders(ParentFolder(paths_.log_socket())));
  // On Kafka it is lake-feed's: it owns the segments that readers here wait for.
  if (config_.log_backend != "files") return Ok();
  ASSIGN_OR_RETURN(wake_, log::WakeServer::Start(paths_.log_socket()));
  return Ok();
}

// A file that cannot be read costs the counts until now, and nothing else.
void Gateway::LoadUnknown() {
  const auto text = ReadWholeFile(parts_.disk, paths_.unknown_fields());
  if (!text.ok() && text.error().code == Code::kNotFound) return;
  const auto counts = text.ok() ? UnknownTally::FromJson(*text) : text.error();
  if (!counts.ok()) {
    spdlog::warn("gateway: {}: {}", paths_.unknown_fields(), counts.error().ToString());
    return;
  }
  unknown_.Add(*counts);
  unknown_written_ = unknown_.changes();
}

void Gateway::SaveUnknown() {
  const std::uint64_t changes = unknown_.changes();
  if (changes == unknown_written_) return;
  const Status written = WriteFileDurably(parts_.disk, paths_.unknown_fields(),
                                          UnknownTally::ToJson(unknown_.counts()), 0644);
  if (written.ok()) unknown_written_ = changes;
  if (written.ok() == is_unknown_refused_) {  // told once, not every second
    is_unknown_refused_ = !written.ok();
    if (!written.ok()) spdlog::warn("gateway: {}", written.error().ToString());
  }
}

Status Gateway::StartShards() {
  transport_keys_.Refresh();  // after the log, in whose folder it remembers
  const ContentKey content_key = ContentKey::FromSecret(gateway_private_);
  for (std::uint16_t i = 0; i < log_->shards(); ++i) {
    ASSIGN_OR_RETURN(auto sealer,
                     seal::Sealer::Make(transport_keys_, gateway_private_, parts_.clock));
    const Shard::Options options{
        ShardId{i},
        {log_->partitions(), config_.cell_level, config_.choice_safety_always == "on"},
        parts_.vehicle_rate,
        parts_.sweep_every};
    Shard::Parts parts{log_->shard(ShardId{i}),
                       std::move(sealer),
                       parts_.clock,
                       parts_.counters,
                       wake_.get(),
                       trust_.get(),
                       &unknown_,
                       &taken_choices_};
    shards_.push_back(std::make_unique<Shard>(options, std::move(parts), content_key,
                                              [this] { has_failed_ = true; }));
    shards_.back()->Start();
  }
  seal::Wipe(gateway_private_);  // the sealers have their own, in locked memory
  return Ok();
}

void Gateway::StartRetention() {
  const auto hours = [](std::uint32_t n) { return Micros::Seconds(std::int64_t{n} * 3600); };
  retention_ = std::make_unique<RetentionKeeper>(
      RetentionKeeper::Options{.positions_dir = paths_.positions(),
                               .releases_dir = paths_.releases(),
                               .run_folder = paths_.run(),
                               .keep_for = hours(config_.log_retention_hours),
                               .keep_sealed_for = hours(config_.log_sealed_retention_hours),
                               .segment_bytes = config_.log_segment_bytes},
      RetentionKeeper::Parts{parts_.disk, parts_.streams, parts_.clock, parts_.counters,
                             [this](bool is_held) {
                               for (const auto& shard : shards_) shard->HoldReading(is_held);
                             }});
  retention_->Start();
}

void Gateway::RunRetention() { retention_->Pass(); }

Conditions Gateway::conditions() const {
  return {parts_.counters.Get("log_stalled_shards").value(), retention_->held()};
}

bool Gateway::has_config() const { return desk_->has_config(); }

Result<std::uint16_t> Gateway::OpenDoor() {
  CHECK(has_config() && door_ == nullptr);
  const auto shard_of = [this](PartitionId partition) -> Shard& {
    return *shards_[log::ShardOf(partition, log_->shards()).value];
  };
  const auto off = [](const std::string& choice, std::uint8_t bit) {
    return choice == "off" ? bit : std::uint8_t{0};
  };
  const auto off_by_default = static_cast<std::uint8_t>(
      off(config_.choice_precise, kPreciseOff) | off(config_.choice_cell, kCellOff) |
      off(config_.choice_behaviour, kBehaviourOff));
  registry_ = std::make_unique<RegistryClient>(
      RegistryClient::Options{paths_.registry_socket(), off_by_default}, parts_.counters,
      &taken_choices_);
  const auto update = [this, shard_of](VehicleRef former, const Vehicle& vehicle) {
    shard_of(former.PartitionOf(log_->partitions())).UpdateVehicle(former, vehicle);
    if (vehicle.ref == former) return;
    shard_of(vehicle.ref.PartitionOf(log_->partitions())).UpdateVehicle(vehicle.ref, vehicle);
  };
  registry_->Start(update);
  door_ = std::make_unique<Door>(
      Door::Parts{[this] { return trust_->current(); },
                  *registry_,
                  parts_.clock,
                  parts_.counters,
                  log_->partitions(),
                  [shard_of](PartitionId partition, VehicleConnection::Arrived arrived) {
                    shard_of(partition).Adopt(std::move(arrived));
                  },
                  update,
                  {.sweep_every = parts_.sweep_every}});
  return door_->Open(config_.mqtt_listen, config_.mqtt_port);
}

void Gateway::RefreshTrust() {
  if (!trust_->Refresh()) return;
  for (const auto& shard : shards_) shard->CloseRevoked();
}

void Gateway::Stop() {
  if (door_) door_->Stop();
  registry_.reset();  // its answers go to the door's loop, which still exists
  if (desk_) desk_->Stop();
  if (retention_) retention_->Stop();
  for (const auto& shard : shards_) shard->Stop();
  log_.reset();  // its sync threads call into the shards
  shards_.clear();
  door_.reset();
  wake_.reset();
}

}  // namespace telltale::gateway
