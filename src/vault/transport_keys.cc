#include "vault/transport_keys.h"

#include <openssl/evp.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "base/free_with.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kSuffix = ".key";
constexpr std::uint64_t kFileBytesMax = 4096;

Result<std::string> PublicOfX25519(std::string_view private_raw) {
  const std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>> key(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_X25519, nullptr, AsBytes(private_raw).data(), private_raw.size()));
  std::string raw(seal::kKeyBytes, '\0');
  std::size_t size = raw.size();
  if (key == nullptr || EVP_PKEY_get_raw_public_key(
                            key.get(), reinterpret_cast<std::uint8_t*>(raw.data()), &size) != 1) {
    return Error{Code::kInvalid, "the vault's seal key is not an X25519 private key"};
  }
  return raw;
}

seal::VaultKeyId IdOf(std::string_view public_raw) {
  seal::VaultKeyId id{};
  const std::string raw = seal::KeyId(public_raw);
  std::copy(raw.begin(), raw.end(), id.begin());
  return id;
}

// Never beyond the end of time: a key with an absurd end is kept, not destroyed by an overflow.
Micros EndOf(Micros not_after, Micros keep_for) {
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  return not_after.value > kLast - keep_for.value ? Micros{kLast} : not_after + keep_for;
}

void KeepFirst(Status& first, Status next) {
  if (first.ok()) first = std::move(next);
}

}  // namespace

Status TransportKeys::AddUndated(std::string_view private_raw) {
  if (private_raw.size() != seal::kKeyBytes) {
    return Error{Code::kInvalid, "the vault's seal key has 32 bytes"};
  }
  ASSIGN_OR_RETURN(std::string public_raw, PublicOfX25519(private_raw));
  Key& key = keys_[IdOf(public_raw)];
  std::copy(private_raw.begin(), private_raw.end(), key.private_raw.data());
  key.public_raw = std::move(public_raw);
  return Ok();
}

Status TransportKeys::Reload() {
  if (disk_ == nullptr) return Ok();
  const auto names = disk_->List(folder_);
  if (!names.ok()) return names.error().code == Code::kNotFound ? Ok() : Status(names.error());
  Status first;
  for (const std::string& name : *names) {
    if (name.ends_with(kSuffix)) KeepFirst(first, ReadOne(name));
  }
  return first;
}

Status TransportKeys::ReadOne(const std::string& name) {
  const auto id = HexDecode(std::string_view(name).substr(0, name.size() - kSuffix.size()));
  if (!id.ok() || id->size() != seal::kKeyIdBytes) {
    return Error{Code::kInvalid, name + " is not named after a transport key; it is ignored"};
  }
  seal::VaultKeyId at{};
  std::copy(id->begin(), id->end(), at.begin());
  if (keys_.contains(at)) return Ok();
  ASSIGN_OR_RETURN(std::string file, ReadWholeFile(*disk_, folder_ + "/" + name, kFileBytesMax));
  seal::TransportPrivateKey read;
  const Status parsed = seal::ParsePrivate(AsBytes(file), read);
  seal::Wipe(file);
  if (!parsed.ok()) return Annotate(parsed.error(), name);
  ASSIGN_OR_RETURN(std::string public_raw, PublicOfX25519(read.private_raw.text()));
  if (IdOf(public_raw) != at || read.id != at) {
    return Error{Code::kInvalid, name + " is not named after the key in it; it is ignored"};
  }
  Key& key = keys_[at];
  std::copy(read.private_raw.data(), read.private_raw.data() + seal::kKeyBytes,
            key.private_raw.data());
  key.public_raw = std::move(public_raw);
  key.not_before = read.not_before;
  key.not_after = read.not_after;
  key.has_dates = true;
  return Ok();
}

const TransportKeys::Key* TransportKeys::Find(const seal::VaultKeyId& id) const {
  const auto found = keys_.find(id);
  return found == keys_.end() ? nullptr : &found->second;
}

Status TransportKeys::DestroyFile(const std::string& path) const {
  Status first;
  auto file = disk_->Open(path, OpenMode::kReadWrite);
  if (!file.ok() && file.error().code == Code::kNotFound) return Ok();
  if (file.ok()) {
    const auto size = (*file)->Size();
    const std::string zeros(size.ok() ? *size : seal::kTransportPrivateBytes, '\0');
    KeepFirst(first, (*file)->WriteAt(0, AsBytes(zeros)));
    KeepFirst(first, (*file)->Sync());
  } else {
    first = file.error();
  }
  KeepFirst(first, disk_->Remove(path));
  return first;
}

Status DestroyExpiredTransportKeys(TransportKeys& keys, Micros now, Micros keep_for) {
  if (keys.disk_ == nullptr) return Ok();
  const auto names = keys.disk_->List(keys.folder_);
  if (!names.ok()) return names.error().code == Code::kNotFound ? Ok() : Status(names.error());
  Status first;
  bool has_destroyed = false;
  // In memory at once, whatever becomes of the files.
  keys.forgotten_ += std::erase_if(keys.keys_, [&](const auto& entry) {
    return entry.second.has_dates && EndOf(entry.second.not_after, keep_for) <= now;
  });
  // By the files, not by what is in memory: a former call may have got no further.
  for (const std::string& name : *names) {
    if (!name.ends_with(kSuffix)) continue;
    const std::string path = keys.folder_ + "/" + name;
    auto file = ReadWholeFile(*keys.disk_, path, kFileBytesMax);
    if (!file.ok()) {
      KeepFirst(first, file.error());
      continue;
    }
    const auto head = seal::ParsePrivateHead(AsBytes(*file));
    // Overwritten, but still there: power went between the two steps.
    const bool is_blank =
        !file->empty() && std::all_of(file->begin(), file->end(), [](char c) { return c == 0; });
    seal::Wipe(*file);
    if (!head.ok() && !is_blank) continue;  // told by Reload()
    if (head.ok() && EndOf(head->not_after, keep_for) > now) continue;
    KeepFirst(first, keys.DestroyFile(path));
    has_destroyed = true;
  }
  if (has_destroyed) KeepFirst(first, keys.disk_->SyncFolder(keys.folder_));
  return first;
}

std::vector<std::pair<std::string, Micros>> TransportKeys::Ends() const {
  std::vector<std::pair<std::string, Micros>> ends;
  for (const auto& [id, key] : keys_) {
    if (key.has_dates) ends.emplace_back("transport key " + HexEncode(id), key.not_after);
  }
  return ends;
}

}  // namespace telltale::vault
