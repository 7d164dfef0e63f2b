#include "vault/ledger/intake_account.h"

#include <numeric>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kMagic = "TVIA";
constexpr const FormatVersion& kVersion = VersionOf(Format::kPresenceLedger);
constexpr std::size_t kHeadBytes = 8;
constexpr std::size_t kCrcBytes = 4;

void Skip(PartitionAccount& account, std::uint64_t next, Micros now) {
  if (next <= account.next) return;
  account.gap_offsets += next - account.next;
  if (account.gaps.size() < kGapsListedMax) account.gaps.push_back({account.next, next, now});
  account.next = next;
}

bool ReadPartition(ByteReader& reader, PartitionAccount& account) {
  account.first = reader.Get<std::uint64_t>();
  account.next = reader.Get<std::uint64_t>();
  const auto outcomes = reader.Get<std::uint8_t>();
  if (outcomes > kOutcomes) return false;
  for (std::uint8_t i = 0; i < outcomes; ++i) account.outcomes[i] = reader.Get<std::uint64_t>();
  account.gap_offsets = reader.Get<std::uint64_t>();
  account.repeated = reader.Get<std::uint64_t>();
  const auto gaps = reader.Get<std::uint32_t>();
  if (gaps > kGapsListedMax) return false;
  for (std::uint32_t i = 0; i < gaps && reader.ok(); ++i) {
    OffsetGap gap;
    gap.from = reader.Get<std::uint64_t>();
    gap.to = reader.Get<std::uint64_t>();
    gap.at = Micros{reader.Get<std::int64_t>()};
    account.gaps.push_back(gap);
  }
  return reader.ok() && account.first <= account.next;
}

}  // namespace

std::string_view NameOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kStored:
      return "stored";
    case Outcome::kQuarantined:
      return "quarantined";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kExpired:
      return "dropped_expired";
    case Outcome::kWindowZero:
      return "dropped_window_zero";
    case Outcome::kErasedVehicle:
      return "dropped_erased_vehicle";
    case Outcome::kControl:
      return "control";
  }
  return "none";
}

std::uint64_t PartitionAccount::Sum() const {
  return std::accumulate(outcomes.begin(), outcomes.end(), std::uint64_t{0});
}

void IntakeAccount::StartAt(PartitionId partition, Offset first) {
  PartitionAccount& account = partitions_[partition];
  CHECK(account.next == account.first && account.gap_offsets == 0);
  account.first = account.next = first.value;
}

Arrival IntakeAccount::Add(PartitionId partition, Offset offset, Outcome outcome, Micros now) {
  return AddRun(partition, offset, 1, outcome, now);
}

Arrival IntakeAccount::AddRun(PartitionId partition, Offset first, std::uint64_t count,
                              Outcome outcome, Micros now) {
  PartitionAccount& account = partitions_[partition];
  const std::uint64_t end = first.value + count;
  Arrival arrival = Arrival::kInOrder;
  std::uint64_t from = first.value;
  if (from < account.next) {
    const std::uint64_t again = std::min(end, account.next) - from;
    account.repeated += again;
    from += again;
    arrival = Arrival::kRepeated;
  } else if (from > account.next) {
    Skip(account, from, now);
    arrival = Arrival::kAfterGap;
  }
  account.outcomes[static_cast<std::size_t>(outcome)] += end - from;
  account.next = std::max(account.next, end);
  return arrival;
}

std::string IntakeAccount::Encode() const {
  std::string out(kMagic);
  PutLe(out, static_cast<std::uint8_t>(kVersion.written));
  PutLe(out, static_cast<std::uint8_t>(kVersion.min_reader));
  PutLe(out, static_cast<std::uint16_t>(partitions_.size()));
  for (const auto& [partition, account] : partitions_) {
    PutLe(out, partition.value);
    PutLe(out, account.first);
    PutLe(out, account.next);
    PutLe(out, static_cast<std::uint8_t>(kOutcomes));
    for (const std::uint64_t count : account.outcomes) PutLe(out, count);
    PutLe(out, account.gap_offsets);
    PutLe(out, account.repeated);
    PutLe(out, static_cast<std::uint32_t>(account.gaps.size()));
    for (const OffsetGap& gap : account.gaps) {
      PutLe(out, gap.from);
      PutLe(out, gap.to);
      PutLe(out, gap.at.value);
    }
  }
  PutLe(out, Crc32c(AsBytes(out)));
  return out;
}

Result<IntakeAccount> IntakeAccount::Parse(ByteSpan bytes) {
  if (bytes.size() < kHeadBytes + kCrcBytes || !AsText(bytes).starts_with(kMagic)) {
    return Error{Code::kCorrupt, "not an account of the stream"};
  }
  RETURN_IF_ERROR(
      CheckReadable(Format::kPresenceLedger, "the account of the stream", bytes[4], bytes[5]));
  const ByteSpan checked = bytes.first(bytes.size() - kCrcBytes);
  if (GetLe<std::uint32_t>(bytes.data() + checked.size()) != Crc32c(checked)) {
    return Error{Code::kCorrupt, "the account of the stream fails its check"};
  }
  const Error cut{Code::kCorrupt, "the account of the stream is cut"};
  ByteReader reader(checked.subspan(6));
  const auto partitions = reader.Get<std::uint16_t>();
  IntakeAccount parsed;
  for (std::uint16_t i = 0; i < partitions; ++i) {
    const PartitionId partition{reader.Get<std::uint16_t>()};
    const auto [at, is_new] = parsed.partitions_.try_emplace(partition);
    if (!is_new || !ReadPartition(reader, at->second)) return cut;
  }
  if (!reader.ok() || reader.remaining() != 0) return cut;
  return parsed;
}

}  // namespace telltale::vault
