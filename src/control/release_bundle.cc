#include "control/release_bundle.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/format_version.h"
#include "base/sha256.h"
#include "control/release_files.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::size_t kSignatureBytesMax = 4096;
constexpr std::size_t kSignatureRawBytes = 64;
constexpr std::string_view kSignedHead = "telltale release 1";
constexpr std::string_view kKeySuffix = ".pub";

bool IsKeyName(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() != '-' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

// "2026-11-30T17:05:00Z" and nothing else.
bool IsTime(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00Z";
  return text.size() == kShape.size() &&
         std::equal(text.begin(), text.end(), kShape.begin(), [](char c, char shape) {
           return shape == '0' ? c >= '0' && c <= '9' : c == shape;
         });
}

}  // namespace

std::string BuiltAtText(Micros at) {
  constexpr std::int64_t kSecond = 1'000'000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(static_cast<std::time_t>(at.value / kSecond)));
}

std::string SignedText(const ReleaseBundle& bundle, std::string_view built_at) {
  return fmt::format("{}\n{}\n{}\n{}\n", kSignedHead, bundle.id(), HexSha256(bundle.declared),
                     built_at);
}

Status SignBundle(ReleaseBundle& bundle, const seal::KeyPair& key, Micros built_at) {
  const std::string time = BuiltAtText(built_at);
  ASSIGN_OR_RETURN(const std::string signature,
                   seal::SignEd25519(key.private_raw, SignedText(bundle, time)));
  const json object = {{"format", VersionOf(Format::kReleaseSignature).written},
                       {"built_at", time},
                       {"key_id", HexEncode(seal::KeyId(key.public_raw))},
                       {"signature", HexEncode(signature)}};
  bundle.signature = object.dump();
  return Ok();
}

Result<ReleaseSignature> ParseSignature(std::string_view text) {
  const Error corrupt{Code::kCorrupt, "this is no signature of a release"};
  if (text.size() > kSignatureBytesMax) return corrupt;
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || !object.contains("format")) return corrupt;
  if (!object["format"].is_number_unsigned()) return corrupt;
  const auto format = object["format"].get<std::uint64_t>();
  if (format == 0) return corrupt;
  RETURN_IF_ERROR(
      CheckReadable(Format::kReleaseSignature, "the release's signature", format, format));
  ReleaseSignature signature;
  std::string hex;
  for (const auto& [key, into] : {std::pair{"built_at", &signature.built_at},
                                  {"key_id", &signature.key_id},
                                  {"signature", &hex}}) {
    const auto at = object.find(key);
    if (at == object.end() || !at->is_string()) return corrupt;
    *into = at->get<std::string>();
  }
  const auto raw = HexDecode(hex);
  if (!raw.ok() || raw->size() != kSignatureRawBytes || !IsTime(signature.built_at)) return corrupt;
  signature.signature = *raw;
  // One form: a signature of other bytes is none, so no byte of it can be changed.
  const json same = {{"format", format},
                     {"built_at", signature.built_at},
                     {"key_id", signature.key_id},
                     {"signature", HexEncode(signature.signature)}};
  if (same.dump(-1, ' ', false, json::error_handler_t::replace) != text) return corrupt;
  return signature;
}

std::string ReleaseKeysFolder(const Paths& paths) { return paths.data() + "/control/release-keys"; }

Result<std::vector<TrustedKey>> ReadTrustedKeys(Disk& disk, const Paths& paths) {
  std::vector<TrustedKey> keys;
  const auto names = disk.List(ReleaseKeysFolder(paths));
  if (!names.ok()) {
    if (names.error().code == Code::kNotFound) return keys;
    return names.error();
  }
  for (const std::string& file : *names) {
    if (!file.ends_with(kKeySuffix)) continue;
    TrustedKey key{
        .name = file.substr(0, file.size() - kKeySuffix.size()), .key_id = {}, .public_raw = {}};
    ASSIGN_OR_RETURN(key.public_raw, seal::LoadKey(disk, ReleaseKeysFolder(paths) + "/" + file));
    key.key_id = HexEncode(seal::KeyId(key.public_raw));
    keys.push_back(std::move(key));
  }
  return keys;
}

Status TrustKey(Disk& disk, const Paths& paths, const std::string& name,
                const std::string& public_file) {
  if (!IsKeyName(name)) {
    return Error{Code::kInvalid, "a key's name is 1 to 63 of a-z, 0-9 and -, not beginning with -"};
  }
  ASSIGN_OR_RETURN(const std::string raw, seal::LoadKey(disk, public_file));
  ASSIGN_OR_RETURN(const bool is_demo, seal::IsDemoKey(disk, public_file));
  RETURN_IF_ERROR(disk.MakeFolders(ReleaseKeysFolder(paths), kReleaseFolderMode));
  return seal::StoreKey(disk, fmt::format("{}/{}{}", ReleaseKeysFolder(paths), name, kKeySuffix),
                        raw, {.is_demo = is_demo});
}

Status MakeReleaseKey(Disk& disk, const Paths& paths, bool is_demo) {
  ASSIGN_OR_RETURN(const seal::KeyPair key, seal::MakeEd25519());
  RETURN_IF_ERROR(seal::StoreKey(disk, paths.keys() + "/release.key", key.private_raw,
                                 {.is_private = true, .is_demo = is_demo}));
  const std::string public_file = paths.keys() + "/release.pub";
  RETURN_IF_ERROR(seal::StoreKey(disk, public_file, key.public_raw, {.is_demo = is_demo}));
  return TrustKey(disk, paths, "local", public_file);
}

Result<TrustedKey> VerifyBundle(const ReleaseBundle& bundle,
                                const std::vector<TrustedKey>& trusted) {
  if (bundle.signature.empty()) {
    return Error{
        Code::kRefused,
        "the release is not signed: build it with --key, or sign it with `telltale release "
        "sign`"};
  }
  ASSIGN_OR_RETURN(const ReleaseSignature signature, ParseSignature(bundle.signature));
  const auto key = std::find_if(trusted.begin(), trusted.end(), [&](const TrustedKey& one) {
    return one.key_id == signature.key_id;
  });
  if (key == trusted.end()) {
    return Error{
        Code::kRefused,
        fmt::format("the release is signed by key {}, which is not trusted here: `telltale "
                    "release key trust` adds one",
                    signature.key_id.substr(0, 16))};
  }
  if (!seal::VerifyEd25519(key->public_raw, SignedText(bundle, signature.built_at),
                           signature.signature)) {
    return Error{Code::kRefused,
                 "the release is not what was signed: a byte of its manifest, its declared changes "
                 "or its signature was changed"};
  }
  return *key;
}

}  // namespace telltale::control
