#include "app/init.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "app/demo_keys.h"
#include "app/ownership.h"
#include "app/transport_keys.h"
#include "app/users.h"
#include "base/clock.h"
#include "base/random.h"
#include "control/config_record.h"
#include "control/release.h"
#include "control/release_bundle.h"
#include "gateway/streams.h"
#include "log/log.h"
#include "net/certificates.h"
#include "registry/registry.h"
#include "registry/role.h"
#include "seal/seal.h"
#include "vault/access/policy.h"

namespace telltale::app {
namespace {

constexpr std::uint32_t kPrivateMode = 0600;
constexpr std::uint32_t kPublicMode = 0644;
constexpr std::uint32_t kFirstContractNumber = 1;
constexpr std::string_view kLocalAuthority = "Telltale local authority";

Status CheckEmpty(Disk& disk, const std::string& dir) {
  const auto names = disk.List(dir);
  if (!names.ok()) {
    if (names.error().code == Code::kNotFound) return Ok();
    return names.error();
  }
  if (names->empty()) return Ok();
  return Error{Code::kExists,
               fmt::format("{} is not empty: `telltale init` makes a new installation only; name "
                           "a folder that does not exist yet",
                           dir)};
}

Status CheckParts(const Layout& layout) {
  RETURN_IF_ERROR(CheckProgram(layout.worker));
  for (const std::string& file : {layout.contract_descriptor, layout.rules}) {
    if (!std::filesystem::exists(file)) {
      return Error{Code::kNotFound, fmt::format("{} is missing from the installation", file)};
    }
  }
  return Ok();
}

Status MakeCertificates(Disk& disk, const Paths& paths, bool is_demo, Micros now) {
  const std::string name(is_demo ? kDemoAuthority : kLocalAuthority);
  ASSIGN_OR_RETURN(const net::CertificateAuthority authority,
                   net::CertificateAuthority::Create(name, now));
  RETURN_IF_ERROR(authority.Store(disk, paths.ca()));
  ASSIGN_OR_RETURN(const net::CertificateAndKey server, authority.IssueServer(now));
  RETURN_IF_ERROR(
      WriteFileDurably(disk, paths.certs() + "/server.key", server.key_pem, kPrivateMode));
  return WriteFileDurably(disk, paths.certs() + "/server.crt", server.certificate_pem, kPublicMode);
}

struct KeyPlaces {
  std::string private_file;
  std::vector<std::string> public_files;
};

Status StorePair(Disk& disk, const seal::KeyPair& pair, const KeyPlaces& places, bool is_demo) {
  RETURN_IF_ERROR(seal::StoreKey(disk, places.private_file, pair.private_raw,
                                 {.is_private = true, .is_demo = is_demo}));
  for (const std::string& file : places.public_files) {
    RETURN_IF_ERROR(seal::StoreKey(disk, file, pair.public_raw, {.is_demo = is_demo}));
  }
  return Ok();
}

Result<seal::KeyPair> MakeKeys(Disk& disk, const Paths& paths, bool is_demo) {
  const std::string keys = paths.keys();
  ASSIGN_OR_RETURN(const seal::KeyPair gateway, seal::MakeEd25519());
  const std::string registered =
      paths.vault() + "/gateways/" + HexEncode(seal::KeyId(gateway.public_raw)) + ".pub";
  RETURN_IF_ERROR(StorePair(disk, gateway,
                            {keys + "/gateway.key", {keys + "/gateway.pub", registered}}, is_demo));
  ASSIGN_OR_RETURN(seal::KeyPair control, seal::MakeEd25519());
  RETURN_IF_ERROR(
      StorePair(disk, control, {keys + "/control.key", {keys + "/control.pub"}}, is_demo));
  return control;
}

Result<std::string> MakeRelease(Disk& disk, const InitOptions& options, const Paths& paths,
                                const seal::KeyPair& control_key, Micros now) {
  ASSIGN_OR_RETURN(
      const control::Release release,
      control::InstallRelease(disk,
                              {.contract_descriptor = options.layout.contract_descriptor,
                               .rules = options.layout.rules,
                               .engine = options.layout.worker},
                              paths));
  const control::InForce first{.config_seq = ConfigSeq{1},
                               .environment = options.config.environment_name,
                               .contract_number = kFirstContractNumber,
                               .contract_digest = release.components.at("contract"),
                               .stable_release = release.id,
                               .created_at = now,
                               .next_contract = {}};
  ASSIGN_OR_RETURN(const std::string record, control::SignConfig(first, control_key));
  const std::string path = control::FirstConfigPath(paths);
  RETURN_IF_ERROR(disk.MakeFolders(ParentFolder(path), 0755));
  RETURN_IF_ERROR(WriteFileDurably(disk, path, record, kPublicMode));
  return release.id;
}

// An empty one, so that it belongs to the right user before the first role starts.
Status MakeRegistry(Disk& disk, const Paths& paths, Clock& clock) {
  RETURN_IF_ERROR(disk.MakeFolders(paths.registry(), 0750));
  SystemRandom random;
  registry::RandomReferences references(random);
  const auto made = registry::Registry::Open(registry::DatabasePath(paths.root), references, clock);
  return made.ok() ? Ok() : Status(made.error());
}

// The gateway's log, still empty. Made here so that `sealed` gets its group before the first byte
// is in it.
Status MakeLog(Disk& disk, const Config& config, const Paths& paths) {
  log::LogOptions options;
  options.dir = paths.log();
  options.streams = gateway::StreamNames();
  options.partitions = config.log_partitions;
  options.shards = config.log_shards;
  options.segment_bytes = config.log_segment_bytes;
  options.unsynced_bytes_max = config.log_unsynced_bytes_max;
  ASSIGN_OR_RETURN(const std::unique_ptr<log::Log> made, log::Log::Open(disk, options));
  // How far the log is, and which config when, is no secret, and the vault reads it too.
  RETURN_IF_ERROR(SetMode(paths.log() + "/durable.map", kPublicMode));
  return SetMode(paths.log() + "/ledger", kPublicMode);
}

}  // namespace

Result<InitOutcome> Init(const InitOptions& options) {
  PosixDisk disk;
  SystemClock clock;
  const Paths paths(options.dir);
  RETURN_IF_ERROR(CheckEmpty(disk, options.dir));
  RETURN_IF_ERROR(CheckParts(options.layout));
  if (options.demo && options.config.environment_kind == "prod") {
    return Error{Code::kRefused, "--demo is refused in an environment of kind prod"};
  }
  InitOutcome outcome;
  ASSIGN_OR_RETURN(const std::optional<Users> users,
                   ChooseUsers(options.config, options.dir,
                               {options.layout.telltale, options.layout.vault}, outcome.warning));
  if (!users && options.config.environment_kind == "prod") {
    return Error{Code::kRefused, fmt::format("environment.kind prod refuses a vault under the "
                                             "same user: {}",
                                             outcome.warning)};
  }
  // Files get the modes named here, whatever the caller's habit.
  const mode_t before = umask(0022);
  const auto made = [&]() -> Status {
    RETURN_IF_ERROR(disk.MakeFolders(paths.data(), 0751));
    RETURN_IF_ERROR(MakeLog(disk, options.config, paths));
    RETURN_IF_ERROR(MakeFolders(disk, paths));
    const Micros now = clock.NowUtc();
    RETURN_IF_ERROR(MakeCertificates(disk, paths, options.demo, now));
    ASSIGN_OR_RETURN(const seal::KeyPair control_key, MakeKeys(disk, paths, options.demo));
    RETURN_IF_ERROR(MakeTransportKeys(disk, paths, now, options.demo));
    RETURN_IF_ERROR(control::MakeReleaseKey(disk, paths, options.demo));
    ASSIGN_OR_RETURN(outcome.release, MakeRelease(disk, options, paths, control_key, now));
    RETURN_IF_ERROR(MakeRegistry(disk, paths, clock));
    RETURN_IF_ERROR(SetOwnership(paths, users));
    RETURN_IF_ERROR(WriteFileDurably(
        disk, paths.vault_policy(),
        access::FirstPolicy(options.vault_uids, options.config.environment_kind), kPublicMode));
    // Last: a folder with a config is a whole one.
    return WriteFileDurably(disk, paths.config(), options.config.ToYaml(), kPublicMode);
  }();
  umask(before);
  RETURN_IF_ERROR(made);
  return outcome;
}

}  // namespace telltale::app
