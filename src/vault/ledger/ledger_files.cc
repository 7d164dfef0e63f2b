// The ledger's index and hour files as bytes.
#include <fmt/format.h>

#include "base/checksum.h"
#include "base/format_version.h"
#include "vault/ledger/ledger_records.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kIndexMagic = "TVPI";
constexpr std::string_view kHourMagic = "TVPH";
constexpr const FormatVersion& kVersion = VersionOf(Format::kPresenceLedger);
constexpr std::size_t kHeadBytes = 8;
constexpr std::size_t kCrcBytes = 4;

std::string Head(std::string_view magic) {
  std::string out(magic);
  PutLe(out, static_cast<std::uint8_t>(kVersion.written));
  PutLe(out, static_cast<std::uint8_t>(kVersion.min_reader));
  PutLe<std::uint16_t>(out, 0);
  return out;
}

// The bytes between head and CRC.
Result<ByteSpan> Body(ByteSpan bytes, std::string_view magic, const char* what) {
  if (bytes.size() < kHeadBytes + kCrcBytes || !AsText(bytes).starts_with(magic)) {
    return Error{Code::kCorrupt, fmt::format("not {}", what)};
  }
  RETURN_IF_ERROR(CheckReadable(Format::kPresenceLedger, what, bytes[4], bytes[5]));
  const ByteSpan checked = bytes.first(bytes.size() - kCrcBytes);
  if (GetLe<std::uint32_t>(bytes.data() + checked.size()) != Crc32c(checked)) {
    return Error{Code::kCorrupt, fmt::format("{} fails its check", what)};
  }
  return checked.subspan(kHeadBytes);
}

void PutLife(std::string& out, const Life& life) {
  PutLe(out, life.window_hours);
  PutLe(out, life.first_stored.value);
  PutLe(out, life.last_stored.value);
  PutLe(out, life.frames);
  PutLe(out, life.late_frames);
  PutLe(out, static_cast<std::uint8_t>(life.dropped));
  PutLe(out, life.dropped_at.value);
  PutLe(out, life.audit_entry);
}

Life GetLife(ByteReader& reader) {
  Life life;
  life.window_hours = reader.Get<std::uint32_t>();
  life.first_stored = Micros{reader.Get<std::int64_t>()};
  life.last_stored = Micros{reader.Get<std::int64_t>()};
  life.frames = reader.Get<std::uint64_t>();
  life.late_frames = reader.Get<std::uint64_t>();
  life.dropped = reader.Get<std::uint8_t>() != 0;
  life.dropped_at = Micros{reader.Get<std::int64_t>()};
  life.audit_entry = reader.Get<std::uint64_t>();
  return life;
}

bool ReadHours(ByteReader& reader, LedgerIndex& index) {
  const auto count = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    HourState hour;
    if (!GetHourKey(reader, hour.id)) return false;
    hour.vehicles = reader.Get<std::uint64_t>();
    const auto lives = reader.Get<std::uint32_t>();
    for (std::uint32_t n = 0; n < lives && reader.ok(); ++n) hour.lives.push_back(GetLife(reader));
    if (hour.lives.empty()) return false;
    if (!index.hours.empty() && !(index.hours.back().id < hour.id)) return false;
    index.hours.push_back(std::move(hour));
  }
  return reader.ok();
}

bool ReadHolds(ByteReader& reader, LedgerIndex& index) {
  const auto count = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    HoldState& hold = index.holds[reader.Get<std::uint64_t>()];
    hold.placed_at = Micros{reader.Get<std::int64_t>()};
    hold.lifted = reader.Get<std::uint8_t>() != 0;
    hold.lifted_at = Micros{reader.Get<std::int64_t>()};
    const auto hours = reader.Get<std::uint32_t>();
    for (std::uint32_t n = 0; n < hours && reader.ok(); ++n) {
      HourKeyId id;
      if (!GetHourKey(reader, id)) return false;
      const Micros since{reader.Get<std::int64_t>()};
      Result<OrdinalSet> vehicles = OrdinalSet::Parse(reader.TakeBlob());
      if (!vehicles.ok()) return false;
      hold.hours[id] = {since, std::make_shared<OrdinalSet>(std::move(vehicles).value())};
    }
  }
  return reader.ok();
}

