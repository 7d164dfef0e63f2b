#include "gateway/gateway.h"

#include "gateway/config_desk.h"
#include "gateway/streams.h"
#include "seal/derive.h"

namespace telltale::gateway {

Gateway::Gateway(const Config& config, const Paths& paths, Parts parts)
    : config_(config), paths_(paths), parts_(parts) {}

Result<std::unique_ptr<Gateway>> Gateway::Start(const Config& config, const Paths& paths,
                                                Parts parts) {
  std::unique_ptr<Gateway> made(new Gateway(config, paths, parts));
  RETURN_IF_ERROR(made->LoadKeys());
  RETURN_IF_ERROR(made->OpenLog());
  RETURN_IF_ERROR(made->StartShards());
  std::vector<Shard*> shards;
  for (const auto& shard : made->shards_) shards.push_back(shard.get());
  ConfigStore store(parts.disk,
                    {paths.log() + "/config", paths.contracts(), made->control_public_});
  made->desk_ = std::make_unique<ConfigDesk>(
      ConfigDesk::Parts{std::move(store), *made->log_, std::move(shards)});
  RETURN_IF_ERROR(made->desk_->Start(paths.append_socket()));
  return made;
}

Gateway::~Gateway() { Stop(); }

Status Gateway::LoadKeys() {
  ASSIGN_OR_RETURN(gateway_private_, seal::LoadKey(parts_.disk, paths_.keys() + "/gateway.key"));
  ASSIGN_OR_RETURN(vault_public_, seal::LoadKey(parts_.disk, paths_.keys() + "/vault_seal.pub"));
  ASSIGN_OR_RETURN(control_public_, seal::LoadKey(parts_.disk, paths_.keys() + "/control.pub"));
  ASSIGN_OR_RETURN(
      net::TlsContext tls,
      net::TlsContext::ForServer(
          {.ca = config_.mqtt_client_ca.empty() ? paths_.ca() + "/ca.crt" : config_.mqtt_client_ca,
           .certificate = paths_.certs() + "/server.crt",
           .key = paths_.certs() + "/server.key"}));
  tls_ = std::make_unique<net::TlsContext>(std::move(tls));
  return Ok();
}

Status Gateway::OpenLog() {
  log::LogOptions options;
  options.dir = paths_.log();
  options.streams = StreamNames();
  options.partitions = config_.log_partitions;
  options.shards = config_.log_shards;
  options.segment_bytes = config_.log_segment_bytes;
  options.unsynced_bytes_max = config_.log_unsynced_bytes_max;
  ASSIGN_OR_RETURN(log_, log::Log::Open(parts_.disk, options));
  RETURN_IF_ERROR(parts_.disk.MakeFolders(ParentFolder(paths_.log_socket())));
  ASSIGN_OR_RETURN(wake_, log::WakeServer::Start(paths_.log_socket()));
  return Ok();
}

Status Gateway::StartShards() {
  const ContentKey content_key = ContentKey::FromSecret(gateway_private_);
  for (std::uint16_t i = 0; i < log_->shards(); ++i) {
    ASSIGN_OR_RETURN(auto sealer,
                     seal::Sealer::Make(vault_public_, gateway_private_, parts_.clock));
    const Shard::Options options{
        ShardId{i}, {log_->partitions(), config_.cell_level}, parts_.vehicle_rate};
    Shard::Parts parts{log_->shard(ShardId{i}), std::move(sealer), parts_.clock, parts_.counters,
                       wake_.get()};
    shards_.push_back(std::make_unique<Shard>(options, std::move(parts), content_key,
                                              [this] { has_failed_ = true; }));
    shards_.back()->Start();
  }
  seal::Wipe(gateway_private_);  // the sealers have their own, in locked memory
  return Ok();
}

bool Gateway::has_config() const { return desk_->has_config(); }

Result<std::uint16_t> Gateway::OpenDoor() {
  CHECK(has_config() && door_ == nullptr);
  const auto shard_of = [this](PartitionId partition) -> Shard& {
    return *shards_[log::ShardOf(partition, log_->shards()).value];
  };
  registry_ = std::make_unique<RegistryClient>(paths_.registry_socket(), parts_.counters);
  const auto update = [this, shard_of](VehicleRef former, const Vehicle& vehicle) {
    shard_of(former.PartitionOf(log_->partitions())).UpdateVehicle(former, vehicle);
  };
  registry_->Start(update);
  door_ = std::make_unique<Door>(
      Door::Parts{*tls_, *registry_, parts_.clock, parts_.counters, log_->partitions(),
                  [shard_of](PartitionId partition, VehicleConnection::Arrived arrived) {
                    shard_of(partition).Adopt(std::move(arrived));
                  },
                  update});
  return door_->Open(config_.mqtt_listen, config_.mqtt_port);
}

void Gateway::Stop() {
  if (door_) door_->Stop();
  registry_.reset();  // its answers go to the door's loop, which still exists
  if (desk_) desk_->Stop();
  for (const auto& shard : shards_) shard->Stop();
  log_.reset();  // its sync threads call into the shards
  shards_.clear();
  door_.reset();
  wake_.reset();
}

}  // namespace telltale::gateway
