#include "vault/segment.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <limits>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kSegmentMagic = "TVSG";
constexpr const FormatVersion& kVersion = VersionOf(Format::kVaultSegment);
constexpr std::size_t kSegmentCrcAt = 76;
constexpr std::string_view kSegmentKeyInfo = "telltale vault segment v1";
constexpr std::string_view kFrameKeyInfo = "telltale vault frame v2";

template <std::size_t N>
void Take(ByteReader& reader, std::array<std::uint8_t, N>& out) {
  const ByteSpan bytes = reader.Take(N);
  std::copy(bytes.begin(), bytes.end(), out.begin());
}

bool IsFrameClass(std::uint8_t value) { return value >= 1 && value <= 4; }
// What segments of scheme 2 may be of: not legacy, and exports have files of their own.
bool IsRetentionClass(std::uint8_t value) {
  return IsFrameClass(value) || value == static_cast<std::uint8_t>(RetentionClass::kHold);
}

std::uint32_t EventHourOf(Micros time) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(HourOf(time).value, 0, std::numeric_limits<std::uint32_t>::max()));
}

Error Refused() { return Error{Code::kUnavailable, "the crypto library refused a frame"}; }

}  // namespace

std::string SegmentHead::Encode() const {
  const bool legacy = scheme == KeyScheme::kHour;
  std::string out(kSegmentMagic);
  PutLe(out, static_cast<std::uint8_t>(legacy ? 1 : kVersion.written));
  PutLe(out, static_cast<std::uint8_t>(legacy ? 1 : kVersion.min_reader));
  PutLe(out, static_cast<std::uint16_t>(kSegmentHeadBytes));
  PutLe(out, static_cast<std::uint8_t>(legacy ? static_cast<std::uint8_t>(frame_class) : 0));
  PutLe(out, static_cast<std::uint8_t>(scheme));
  PutLe(out, static_cast<std::uint8_t>(legacy ? RetentionClass::kLegacy : retention_class));
  PutLe<std::uint8_t>(out, 0);
  PutLe(out, static_cast<std::uint32_t>(hour.value));
  PutLe(out, number);
  out += AsText(salt);
  PutLe(out, partition.value);
  PutLe<std::uint16_t>(out, 0);
  PutLe(out, window_hours);
  out.resize(kSegmentCrcAt);
  PutLe(out, Crc32c(AsBytes(out)));
  return out;
}

Result<SegmentHead> SegmentHead::Parse(ByteSpan bytes) {
  if (bytes.size() < kSegmentHeadBytes || !AsText(bytes).starts_with(kSegmentMagic)) {
    return Error{Code::kCorrupt, "not a vault segment"};
  }
  RETURN_IF_ERROR(CheckReadable(Format::kVaultSegment, "a vault segment", bytes[4], bytes[5]));
  const bool legacy = bytes[9] == static_cast<std::uint8_t>(KeyScheme::kHour);
  const bool known = legacy ? IsFrameClass(bytes[8]) && bytes[10] == 0
                            : bytes[9] == static_cast<std::uint8_t>(KeyScheme::kHourAndVehicle) &&
                                  bytes[8] == 0 && IsRetentionClass(bytes[10]);
  if (GetLe<std::uint32_t>(bytes.data() + kSegmentCrcAt) != Crc32c(bytes.first(kSegmentCrcAt)) ||
      GetLe<std::uint16_t>(bytes.data() + 6) != kSegmentHeadBytes || !known) {
    return Error{Code::kCorrupt, "the head of a vault segment is damaged"};
  }
  SegmentHead head;
  ByteReader reader(bytes.subspan(8));
  const auto frame_class = reader.Get<std::uint8_t>();
  head.scheme = static_cast<KeyScheme>(reader.Get<std::uint8_t>());
  head.retention_class = static_cast<RetentionClass>(reader.Get<std::uint8_t>());
  if (legacy) head.frame_class = static_cast<FrameClass>(frame_class);
  reader.Take(1);
  head.hour = Hour{reader.Get<std::uint32_t>()};
  head.number = reader.Get<std::uint64_t>();
  Take(reader, head.salt);
  head.partition = PartitionId{reader.Get<std::uint16_t>()};
  reader.Take(2);
  head.window_hours = reader.Get<std::uint32_t>();
  return head;
}

std::string FrameHead::Encode() const {
  std::string out;
  PutLe<std::uint32_t>(out, 0);
  PutLe(out, static_cast<std::uint16_t>(kFrameHeadBytes));
  PutLe(out, static_cast<std::uint8_t>(frame_class));
  PutLe<std::uint8_t>(out, 0);
  PutLe(out, cipher_bytes);
  PutLe(out, contract_number);
  PutLe(out, number);
  out += AsText(vehicle.bytes);
  PutLe(out, first_event_hour);
  PutLe(out, last_event_hour);
  out += AsText(seal::NonceOf(number));
  PutLe(out, reason);
  PutLe<std::uint16_t>(out, 0);
  const std::uint32_t crc = Crc32c(AsBytes(out).subspan(4));
  std::memcpy(out.data(), &crc, sizeof crc);
  return out;
}

