#include "vault/ledger/ledger_records.h"

namespace telltale::vault {
namespace {

enum class Kind : std::uint8_t {
  kPresence = 1,
  kDropped = 2,
  kHeld = 3,
  kLifted = 4,
  kErased = 5,
  kWindow = 6,
};

constexpr std::int64_t kHourMost = INT32_MAX;

void PutMicros(std::string& out, Micros time) { PutLe(out, time.value); }
Micros GetMicros(ByteReader& reader) { return Micros{reader.Get<std::int64_t>()}; }

void PutOrdinals(std::string& out, const std::vector<std::uint32_t>& ordinals) {
  PutLe(out, static_cast<std::uint32_t>(ordinals.size()));
  out.append(reinterpret_cast<const char*>(ordinals.data()), ordinals.size() * 4);
}
std::vector<std::uint32_t> GetOrdinals(ByteReader& reader) {
  const ByteSpan bytes = reader.Take(std::size_t{reader.Get<std::uint32_t>()} * 4);
  std::vector<std::uint32_t> ordinals(bytes.size() / 4);
  if (!bytes.empty()) std::memcpy(ordinals.data(), bytes.data(), bytes.size());
  return ordinals;
}

struct Writer {
  std::string& out;
  void Head(Kind kind) const { PutLe(out, static_cast<std::uint8_t>(kind)); }

  void operator()(const PresenceRecord& record) const {
    Head(Kind::kPresence);
    PutHourKey(out, record.id);
    PutLe(out, record.window_hours);
    PutMicros(out, record.first_at);
    PutMicros(out, record.last_at);
    PutLe(out, record.frames);
    PutLe(out, record.late_frames);
    PutOrdinals(out, record.ordinals);
  }
  void operator()(const DroppedRecord& record) const {
    Head(Kind::kDropped);
    PutHourKey(out, record.id);
    PutMicros(out, record.at);
    PutLe(out, record.audit_entry);
  }
  void operator()(const HeldRecord& record) const {
    Head(Kind::kHeld);
    PutLe(out, record.hold);
    PutHourKey(out, record.id);
    PutMicros(out, record.at);
    PutBlob(out, record.vehicles.Encode());
  }
  void operator()(const LiftedRecord& record) const {
    Head(Kind::kLifted);
    PutLe(out, record.hold);
    PutMicros(out, record.at);
  }
  void operator()(const ErasedRecord& record) const {
    Head(Kind::kErased);
    PutMicros(out, record.at);
    PutOrdinals(out, record.ordinals);
  }
  void operator()(const WindowChange& record) const {
    Head(Kind::kWindow);
    PutLe(out, static_cast<std::uint8_t>(record.retention_class));
    PutMicros(out, record.at);
    PutLe(out, record.hours);
  }
};

bool ReadPresence(ByteReader& reader, std::vector<LedgerRecord>& records) {
  PresenceRecord record;
  if (!GetHourKey(reader, record.id)) return false;
  record.window_hours = reader.Get<std::uint32_t>();
  record.first_at = GetMicros(reader);
  record.last_at = GetMicros(reader);
  record.frames = reader.Get<std::uint64_t>();
  record.late_frames = reader.Get<std::uint64_t>();
  record.ordinals = GetOrdinals(reader);
  records.emplace_back(std::move(record));
  return true;
}

bool ReadHeld(ByteReader& reader, std::vector<LedgerRecord>& records) {
  HeldRecord record;
  record.hold = reader.Get<std::uint64_t>();
  if (!GetHourKey(reader, record.id)) return false;
  record.at = GetMicros(reader);
  Result<OrdinalSet> vehicles = OrdinalSet::Parse(reader.TakeBlob());
  if (!vehicles.ok()) return false;
  record.vehicles = std::move(vehicles).value();
  records.emplace_back(std::move(record));
  return true;
}

bool ReadOne(ByteReader& reader, std::vector<LedgerRecord>& records) {
  switch (static_cast<Kind>(reader.Get<std::uint8_t>())) {
    case Kind::kPresence:
      return ReadPresence(reader, records);
    case Kind::kDropped: {
      DroppedRecord record;
      if (!GetHourKey(reader, record.id)) return false;
      record.at = GetMicros(reader);
      record.audit_entry = reader.Get<std::uint64_t>();
      records.emplace_back(record);
      return true;
    }
    case Kind::kHeld:
      return ReadHeld(reader, records);
    case Kind::kLifted: {
      LiftedRecord record;
      record.hold = reader.Get<std::uint64_t>();
      record.at = GetMicros(reader);
      records.emplace_back(record);
      return true;
    }
    case Kind::kErased: {
      ErasedRecord record;
      record.at = GetMicros(reader);
      record.ordinals = GetOrdinals(reader);
      records.emplace_back(std::move(record));
      return true;
    }
    case Kind::kWindow: {
      WindowChange record;
      const auto number = reader.Get<std::uint8_t>();
      record.retention_class = static_cast<RetentionClass>(number);
      record.at = GetMicros(reader);
      record.hours = reader.Get<std::uint32_t>();
      records.emplace_back(record);
      return IsClass(number);
    }
  }
  return false;
}

}  // namespace

bool IsClass(std::uint8_t number) {
  return number <= static_cast<std::uint8_t>(RetentionClass::kHold);
}

void PutHourKey(std::string& out, const HourKeyId& id) {
  PutLe(out, static_cast<std::uint8_t>(id.retention_class));
  PutLe(out, id.hour.value);
}

bool GetHourKey(ByteReader& reader, HourKeyId& id) {
  const auto number = reader.Get<std::uint8_t>();
  id.retention_class = static_cast<RetentionClass>(number);
  id.hour = Hour{reader.Get<std::int64_t>()};
  return reader.ok() && IsClass(number) && id.hour.value >= -kHourMost &&
         id.hour.value <= kHourMost;
}

std::string EncodeRecords(std::span<const LedgerRecord> records) {
  std::string out;
  for (const LedgerRecord& record : records) std::visit(Writer{out}, record);
  return out;
}

Result<std::vector<LedgerRecord>> ParseRecords(ByteSpan bytes) {
  std::vector<LedgerRecord> records;
  ByteReader reader(bytes);
  while (reader.remaining() > 0) {
    if (!ReadOne(reader, records) || !reader.ok()) {
      return Error{Code::kCorrupt, "a batch of the presence ledger is not what was written"};
    }
  }
  return records;
}

}  // namespace telltale::vault
