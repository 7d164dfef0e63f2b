// The bytes of an envelope: docs/formats/sealed-envelope.md.
#include <algorithm>

#include "base/format_version.h"
#include "seal/derive.h"
#include "seal/seal.h"

namespace telltale::seal {
namespace {

constexpr std::uint16_t kMagic = 0x4554;  // "TE"
constexpr std::uint8_t kMinimumReader = VersionOf(Format::kEnvelope).min_reader;
constexpr std::uint16_t kHeadBytes = 136;
constexpr std::size_t kHeadLengthAt = 4;
constexpr std::string_view kSignedText = "telltale sealed head v1";

template <typename T>
void Append(std::string& out, const T& bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

template <std::size_t N>
void Take(ByteReader& reader, std::array<std::uint8_t, N>& out) {
  const ByteSpan bytes = reader.Take(N);
  std::copy(bytes.begin(), bytes.end(), out.begin());
}

// Writes fixed-size values one after the other into an array.
class FixedWriter {
 public:
  explicit FixedWriter(std::uint8_t* at) : at_(at) {}
  template <typename T>
  void Put(T value) {
    std::memcpy(at_, &value, sizeof(T));
    at_ += sizeof(T);
  }

 private:
  std::uint8_t* at_;
};

}  // namespace

std::array<std::uint8_t, kBindingBytes> EncodeBinding(const Binding& binding) {
  std::array<std::uint8_t, kBindingBytes> out{};
  FixedWriter writer(out.data());
  writer.Put<std::uint8_t>(1);
  writer.Put(binding.vehicle.bytes);
  writer.Put(binding.boot.counter);
  writer.Put(binding.boot.random);
  writer.Put(binding.first_seq);
  writer.Put(binding.contract_number);
  writer.Put(static_cast<std::uint8_t>(binding.kind));
  return out;
}

std::string Binding::Encode() const {
  std::string out;
  Append(out, EncodeBinding(*this));
  return out;
}

void AppendEntry(std::string& plaintext, const SealedEntry& entry) {
  PutLe(plaintext, entry.seq);
  PutLe(plaintext, entry.event_time.value);
  PutBlob(plaintext, entry.fields);
}

Result<std::vector<SealedEntry>> ParseEntries(ByteSpan plaintext) {
  std::vector<SealedEntry> entries;
  ByteReader reader(plaintext);
  while (reader.remaining() > 0) {
    SealedEntry entry;
    entry.seq = reader.Get<std::uint64_t>();
    entry.event_time = Micros{reader.Get<std::int64_t>()};
    entry.fields = AsText(reader.TakeBlob());
    if (!reader.ok()) return Error{Code::kCorrupt, "sealed entries end in the middle of one"};
    entries.push_back(entry);
  }
  return entries;
}

std::size_t HeadBytes() { return kHeadBytes; }

std::size_t StoredHeadBytes(ByteSpan envelope) {
  return GetLe<std::uint16_t>(envelope.data() + kHeadLengthAt);
}

Result<EnvelopeHead> ParseHead(ByteSpan envelope) {
  ByteReader reader(envelope);
  const auto magic = reader.Get<std::uint16_t>();
  EnvelopeHead head;
  head.version = reader.Get<std::uint8_t>();
  const auto minimum_reader = reader.Get<std::uint8_t>();
  const auto head_bytes = reader.Get<std::uint16_t>();
  const auto flags = reader.Get<std::uint16_t>();
  if (!reader.ok() || magic != kMagic || head.version == 0) {
    return Error{Code::kCorrupt, "not a sealed envelope"};
  }
  RETURN_IF_ERROR(
      CheckReadable(Format::kEnvelope, "a sealed envelope", head.version, minimum_reader));
  if (head_bytes < kHeadBytes || flags != 0 || envelope.size() < head_bytes + kTagBytes) {
    return Error{Code::kCorrupt, "the sealed envelope is cut or its head is broken"};
  }
  Take(reader, head.vault_key_id);
  Take(reader, head.gateway_id);
  Take(reader, head.ephemeral_public);
  head.minute = reader.Get<std::uint64_t>();
  Take(reader, head.signature);
  head.counter = reader.Get<std::uint64_t>();
  return head;
}

void AppendHead(std::string& out, const EnvelopeHead& head) {
  PutLe(out, kMagic);
  PutLe(out, head.version);
  PutLe(out, kMinimumReader);
  PutLe(out, kHeadBytes);
  PutLe<std::uint16_t>(out, 0);
  Append(out, head.vault_key_id);
  Append(out, head.gateway_id);
  Append(out, head.ephemeral_public);
  PutLe(out, head.minute);
  Append(out, head.signature);
  PutLe(out, head.counter);
}

std::string SignedPart(const EnvelopeHead& head) {
  std::string out(kSignedText);
  PutLe(out, head.version);
  Append(out, head.vault_key_id);
  Append(out, head.gateway_id);
  Append(out, head.ephemeral_public);
  PutLe(out, head.minute);
  return out;
}

std::array<std::uint8_t, kNonceBytes> NonceOf(std::uint64_t counter) {
  std::array<std::uint8_t, kNonceBytes> nonce{};
  std::memcpy(nonce.data(), &counter, sizeof counter);
  return nonce;
}

}  // namespace telltale::seal
