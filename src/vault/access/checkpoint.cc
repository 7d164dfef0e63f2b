#include "vault/access/checkpoint.h"

#include <fmt/format.h>

#include "seal/seal.h"

namespace telltale::vault {
namespace {

constexpr std::size_t kRawKeyBytes = 32;

std::string PublicPath(const std::string& path) { return path.substr(0, path.rfind('.')) + ".pub"; }

}  // namespace

Result<std::string> AuditKey(Disk& disk, const std::string& path) {
  // The public half is written first: with the private one there both are.
  if (!disk.Exists(path)) {
    ASSIGN_OR_RETURN(const seal::KeyPair pair, seal::MakeEd25519());
    RETURN_IF_ERROR(disk.MakeFolders(ParentFolder(path), 0700));
    RETURN_IF_ERROR(seal::StoreKey(disk, PublicPath(path), pair.public_raw, false));
    RETURN_IF_ERROR(seal::StoreKey(disk, path, pair.private_raw, true));
    return pair.private_raw + pair.public_raw;
  }
  ASSIGN_OR_RETURN(const std::string private_raw, seal::LoadKey(disk, path));
  ASSIGN_OR_RETURN(const std::string public_raw, seal::LoadKey(disk, PublicPath(path)));
  return private_raw + public_raw;
}

Result<nlohmann::json> SignCheckpoint(const AuditHead& head, Micros now,
                                      const std::string& private_key) {
  const std::string at = FormatUtc(now);
  const std::string text =
      fmt::format("telltale vault audit checkpoint v1\n{}\n{}\n{}\n", head.entries, head.hash, at);
  ASSIGN_OR_RETURN(const std::string signature,
                   seal::SignEd25519(private_key.substr(0, kRawKeyBytes), text));
  return nlohmann::json{{"v", 1},
                        {"entries", head.entries},
                        {"hash", head.hash},
                        {"at", at},
                        {"key", HexEncode(private_key.substr(kRawKeyBytes))},
                        {"signature", HexEncode(signature)}};
}

}  // namespace telltale::vault
