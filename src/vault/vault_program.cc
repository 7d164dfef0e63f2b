#include "vault/vault_program.h"

#include <spdlog/spdlog.h>

#include "base/format_version.h"
#include "base/logging.h"
#include "vault/keys/import_hours.h"
#include "vault/provider_choice.h"

namespace telltale::vault {
namespace {

constexpr Micros kMinute = Micros::Seconds(60);
constexpr Micros kHourPause{kHourUs};

void SayIfNot(const Status& done, const char* what) {
  if (!done.ok()) spdlog::error("vault: {}: {}", what, done.error().ToString());
}

}  // namespace

Result<std::unique_ptr<VaultProgram>> VaultProgram::Open(Disk& disk, Clock& clock, Random& random,
                                                         Counters& counters,
                                                         const std::string& dir) {
  std::unique_ptr<VaultProgram> program(new VaultProgram(disk, clock, random, counters, dir));
  ASSIGN_OR_RETURN(program->config_, Config::Load(disk, program->paths_.config()));
  const Config& config = program->config_;
  RETURN_IF_ERROR(ConfigureLogging("vault", config.logging_format, config.logging_level));
  RETURN_IF_ERROR(program->LoadTransportKeys());
  RETURN_IF_ERROR(program->OpenStore());
  program->OpenIntake();
  RETURN_IF_ERROR(program->OpenDoor());
  program->AddChores();
  spdlog::info("vault: window {} days, {} gateways, root keys: {}", config.vault_window_days,
               program->gateways_.size(), program->folder_->provider().name());
  return program;
}

// With the key without an end of an installation from before they had dates, if there is one.
Status VaultProgram::LoadTransportKeys() {
  if (const Status loaded = transport_keys_.Reload(); !loaded.ok()) {
    spdlog::error("vault: {}; what is sealed for it is kept aside", loaded.error().ToString());
  }
  Result<std::string> undated = seal::LoadKey(disk_, paths_.vault() + "/keys/seal.key");
  if (!undated.ok()) {
    return undated.error().code == Code::kNotFound ? Ok() : Status(undated.error());
  }
  const Status added = transport_keys_.AddUndated(*undated);
  seal::Wipe(*undated);
  return added;
}

Status VaultProgram::OpenStore() {
  std::string waiver;
  ASSIGN_OR_RETURN(auto provider, ChooseProvider(disk_, clock_, random_, config_, paths_, waiver));
  ASSIGN_OR_RETURN(folder_,
                   VaultFolder::Open(disk_, clock_, random_, counters_, std::move(provider),
                                     {.dir = paths_.vault(),
                                      .windows = WindowsOf(config_),
                                      .partitions = config_.log_partitions,
                                      .replicas = ReplicasOf(config_)}));
  if (!folder_->store().keys_locked()) {
    spdlog::warn("vault: its keys cannot be kept out of swap (RLIMIT_MEMLOCK)");
  }
  RecordStart(waiver);
  return Ok();
}

void VaultProgram::RecordStart(const std::string& waiver) {
  AuditFields fields{{"v", std::to_string(VersionOf(Format::kAuditLog).written)},
                     {"window_days", std::to_string(config_.vault_window_days)},
                     {"provider", AuditText(config_.vault_key_provider)}};
  if (!waiver.empty()) {
    spdlog::warn("vault: root keys lie in files of a prod environment, waived: {}", waiver);
    fields.emplace_back("waiver", AuditText(waiver));
  }
  const auto started = folder_->store().audit().Append("started", fields);
  if (!started.ok()) spdlog::error("vault: {}", started.error().ToString());
}

void VaultProgram::OpenIntake() {
  Store& store = folder_->store();
  SayIfNot(gateways_.Reload(), "gateways");
  opener_ = Opener::Make(transport_keys_, gateways_, clock_);
  const Result<std::string> control = seal::LoadKey(disk_, paths_.keys() + "/control.pub");
  if (!control.ok()) spdlog::warn("vault: {}", control.error().ToString());
  records_ =
      std::make_unique<RecordIntake>(*opener_, store, counters_, control.ok() ? *control : "");
  intake_ =
      std::make_unique<Intake>(disk_, clock_, counters_, *records_, store,
                               IntakeOptions{paths_.log(), paths_.positions(), config_.log_shards});
}

Status VaultProgram::OpenDoor() {
  Store& store = folder_->store();
  decoder_ = std::make_unique<Decoder>(disk_, paths_.contracts(), [&store](std::uint32_t number) {
    return store.ContractDigest(number);
  });
  rows_ = std::make_unique<StoreRows>(store, *decoder_, counters_);
  tags_ = std::make_unique<TreeTags>(folder_->keys());
  export_keys_ = std::make_unique<TreeExportKeys>(folder_->keys(), tasks_);
  const Micros retention = SealedRetentionOf(config_);
  desk_ = std::make_unique<Desk>(
      disk_, counters_, *folder_, *intake_, tasks_, paths_,
      DeskFacts{
          .sealed = [this] { return SealedPartitions(disk_, paths_.log()); },
          .transport_keys = [this, retention] { return ExpiringKeys(transport_keys_, retention); },
          .exports = [this] { return ExpiringAnswers(); },
          .sealed_retention = retention});
  ASSIGN_OR_RETURN(
      door_, AccessDoor::Open({disk_, clock_, random_, counters_, store.audit(), *rows_, *tags_,
                               *export_keys_, *desk_, *desk_},
                              {.folder = paths_.vault(),
                               .policy_file = config_.vault_policy.empty() ? paths_.vault_policy()
                                                                           : config_.vault_policy,
                               .environment_kind = config_.environment_kind,
                               .platform_uid = OwnerOf(paths_.data()),
                               .window = WindowsOf(config_).Of(RetentionClass::kPosition)}));
  return Ok();
}

std::vector<Expiring> VaultProgram::ExpiringAnswers() {
  std::vector<Expiring> expiring;
  for (const auto& [id, dies_at] : door_->KeptAnswers()) {
    expiring.push_back({"kept answer " + id, StartOf(dies_at)});
  }
  return expiring;
}

void VaultProgram::AddChores() {
  Store& store = folder_->store();
  loop_ = std::make_unique<OwnerLoop>(clock_, counters_, store, *intake_, tasks_, paths_);
  loop_->Add(kHourPause, [this] { desk_->Reconcile(); });
  loop_->Add(kMinute, [this] { SayIfNot(door_->RemoveExpiredExports(), "kept answers"); });
  // What ImportHourKeys() could not take over of format 1.
  loop_->Add(kHourPause, [this, &store] {
    const Hour now = HourOf(store.guard().NowForKeys());
    SayIfNot(DestroyLeftHourKeys(disk_, paths_.vault() + "/keys/hours", now), "keys of format 1");
  });
  loop_->Add(kMinute, [this, &store] {
    SayIfNot(DestroyExpiredTransportKeys(transport_keys_, store.guard().NowForKeys(),
                                         SealedRetentionOf(config_)),
             "transport keys");
  });
}

}  // namespace telltale::vault