bool ReadWindowsAndErasures(ByteReader& reader, LedgerIndex& index) {
  const auto windows = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < windows && reader.ok(); ++i) {
    const auto number = reader.Get<std::uint8_t>();
    const Micros at{reader.Get<std::int64_t>()};
    index.windows.push_back({static_cast<RetentionClass>(number), at, reader.Get<std::uint32_t>()});
    if (!IsClass(number)) return false;
  }
  const auto erasures = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < erasures && reader.ok(); ++i) {
    const Micros at{reader.Get<std::int64_t>()};
    index.erasures.push_back({at, reader.Get<std::uint32_t>()});
  }
  return reader.ok() && reader.remaining() == 0;
}

}  // namespace

std::string LedgerIndex::Encode() const {
  std::string out = Head(kIndexMagic);
  PutLe(out, begun_at.value);
  PutLe(out, pruned_before.value);
  PutLe(out, folded_through);
  PutLe(out, static_cast<std::uint32_t>(hours.size()));
  for (const HourState& hour : hours) {
    PutHourKey(out, hour.id);
    PutLe(out, hour.vehicles);
    PutLe(out, static_cast<std::uint32_t>(hour.lives.size()));
    for (const Life& life : hour.lives) PutLife(out, life);
  }
  PutLe(out, static_cast<std::uint32_t>(holds.size()));
  for (const auto& [number, hold] : holds) {
    PutLe(out, number);
    PutLe(out, hold.placed_at.value);
    PutLe(out, static_cast<std::uint8_t>(hold.lifted));
    PutLe(out, hold.lifted_at.value);
    PutLe(out, static_cast<std::uint32_t>(hold.hours.size()));
    for (const auto& [id, held] : hold.hours) {
      PutHourKey(out, id);
      PutLe(out, held.since.value);
      PutBlob(out, held.vehicles->Encode());
    }
  }
  PutLe(out, static_cast<std::uint32_t>(windows.size()));
  for (const WindowChange& change : windows) {
    PutLe(out, static_cast<std::uint8_t>(change.retention_class));
    PutLe(out, change.at.value);
    PutLe(out, change.hours);
  }
  PutLe(out, static_cast<std::uint32_t>(erasures.size()));
  for (const Erasure& erasure : erasures) {
    PutLe(out, erasure.at.value);
    PutLe(out, erasure.ordinal);
  }
  PutLe(out, Crc32c(AsBytes(out)));
  return out;
}

Result<LedgerIndex> LedgerIndex::Parse(ByteSpan bytes) {
  ASSIGN_OR_RETURN(const ByteSpan body, Body(bytes, kIndexMagic, "the presence ledger's index"));
  LedgerIndex index;
  ByteReader reader(body);
  index.begun_at = Micros{reader.Get<std::int64_t>()};
  index.pruned_before = Micros{reader.Get<std::int64_t>()};
  index.folded_through = reader.Get<std::uint64_t>();
  if (!ReadHours(reader, index) || !ReadHolds(reader, index) ||
      !ReadWindowsAndErasures(reader, index)) {
    return Error{Code::kCorrupt, "the presence ledger's index is cut"};
  }
  return index;
}

std::string EncodeHourFile(const HourKeyId& id, const OrdinalSet& vehicles) {
  std::string out = Head(kHourMagic);
  PutHourKey(out, id);
  out += vehicles.Encode();
  PutLe(out, Crc32c(AsBytes(out)));
  return out;
}

Result<OrdinalSet> ParseHourFile(ByteSpan bytes, const HourKeyId& id) {
  ASSIGN_OR_RETURN(const ByteSpan body, Body(bytes, kHourMagic, "an hour of the presence ledger"));
  ByteReader reader(body);
  HourKeyId found;
  if (!GetHourKey(reader, found) || found != id) {
    return Error{Code::kCorrupt, "a file of the presence ledger is of another hour than its name"};
  }
  return OrdinalSet::Parse(body.last(reader.remaining()));
}

}  // namespace telltale::vault
