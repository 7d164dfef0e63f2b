#include "vault/state.h"

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kStateMagic = "TVST";
constexpr std::size_t kHashBytes = 32;

Hour GetHour(ByteReader& reader) { return Hour{reader.Get<std::uint32_t>()}; }

void ReadSegments(ByteReader& reader, StateOfFormat1& state) {
  const auto count = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    SegmentRecord record;
    record.scheme = KeyScheme::kHour;
    record.number = reader.Get<std::uint64_t>();
    record.hour = GetHour(reader);
    record.frame_class = static_cast<FrameClass>(reader.Get<std::uint8_t>());
    record.bytes = reader.Get<std::uint64_t>();
    record.frames = reader.Get<std::uint64_t>();
    state.segments.push_back(record);
  }
}

void ReadRest(ByteReader& reader, StateOfFormat1& state) {
  const auto contracts = reader.Get<std::uint16_t>();
  for (std::uint16_t i = 0; i < contracts && reader.ok(); ++i) {
    const auto number = reader.Get<std::uint32_t>();
    const auto config_seq = reader.Get<std::uint64_t>();
    state.contracts[number] = {config_seq, std::string(AsText(reader.TakeBlob()))};
  }
  const auto receipts = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < receipts && reader.ok(); ++i) {
    HourEnd receipt;
    receipt.id = {RetentionClass::kLegacy, GetHour(reader)};
    receipt.due_at = StartOf(receipt.id.hour);
    receipt.segments = reader.Get<std::uint32_t>();
    receipt.frames = reader.Get<std::uint64_t>();
    receipt.bytes = reader.Get<std::uint64_t>();
    state.receipts.push_back(receipt);
  }
}

}  // namespace

Result<StateOfFormat1> StateOfFormat1::Parse(ByteSpan bytes) {
  constexpr std::size_t kCrcBytes = 4;
  if (bytes.size() < 8 + kCrcBytes || !AsText(bytes).starts_with(kStateMagic)) {
    return Error{Code::kCorrupt, "not a vault state"};
  }
  RETURN_IF_ERROR(CheckReadable(Format::kVaultState, "the vault state", bytes[4], bytes[5]));
  const ByteSpan body = bytes.first(bytes.size() - kCrcBytes);
  if (GetLe<std::uint32_t>(bytes.data() + body.size()) != Crc32c(body)) {
    return Error{Code::kCorrupt, "the vault state fails its check"};
  }
  StateOfFormat1 state;
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
