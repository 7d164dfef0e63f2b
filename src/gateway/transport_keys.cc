#include "gateway/transport_keys.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>

namespace telltale::gateway {
namespace {

constexpr std::int64_t kDayUs = 86'400 * 1'000'000ll;

void SetGauge(Counter& gauge, std::uint64_t to) { gauge.Add(to - gauge.value()); }

}  // namespace

TransportKeys::TransportKeys(Files files, Disk& disk, const Clock& clock, Counters& counters)
    : files_(std::move(files)),
      disk_(disk),
      clock_(clock),
      refused_(counters.Get("transport_bundles_refused")),
      missing_(counters.Get("transport_keys_missing")),
      days_left_(counters.Get("transport_keys_days_left")) {}

std::string TransportKeys::PublicAt(Micros now) const {
  MutexLock lock(mutex_);
  if (bundle_ == nullptr) return undated_;
  const seal::TransportKey* key = bundle_->NewestAt(now);
  return key == nullptr ? std::string() : std::string(AsText(key->public_raw));
}

bool TransportKeys::has_key() const { return !PublicAt(clock_.NowUtc()).empty(); }

void TransportKeys::Refresh() {
  const Status read = Read();
  if (!read.ok()) {
    refused_.Add();
    std::string failure = read.error().ToString();
    if (failure != failure_) spdlog::error("gateway: transport keys refused: {}", failure);
    failure_ = std::move(failure);
  } else {
    failure_.clear();
  }
  Judge();
}

// What is in force stays so when this fails.
Status TransportKeys::Read() {
  const std::string offline_file = files_.keys + "/vault_offline.pub";
  if (!disk_.Exists(offline_file)) return TakeUndated();
  ASSIGN_OR_RETURN(const std::string offline_public, seal::LoadKey(disk_, offline_file));
  const auto bytes =
      ReadWholeFile(disk_, files_.keys + "/transport.bundle", seal::kTransportBundleBytesMax);
  {
    // From the first look on nothing is sealed for a key without an end any more.
    MutexLock lock(mutex_);
    undated_.clear();
  }
  RETURN_IF_ERROR(bytes);
  return TakeBundle(*bytes, offline_public);
}

Status TransportKeys::TakeUndated() {
  {
    MutexLock lock(mutex_);
    if (bundle_ != nullptr) {
      return Error{Code::kNotFound, "vault_offline.pub is gone; the former bundle stays in force"};
    }
  }
  ASSIGN_OR_RETURN(std::string key, seal::LoadKey(disk_, files_.keys + "/vault_seal.pub"));
  if (!std::exchange(has_asked_for_dates_, true)) {
    spdlog::warn(
        "gateway: this installation seals for a key without an end; `telltale vault "
        "transport-keys rotate` gives it keys with dates");
  }
  MutexLock lock(mutex_);
  undated_ = std::move(key);
  return Ok();
}

Status TransportKeys::TakeBundle(const std::string& bytes, const std::string& offline_public) {
  LoadSeen();
  ASSIGN_OR_RETURN(seal::TransportBundle bundle, seal::OpenBundle(AsBytes(bytes), offline_public));
  const std::string digest = HexEncode(seal::Sha256(bytes));
  const bool is_same = bundle.number == seen_.number && digest == seen_.digest;
  if (bundle.number < seen_.number || (bundle.number == seen_.number && !is_same)) {
    return Error{Code::kRefused,
                 fmt::format("bundle {} comes after bundle {}: the number must rise", bundle.number,
                             seen_.number)};
  }
  if (!is_same) {
    seen_ = {bundle.number, digest};
    const Status stored = StoreSeen();
    if (!stored.ok()) spdlog::warn("gateway: {}", stored.error().ToString());
  }
  MutexLock lock(mutex_);
  if (bundle_ != nullptr && is_same) return Ok();
  spdlog::info("gateway: bundle {} of transport keys is in force: {} keys", bundle.number,
               bundle.keys.size());
  bundle_ = std::make_unique<const seal::TransportBundle>(std::move(bundle));
  return Ok();
}

// "<number> <digest>\n". One that cannot be read is as none: the signature still holds.
void TransportKeys::LoadSeen() {
  if (std::exchange(has_loaded_seen_, true)) return;
  const auto text = ReadWholeFile(disk_, files_.seen, 256);
  if (!text.ok()) return;
  const char* const end = text->data() + text->size();
  Seen seen;
  const auto [at, problem] = std::from_chars(text->data(), end, seen.number);
  if (problem != std::errc() || at == end || *at != ' ') return;
  seen.digest.assign(at + 1, std::find(at, end, '\n'));
  seen_ = std::move(seen);
}

Status TransportKeys::StoreSeen() {
  RETURN_IF_ERROR(disk_.MakeFolders(ParentFolder(files_.seen)));
  return WriteFileDurably(disk_, files_.seen, fmt::format("{} {}\n", seen_.number, seen_.digest),
                          0644);
}

// Tells people: once when the last key's end is near, once when there is none, once when it is well
// again.
void TransportKeys::Judge() {
  const Micros now = clock_.NowUtc();
  const bool is_missing = !has_key();
  SetGauge(missing_, is_missing ? 1 : 0);
  if (is_missing && !std::exchange(has_alarmed_, true)) {
    spdlog::error(
        "gateway: ALARM: no transport key of the vault is valid; nothing that needs sealing is "
        "acknowledged until `telltale vault transport-keys rotate` has made one");
  }
  if (!is_missing && std::exchange(has_alarmed_, false)) {
    spdlog::info("gateway: a transport key is valid again; vehicles are acknowledged");
  }
  MutexLock lock(mutex_);
  if (bundle_ == nullptr) return;
  const Micros left = bundle_->CoveredUntil(now) - now;
  SetGauge(days_left_, static_cast<std::uint64_t>(left.value / kDayUs));
  const bool is_near = !is_missing && left < kTransportKeyWarning;
  if (is_near && !has_warned_) {
    spdlog::warn("gateway: the last transport key ends in {} days; make the next one",
                 left.value / kDayUs);
  }
  has_warned_ = is_near;
}

}  // namespace telltale::gateway