Result<FrameHead> FrameHead::Parse(ByteSpan bytes) {
  ByteReader reader(bytes);
  const auto crc = reader.Get<std::uint32_t>();
  if (bytes.size() < kFrameHeadBytes || crc != Crc32c(bytes.subspan(4, kFrameHeadBytes - 4))) {
    return Error{Code::kCorrupt, "the head of a frame is cut or altered"};
  }
  FrameHead head;
  const auto head_bytes = reader.Get<std::uint16_t>();
  const auto frame_class = reader.Get<std::uint8_t>();
  const auto flags = reader.Get<std::uint8_t>();
  head.cipher_bytes = reader.Get<std::uint32_t>();
  head.contract_number = reader.Get<std::uint32_t>();
  head.number = reader.Get<std::uint64_t>();
  Take(reader, head.vehicle.bytes);
  head.first_event_hour = reader.Get<std::uint32_t>();
  head.last_event_hour = reader.Get<std::uint32_t>();
  const ByteSpan nonce = reader.Take(seal::kNonceBytes);
  head.reason = reader.Get<std::uint16_t>();
  if (head_bytes != kFrameHeadBytes || !IsFrameClass(frame_class) || flags != 0 ||
      head.cipher_bytes < seal::kTagBytes || AsText(nonce) != AsText(seal::NonceOf(head.number))) {
    return Error{Code::kCorrupt, "the head of a frame is not one of ours"};
  }
  head.frame_class = static_cast<FrameClass>(frame_class);
  return head;
}

Frame::~Frame() {
  for (FrameEntry& entry : entries) seal::Wipe(entry.fields);
}

void Frame::CopyDescriptionOf(const Frame& other) {
  frame_class = other.frame_class;
  reason = other.reason;
  vehicle = other.vehicle;
  boot = other.boot;
  contract_number = other.contract_number;
  receipt_time = other.receipt_time;
  partition = other.partition;
  offset = other.offset;
  firmware = other.firmware;
}

std::string Frame::EncodePlain() const {
  std::string out;
  PutLe(out, boot.counter);
  PutLe(out, boot.random);
  PutLe(out, receipt_time.value);
  PutLe(out, partition.value);
  PutLe(out, offset.value);
  PutBlob(out, firmware);
  PutLe(out, static_cast<std::uint32_t>(entries.size()));
  for (const FrameEntry& entry : entries) {
    PutLe(out, entry.seq);
    PutLe(out, entry.event_time.value);
    PutLe(out, entry.basis.value);
    PutBlob(out, entry.fields);
  }
  return out;
}

Status Frame::ParsePlain(ByteSpan plain) {
  ByteReader reader(plain);
  boot.counter = reader.Get<std::uint32_t>();
  boot.random = reader.Get<std::uint64_t>();
  receipt_time = Micros{reader.Get<std::int64_t>()};
  partition = PartitionId{reader.Get<std::uint16_t>()};
  offset = Offset{reader.Get<std::uint64_t>()};
  firmware = AsText(reader.TakeBlob());
  const auto count = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    FrameEntry entry;
    entry.seq = reader.Get<std::uint64_t>();
    entry.event_time = Micros{reader.Get<std::int64_t>()};
    entry.basis = Micros{reader.Get<std::int64_t>()};
    entry.fields = AsText(reader.TakeBlob());
    if (reader.ok()) entries.push_back(std::move(entry));
  }
  if (!reader.ok() || reader.remaining() != 0) {
    return Error{Code::kCorrupt, "the inside of a frame is not one of ours"};
  }
  return Ok();
}

FrameHead Frame::HeadOf(std::uint64_t number, std::size_t plain_bytes) const {
  FrameHead head;
  head.frame_class = frame_class;
  head.cipher_bytes = static_cast<std::uint32_t>(plain_bytes + seal::kTagBytes);
  head.contract_number = contract_number;
  head.number = number;
  head.vehicle = vehicle;
  head.reason = static_cast<std::uint16_t>(reason);
  head.first_event_hour = std::numeric_limits<std::uint32_t>::max();
  for (const FrameEntry& entry : entries) {
    head.first_event_hour = std::min(head.first_event_hour, EventHourOf(entry.event_time));
    head.last_event_hour = std::max(head.last_event_hour, EventHourOf(entry.event_time));
  }
  return head;
}

void FrameCipher::Free::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);
}

Result<FrameCipher> FrameCipher::Make(const SegmentHead& head) {
  FrameCipher cipher;
  cipher.context_.reset(EVP_CIPHER_CTX_new());
  cipher.head_ = head;
  cipher.head_bytes_ = head.Encode();
  if (cipher.context_ == nullptr) return Refused();
  return cipher;
}

