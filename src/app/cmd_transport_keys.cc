#include "app/cmd_transport_keys.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/transport_keys.h"
#include "base/clock.h"

namespace telltale::app {
namespace {

constexpr std::int64_t kDayUs = 86'400 * 1'000'000ll;
constexpr std::uint32_t kFileMode = 0644;
constexpr std::uint32_t kDaysMax = 366;

struct TransportKeysFlags {
  std::string dir;
  std::uint32_t days = kTransportKeyDays;
  std::uint32_t when_left_days = 0;
  std::string offline_key;
  std::string unsigned_out;
  std::string in;
  std::string out;
  bool as_json = false;
};

Result<std::string> ReadBundle(Disk& disk, const std::string& path) {
  return ReadWholeFile(disk, path, seal::kTransportBundleBytesMax);
}

void Describe(const seal::TransportBundle& bundle, Micros now) {
  fmt::print("bundle {}: {} keys, the last ends {}\n", bundle.number, bundle.keys.size(),
             FormatUtc(bundle.CoveredUntil(now)));
}

// The offline key of an installation that has none yet, made where it is said to be.
Result<seal::KeyPair> MakeOfflineKey(Disk& disk, const std::string& path, bool is_demo) {
  ASSIGN_OR_RETURN(seal::KeyPair pair, seal::MakeEd25519());
  RETURN_IF_ERROR(disk.MakeFolders(ParentFolder(path), 0700));
  RETURN_IF_ERROR(
      seal::StoreKey(disk, path, pair.private_raw, {.is_private = true, .is_demo = is_demo}));
  fmt::print("the vault's offline key is made: {}; move it to another machine\n", path);
  return pair;
}

// The bundle that the next one follows. A bundle that was lost is followed by the number that the
// gateway remembers, without the lost one's keys.
Result<seal::TransportBundle> Former(Disk& disk, const Paths& paths) {
  if (disk.Exists(TransportBundlePath(paths))) return LoadBundle(disk, paths);
  seal::TransportBundle lost;
  const auto seen = ReadWholeFile(disk, paths.log() + "/transport.seen", 256);
  if (seen.ok()) std::from_chars(seen->data(), seen->data() + seen->size(), lost.number);
  return lost;
}

Status Rotate(const TransportKeysFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  const Micros now = SystemClock().NowUtc();
  const bool is_first = !disk.Exists(OfflinePublicPath(paths));
  seal::TransportBundle former;
  bool is_demo = false;
  if (is_first) {
    if (!flags.unsigned_out.empty()) {
      return Error{Code::kInvalid,
                   "the first bundle makes the offline key, too: leave --unsigned out"};
    }
    const auto mark = seal::IsDemoKey(disk, paths.keys() + "/gateway.pub");
    is_demo = mark.ok() && *mark;
  } else {
    ASSIGN_OR_RETURN(former, Former(disk, paths));
    ASSIGN_OR_RETURN(is_demo, seal::IsDemoKey(disk, OfflinePublicPath(paths)));
  }
  const Micros left = former.CoveredUntil(now) - now;
  if (flags.when_left_days > 0 && left.value >= std::int64_t{flags.when_left_days} * kDayUs) {
    fmt::print("nothing to do: keys for {} days are there\n", left.value / kDayUs);
    return Ok();
  }
  const std::string key_file =
      flags.offline_key.empty() ? OfflinePrivatePath(paths) : flags.offline_key;
  seal::KeyPair offline;
  if (is_first) {
    ASSIGN_OR_RETURN(offline, MakeOfflineKey(disk, key_file, is_demo));
  } else if (flags.unsigned_out.empty()) {
    // Before a key is made that nobody could sign for.
    ASSIGN_OR_RETURN(offline.private_raw, seal::LoadKey(disk, key_file));
  }
  ASSIGN_OR_RETURN(
      const seal::TransportBundle bundle,
      MakeNextBundle(disk, paths, former, {.now = now, .days = flags.days, .is_demo = is_demo}));
  const std::string bytes = seal::EncodeUnsigned(bundle);
  Describe(bundle, SystemClock().NowUtc());
  if (!flags.unsigned_out.empty()) {
    RETURN_IF_ERROR(WriteFileDurably(disk, flags.unsigned_out, bytes, kFileMode));
    fmt::print("not in force: sign {} on the other machine, then install it\n", flags.unsigned_out);
    return Ok();
  }
  const Result<std::string> signed_bundle = seal::SignBundle(bytes, offline.private_raw);
  seal::Wipe(offline.private_raw);
  RETURN_IF_ERROR(signed_bundle);
  return InstallBundle(disk, paths, *signed_bundle,
                       is_first ? std::optional<std::string>(offline.public_raw) : std::nullopt,
                       is_demo);
}

Status Sign(const TransportKeysFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const std::string bundle, ReadBundle(disk, flags.in));
  ASSIGN_OR_RETURN(std::string key, seal::LoadKey(disk, flags.offline_key));
  const Result<std::string> signed_bundle = seal::SignBundle(bundle, key);
  seal::Wipe(key);
  RETURN_IF_ERROR(signed_bundle);
  return WriteFileDurably(disk, flags.out, *signed_bundle, kFileMode);
}

Status Install(const TransportKeysFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const std::string bundle, ReadBundle(disk, flags.in));
  return InstallBundle(disk, Paths(flags.dir), bundle);
}

