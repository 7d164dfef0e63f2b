#include "control/http/tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format_version.h"
#include "base/sha256.h"
#include "net/http_token.h"

namespace telltale::control {
namespace {

using nlohmann::json;

std::string Base64Url(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  std::uint32_t held = 0;
  int bits = 0;
  for (const std::uint8_t byte : bytes) {
    held = (held << 8 | byte) & 0xffffu;
    for (bits += 8; bits >= 6; bits -= 6) text += kDigits[held >> (bits - 6) & 63];
  }
  if (bits > 0) text += kDigits[held << (6 - bits) & 63];
  return text;
}

Result<TokenEntry> EntryOf(const json& one, const Error& corrupt) {
  if (!one.is_object()) return corrupt;
  const auto name = one.find("name");
  const auto sha256 = one.find("sha256");
  const auto created = one.find("created_at_us");
  if (name == one.end() || !name->is_string() || sha256 == one.end() || !sha256->is_string() ||
      created == one.end() || !created->is_number_integer()) {
    return corrupt;
  }
  TokenEntry entry{name->get<std::string>(), sha256->get<std::string>(),
                   Micros{created->get<std::int64_t>()}};
  if (!IsTokenName(entry.name) || !IsSha256Hex(entry.sha256)) return corrupt;
  return entry;
}

Status WriteTokens(Disk& disk, const std::string& path, const std::vector<TokenEntry>& entries) {
  const std::uint32_t version = VersionOf(Format::kControlTokens).written;
  json tokens = json::array();
  for (const TokenEntry& entry : entries) {
    tokens.push_back({{"name", entry.name},
                      {"sha256", entry.sha256},
                      {"created_at_us", entry.created_at.value}});
  }
  return WriteFileDurably(disk, path, json{{"format", version}, {"tokens", tokens}}.dump(2) + "\n",
                          0640);
}

}  // namespace

bool IsTokenName(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !name.empty() && name.size() <= kTokenNameBytesMax && name[0] != '-' &&
         name.find_first_not_of(kLetters) == std::string_view::npos;
}

std::string TokensPath(const Paths& paths) { return paths.data() + "/control/tokens.json"; }

std::string TokenDigest(std::string_view token) { return HexEncode(Sha256Of(AsBytes(token))); }

Result<std::vector<TokenEntry>> ReadTokens(Disk& disk, const std::string& path) {
  std::vector<TokenEntry> entries;
  if (!disk.Exists(path)) return entries;
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, path, 1u << 20));
  const Error corrupt{Code::kCorrupt, path + " is damaged: remove it and make new tokens"};
  const json file = json::parse(text, nullptr, false);
  if (!file.is_object() || !file.contains("format") || !file["format"].is_number_unsigned() ||
      !file.contains("tokens") || !file["tokens"].is_array() ||
      file["tokens"].size() > kTokensMax) {
    return corrupt;
  }
  const auto version = file["format"].get<std::uint64_t>();
  RETURN_IF_ERROR(CheckReadable(Format::kControlTokens, path, version, version));
  for (const json& one : file["tokens"]) {
    ASSIGN_OR_RETURN(TokenEntry entry, EntryOf(one, corrupt));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::string> NewToken(Disk& disk, Random& random, const std::string& path,
                             const std::string& name, Micros now) {
  if (!IsTokenName(name)) {
    return Error{Code::kInvalid,
                 "a token's name has 1 to 63 of a-z, 0-9 and -, and begins with no -"};
  }
  ASSIGN_OR_RETURN(std::vector<TokenEntry> entries, ReadTokens(disk, path));
  const bool is_taken = std::any_of(entries.begin(), entries.end(),
                                    [&](const TokenEntry& one) { return one.name == name; });
  if (is_taken) {
    return Error{Code::kExists, "there is a token " + name + "; revoke it first, or take another"};
  }
  if (entries.size() >= kTokensMax) {
    return Error{Code::kTooBig, "there are " + std::to_string(kTokensMax) +
                                    " tokens; revoke those that nobody needs"};
  }
  std::array<std::uint8_t, 32> bytes{};
  random.Fill(bytes);
  std::string token = Base64Url(bytes);
  entries.push_back({name, TokenDigest(token), now});
  RETURN_IF_ERROR(WriteTokens(disk, path, entries));
  return token;
}

Status RevokeToken(Disk& disk, const std::string& path, const std::string& name) {
  ASSIGN_OR_RETURN(std::vector<TokenEntry> entries, ReadTokens(disk, path));
  const auto gone = std::remove_if(entries.begin(), entries.end(),
                                   [&](const TokenEntry& one) { return one.name == name; });
  if (gone == entries.end()) return Error{Code::kNotFound, "there is no token " + name};
  entries.erase(gone, entries.end());
  return WriteTokens(disk, path, entries);
}

void TokenBook::SetLocal(const std::string& token, const std::string& subject) {
  MutexLock lock(mutex_);
  local_digest_ = token.empty() ? "" : TokenDigest(token);
  local_subject_ = subject;
}

void TokenBook::Set(std::vector<TokenEntry> entries) {
  MutexLock lock(mutex_);
  entries_ = std::move(entries);
}

std::string TokenBook::SubjectOf(std::string_view token) const {
  if (token.empty()) return "";
  const std::string digest = TokenDigest(token);
  std::string subject;
  MutexLock lock(mutex_);
  for (const TokenEntry& entry : entries_) {
    if (net::IsSameSecret(entry.sha256, digest)) subject = "token:" + entry.name;
  }
  if (net::IsSameSecret(local_digest_, digest)) subject = local_subject_;
  return subject;
}

}  // namespace telltale::control