Status FrameCipher::DeriveKey(const ParentKeys& parents, const VehicleRef& vehicle,
                              seal::SecretKey& key) const {
  const bool legacy = head_.scheme == KeyScheme::kHour;
  std::array<std::uint8_t, 2 * seal::kKeyBytes> both{};
  std::copy_n(parents.hour.data(), seal::kKeyBytes, both.begin());
  if (!legacy) std::copy_n(parents.vehicle.data(), seal::kKeyBytes, both.begin() + seal::kKeyBytes);
  std::string info(legacy ? kSegmentKeyInfo : kFrameKeyInfo);
  PutLe(info, head_.number);
  PutLe(info, static_cast<std::uint32_t>(head_.hour.value));
  if (!legacy) {
    PutLe(info, static_cast<std::uint8_t>(head_.retention_class));
    PutLe(info, head_.partition.value);
    info += AsText(vehicle.bytes);
  }
  const Status derived =
      seal::HkdfSha256(ByteSpan(both).first(legacy ? seal::kKeyBytes : both.size()),
                       AsText(head_.salt), info, {key.data(), key.size()});
  OPENSSL_cleanse(both.data(), both.size());
  return derived;
}

Status FrameCipher::Seal(const ParentKeys& parents, const Frame& frame, std::uint64_t number,
                         std::string& out) {
  seal::SecretKey key;
  RETURN_IF_ERROR(DeriveKey(parents, frame.vehicle, key));
  std::string plain = frame.EncodePlain();
  if (plain.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) / 2) {
    seal::Wipe(plain);
    return Error{Code::kTooBig, "a frame larger than any batch"};
  }
  const std::string head = frame.HeadOf(number, plain.size()).Encode();
  const auto nonce = seal::NonceOf(number);
  const std::size_t start = out.size();
  out += head;
  out.resize(out.size() + plain.size() + seal::kTagBytes);
  auto* body = reinterpret_cast<std::uint8_t*>(out.data()) + start + head.size();
  EVP_CIPHER_CTX* context = context_.get();
  int done = 0;
  const bool sealed =
      EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nullptr, key.data(), nonce.data(), 1) == 1 &&
      EVP_CipherUpdate(context, nullptr, &done, AsBytes(head_bytes_).data(),
                       static_cast<int>(head_bytes_.size())) == 1 &&
      EVP_CipherUpdate(context, nullptr, &done, AsBytes(head).data(),
                       static_cast<int>(head.size())) == 1 &&
      EVP_CipherUpdate(context, body, &done, AsBytes(plain).data(),
                       static_cast<int>(plain.size())) == 1 &&
      EVP_CipherFinal_ex(context, body + plain.size(), &done) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, seal::kTagBytes, body + plain.size()) == 1;
  seal::Wipe(plain);
  if (sealed) return Ok();
  out.resize(start);
  return Refused();
}

Result<Frame> FrameCipher::Open(const ParentKeys& parents, ByteSpan bytes) {
  ASSIGN_OR_RETURN(const FrameHead head, FrameHead::Parse(bytes));
  if (bytes.size() != kFrameHeadBytes + head.cipher_bytes ||
      head.cipher_bytes > static_cast<std::uint32_t>(std::numeric_limits<int>::max())) {
    return Error{Code::kCorrupt, "a frame is cut"};
  }
  seal::SecretKey key;
  RETURN_IF_ERROR(DeriveKey(parents, head.vehicle, key));
  const ByteSpan body = bytes.subspan(kFrameHeadBytes, head.cipher_bytes - seal::kTagBytes);
  std::array<std::uint8_t, seal::kTagBytes> tag{};
  std::copy(bytes.end() - seal::kTagBytes, bytes.end(), tag.begin());
  const auto nonce = seal::NonceOf(head.number);
  std::string plain(body.size(), '\0');
  auto* out = reinterpret_cast<std::uint8_t*>(plain.data());
  EVP_CIPHER_CTX* context = context_.get();
  int done = 0;
  const bool opened =
      EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nullptr, key.data(), nonce.data(), 0) == 1 &&
      EVP_CipherUpdate(context, nullptr, &done, AsBytes(head_bytes_).data(),
                       static_cast<int>(head_bytes_.size())) == 1 &&
      EVP_CipherUpdate(context, nullptr, &done, bytes.data(), kFrameHeadBytes) == 1 &&
      EVP_CipherUpdate(context, out, &done, body.data(), static_cast<int>(body.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, seal::kTagBytes, tag.data()) == 1 &&
      EVP_CipherFinal_ex(context, out + body.size(), &done) == 1;
  Frame frame;
  frame.frame_class = head.frame_class;
  frame.reason = static_cast<Reason>(head.reason);
  frame.vehicle = head.vehicle;
  frame.contract_number = head.contract_number;
  const Status parsed = opened ? frame.ParsePlain(AsBytes(plain))
                               : Status(Error{Code::kCorrupt, "a frame was altered or moved"});
  seal::Wipe(plain);
  RETURN_IF_ERROR(parsed);
  return frame;
}

}  // namespace telltale::vault