const char* StateOf(const seal::TransportKey& key, const seal::TransportBundle& bundle,
                    Micros now) {
  if (&key == bundle.NewestAt(now)) return "in use";
  if (key.IsValidAt(now)) return "valid";
  return key.not_after <= now ? "ended" : "to come";
}

Status List(const TransportKeysFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  const Micros now = SystemClock().NowUtc();
  const std::string warning = TransportKeysWarning(disk, paths, now);
  seal::TransportBundle bundle;
  if (disk.Exists(OfflinePublicPath(paths))) {
    ASSIGN_OR_RETURN(bundle, LoadBundle(disk, paths));
  }
  nlohmann::json keys = nlohmann::json::array();
  for (const seal::TransportKey& key : bundle.keys) {
    keys.push_back({{"id", HexEncode(key.id)},
                    {"not_before", FormatUtc(key.not_before)},
                    {"not_after", FormatUtc(key.not_after)},
                    {"state", StateOf(key, bundle, now)}});
    if (flags.as_json) continue;
    fmt::print("{}  {}  {}  {}\n", HexEncode(key.id), FormatUtc(key.not_before),
               FormatUtc(key.not_after), StateOf(key, bundle, now));
  }
  if (flags.as_json) {
    const nlohmann::json all{{"bundle", bundle.number},
                             {"created_at", FormatUtc(bundle.created_at)},
                             {"keys", keys},
                             {"warning", warning}};
    fmt::print("{}\n", all.dump());
  } else if (!warning.empty()) {
    fmt::print(stderr, "warning: {}\n", warning);
  }
  return Ok();
}

void AddDir(CLI::App& command, TransportKeysFlags& flags) {
  command.add_option("--dir", flags.dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
}

void AddRotate(CLI::App& keys, const std::shared_ptr<TransportKeysFlags>& flags, int& exit_code) {
  CLI::App* rotate =
      keys.add_subcommand("rotate", "Make the next key and put it in force with a signed bundle");
  AddDir(*rotate, *flags);
  rotate->add_option("--days", flags->days, "How long the key is valid, from now")
      ->check(CLI::Range(1u, kDaysMax))
      ->capture_default_str();
  rotate->add_option("--when-left", flags->when_left_days,
                     "Do nothing while there are keys for this many days; for a timer");
  CLI::Option* key = rotate->add_option("--key", flags->offline_key,
                                        "The offline key; default DIR/offline/vault_offline.key");
  rotate
      ->add_option("--unsigned", flags->unsigned_out,
                   "Write the bundle to this file for `sign` on the other machine")
      ->excludes(key);
  rotate->callback([flags, &exit_code] { exit_code = ExitCode(Rotate(*flags)); });
}

}  // namespace

void AddTransportKeysCommand(CLI::App& vault, int& exit_code) {
  const auto flags = std::make_shared<TransportKeysFlags>();
  CLI::App* keys = vault.add_subcommand(
      "transport-keys", "Dated keys that gateways seal for, in a bundle signed by an offline key");
  keys->require_subcommand(1);
  AddRotate(*keys, flags, exit_code);
  CLI::App* list = keys->add_subcommand("list", "The keys of the bundle in force");
  AddDir(*list, *flags);
  list->add_flag("--json", flags->as_json, "One JSON object");
  list->callback([flags, &exit_code] { exit_code = ExitCode(List(*flags)); });
  CLI::App* sign = keys->add_subcommand("sign", "Sign a bundle; needs no installation");
  sign->add_option("--key", flags->offline_key, "The vault's offline key")->required();
  sign->add_option("--in", flags->in, "What `rotate --unsigned` wrote")->required();
  sign->add_option("--out", flags->out, "The signed bundle, for `install`")->required();
  sign->callback([flags, &exit_code] { exit_code = ExitCode(Sign(*flags)); });
  CLI::App* install = keys->add_subcommand("install", "Put a signed bundle in force");
  AddDir(*install, *flags);
  install->add_option("--in", flags->in, "The signed bundle")->required();
  install->callback([flags, &exit_code] { exit_code = ExitCode(Install(*flags)); });
}

}  // namespace telltale::app
