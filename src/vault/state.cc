#include "vault/state.h"

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kMagic = "TVST";
constexpr const FormatVersion& kVersion = VersionOf(Format::kVaultState);
constexpr std::size_t kHashBytes = 32;

void PutHour(std::string& out, Hour hour) { PutLe(out, static_cast<std::uint32_t>(hour.value)); }
Hour GetHour(ByteReader& reader) { return Hour{reader.Get<std::uint32_t>()}; }

void ReadSegments(ByteReader& reader, State& state) {
  const auto count = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    SegmentRecord record;
    record.number = reader.Get<std::uint64_t>();
    record.expiry_hour = GetHour(reader);
    record.frame_class = static_cast<FrameClass>(reader.Get<std::uint8_t>());
    record.bytes = reader.Get<std::uint64_t>();
    record.frames = reader.Get<std::uint64_t>();
    state.segments[record.number] = record;
  }
}

void ReadRest(ByteReader& reader, State& state) {
  const auto contracts = reader.Get<std::uint16_t>();
  for (std::uint16_t i = 0; i < contracts && reader.ok(); ++i) {
    const auto number = reader.Get<std::uint32_t>();
    const auto config_seq = reader.Get<std::uint64_t>();
    state.contracts[number] = {config_seq, std::string(AsText(reader.TakeBlob()))};
  }
  const auto receipts = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < receipts && reader.ok(); ++i) {
    DestructionReceipt receipt;
    receipt.expiry_hour = GetHour(reader);
    receipt.segments = reader.Get<std::uint32_t>();
    receipt.frames = reader.Get<std::uint64_t>();
    receipt.bytes = reader.Get<std::uint64_t>();
    state.receipts[receipt.expiry_hour] = receipt;
  }
}

}  // namespace

std::string State::Encode() const {
  std::string out(kMagic);
  PutLe(out, static_cast<std::uint8_t>(kVersion.written));
  PutLe(out, static_cast<std::uint8_t>(kVersion.min_reader));
  PutLe<std::uint16_t>(out, 0);
  PutLe(out, next_segment);
  PutLe(out, destroyed_through.value);
  PutLe(out, audit.entries);
  const Result<std::string> hash = HexDecode(audit.hash);
  CHECK(hash.ok() && hash->size() == kHashBytes);
  out += *hash;
  PutLe(out, static_cast<std::uint16_t>(positions.size()));
  for (const std::string& position : positions) PutBlob(out, position);
  PutLe(out, static_cast<std::uint32_t>(segments.size()));
  for (const auto& [number, record] : segments) {
    PutLe(out, number);
    PutHour(out, record.expiry_hour);
    PutLe(out, static_cast<std::uint8_t>(record.frame_class));
    PutLe(out, record.bytes);
    PutLe(out, record.frames);
  }
  PutLe(out, static_cast<std::uint16_t>(contracts.size()));
  for (const auto& [number, record] : contracts) {
    PutLe(out, number);
    PutLe(out, record.config_seq);
    PutBlob(out, record.digest);
  }
  PutLe(out, static_cast<std::uint32_t>(receipts.size()));
  for (const auto& [hour, receipt] : receipts) {
    PutHour(out, hour);
    PutLe(out, receipt.segments);
    PutLe(out, receipt.frames);
    PutLe(out, receipt.bytes);
  }
  PutLe(out, Crc32c(AsBytes(out)));
  return out;
}

Result<State> State::Parse(ByteSpan bytes) {
  constexpr std::size_t kCrcBytes = 4;
  if (bytes.size() < 8 + kCrcBytes || !AsText(bytes).starts_with(kMagic)) {
    return Error{Code::kCorrupt, "not a vault state"};
  }
  RETURN_IF_ERROR(CheckReadable(Format::kVaultState, "the vault state", bytes[4], bytes[5]));
  const ByteSpan body = bytes.first(bytes.size() - kCrcBytes);
  if (GetLe<std::uint32_t>(bytes.data() + body.size()) != Crc32c(body)) {
    return Error{Code::kCorrupt, "the vault state fails its check"};
  }
  State state;
  ByteReader reader(body.subspan(8));
  state.next_segment = reader.Get<std::uint64_t>();
  state.destroyed_through = Hour{reader.Get<std::int64_t>()};
  state.audit.entries = reader.Get<std::uint64_t>();
  state.audit.hash = HexEncode(reader.Take(kHashBytes));
  const auto positions = reader.Get<std::uint16_t>();
  for (std::uint16_t i = 0; i < positions && reader.ok(); ++i) {
    state.positions.emplace_back(AsText(reader.TakeBlob()));
  }
  ReadSegments(reader, state);
  ReadRest(reader, state);
  if (!reader.ok() || reader.remaining() != 0) {
    return Error{Code::kCorrupt, "the vault state is cut"};
  }
  return state;
}

}  // namespace telltale::vault
