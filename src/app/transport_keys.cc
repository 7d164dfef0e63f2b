#include "app/transport_keys.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "app/users.h"

namespace telltale::app {
namespace {

constexpr std::int64_t kDayUs = 86'400 * 1'000'000ll;
constexpr std::uint32_t kPublicMode = 0644;
constexpr std::uint32_t kVaultFolderMode = 0700;

std::string TransportFolder(const Paths& paths) { return paths.vault() + "/keys/transport"; }

// Root makes a key for the vault's user: whom the folder belongs to, the file belongs to.
Status GiveToOwnerOf(const std::string& folder, const std::string& path) {
  struct stat seen{};
  if (geteuid() != 0) return Ok();
  if (stat(folder.c_str(), &seen) != 0) {
    return Error{Code::kUnavailable, "cannot look at " + folder};
  }
  return SetOwner(path, {seen.st_uid, seen.st_gid}, seen.st_gid);
}

}  // namespace

std::string TransportBundlePath(const Paths& paths) { return paths.keys() + "/transport.bundle"; }
std::string OfflinePublicPath(const Paths& paths) { return paths.keys() + "/vault_offline.pub"; }
std::string OfflinePrivatePath(const Paths& paths) {
  return paths.root + "/offline/vault_offline.key";
}

Result<seal::TransportBundle> LoadBundle(Disk& disk, const Paths& paths) {
  ASSIGN_OR_RETURN(const std::string offline_public, seal::LoadKey(disk, OfflinePublicPath(paths)));
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadWholeFile(disk, TransportBundlePath(paths), seal::kTransportBundleBytesMax));
  return seal::OpenBundle(AsBytes(bytes), offline_public);
}

Result<seal::TransportBundle> MakeNextBundle(Disk& disk, const Paths& paths,
                                             const seal::TransportBundle& former,
                                             const NextKey& next) {
  seal::TransportBundle bundle;
  bundle.number = former.number + 1;
  bundle.created_at = next.now;
  // Those that have not begun are replaced by the new ones.
  for (const seal::TransportKey& key : former.keys) {
    if (key.not_after > next.now && key.not_before <= next.now) bundle.keys.push_back(key);
  }
  const std::uint32_t count = (next.days + kTransportKeyLifeDays - 1) / kTransportKeyLifeDays;
  if (bundle.keys.size() + count > seal::kTransportKeysMax) {
    return Error{Code::kTooBig, fmt::format("there are {} keys that have not ended; let some end",
                                            bundle.keys.size())};
  }
  const std::string folder = TransportFolder(paths);
  if (!disk.Exists(folder)) {
    RETURN_IF_ERROR(disk.MakeFolders(folder, kVaultFolderMode));
    RETURN_IF_ERROR(GiveToOwnerOf(paths.vault() + "/keys", folder));
  }
  const Micros until = next.now + Micros{std::int64_t{next.days} * kDayUs};
  constexpr Micros kLife{std::int64_t{kTransportKeyLifeDays} * kDayUs};
  for (Micros from = next.now; from < until; from = from + kLife) {
    ASSIGN_OR_RETURN(
        const seal::TransportKey made,
        seal::MakeTransportKey(disk, folder, from, std::min(from + kLife, until), next.is_demo));
    RETURN_IF_ERROR(GiveToOwnerOf(folder, folder + "/" + HexEncode(made.id) + ".key"));
    bundle.keys.push_back(made);
  }
  return bundle;
}

Status InstallBundle(Disk& disk, const Paths& paths, const std::string& signed_bundle,
                     const std::optional<std::string>& first_public, bool is_demo) {
  std::string offline_public;
  if (first_public) {
    offline_public = *first_public;
  } else {
    ASSIGN_OR_RETURN(offline_public, seal::LoadKey(disk, OfflinePublicPath(paths)));
  }
  ASSIGN_OR_RETURN(const seal::TransportBundle bundle,
                   seal::OpenBundle(AsBytes(signed_bundle), offline_public));
  // A damaged one may be replaced; the gateway remembers the number.
  const auto former = first_public ? Result<seal::TransportBundle>(seal::TransportBundle{})
                                   : LoadBundle(disk, paths);
  if (former.ok() && bundle.number <= former->number) {
    return Error{Code::kRefused, fmt::format("bundle {} does not follow bundle {}, which is in "
                                             "force",
                                             bundle.number, former->number)};
  }
  RETURN_IF_ERROR(WriteFileDurably(disk, TransportBundlePath(paths), signed_bundle, kPublicMode));
  if (!first_public) return Ok();
  return seal::StoreKey(disk, OfflinePublicPath(paths), offline_public, {.is_demo = is_demo});
}

Status MakeTransportKeys(Disk& disk, const Paths& paths, Micros now, bool is_demo) {
  ASSIGN_OR_RETURN(seal::KeyPair offline, seal::MakeEd25519());
  const auto made = [&]() -> Status {
    const std::string private_file = OfflinePrivatePath(paths);
    RETURN_IF_ERROR(disk.MakeFolders(ParentFolder(private_file), kVaultFolderMode));
    RETURN_IF_ERROR(seal::StoreKey(disk, private_file, offline.private_raw,
                                   {.is_private = true, .is_demo = is_demo}));
    ASSIGN_OR_RETURN(const seal::TransportBundle bundle,
                     MakeNextBundle(disk, paths, {}, {.now = now, .is_demo = is_demo}));
    ASSIGN_OR_RETURN(const std::string bytes,
                     seal::SignBundle(seal::EncodeUnsigned(bundle), offline.private_raw));
    return InstallBundle(disk, paths, bytes, offline.public_raw, is_demo);
  }();
  seal::Wipe(offline.private_raw);
  return made;
}

std::string TransportKeysWarning(Disk& disk, const Paths& paths, Micros now) {
  constexpr std::string_view kRemedy = "make one with `telltale vault transport-keys rotate`";
  if (!disk.Exists(OfflinePublicPath(paths))) {
    if (!disk.Exists(paths.keys() + "/vault_seal.pub")) return {};
    return fmt::format("positions are sealed for a key without an end: {}", kRemedy);
  }
  const auto bundle = LoadBundle(disk, paths);
  if (!bundle.ok())
    return fmt::format("{}: {}", TransportBundlePath(paths), bundle.error().message);
  if (bundle->NewestAt(now) == nullptr) {
    return fmt::format("no transport key is valid, so vehicles are not acknowledged: {}", kRemedy);
  }
  const Micros left = bundle->CoveredUntil(now) - now;
  if (left.value >= std::int64_t{kTransportKeyDueDays} * kDayUs) return {};
  return fmt::format("the last transport key ends in {} days: {}", left.value / kDayUs, kRemedy);
}

}  // namespace telltale::app
