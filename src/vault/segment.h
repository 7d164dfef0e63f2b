// The bytes of segments and frames, and their encryption under the hour's key. No file access.
// Bytes: docs/formats/vault-segment.md.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/reasons.h"
#include "seal/derive.h"
#include "vault/keys.h"

struct evp_cipher_ctx_st;

namespace telltale::vault {

enum class FrameClass : std::uint8_t {
  kData = 1,
  kQuarantine = 2,  // bytes the door refused, as opened
  kRefused = 3,     // envelopes that did not open, still sealed
  kUnknown = 4,     // fields that the contract had no place for
};
inline constexpr std::size_t kSegmentHeadBytes = 80;
inline constexpr std::size_t kFrameHeadBytes = 64;
inline constexpr std::size_t kSaltBytes = 32;

struct SegmentHead {
  FrameClass frame_class = FrameClass::kData;
  Hour expiry_hour;
  std::uint64_t number = 0;
  std::array<std::uint8_t, kSaltBytes> salt{};

  std::string Encode() const;
  //   kCorrupt cut or altered, kUnsupported newer
  static Result<SegmentHead> Parse(ByteSpan bytes);
};

// What lies in clear beside each frame.
struct FrameHead {
  FrameClass frame_class = FrameClass::kData;
  std::uint32_t cipher_bytes = 0;  // ciphertext and tag
  std::uint32_t contract_number = 0;
  std::uint64_t number = 0;
  VehicleRef vehicle;
  std::uint32_t first_event_hour = 0;
  std::uint32_t last_event_hour = 0;
  std::uint16_t reason = 0;

  std::string Encode() const;
  //   kCorrupt
  static Result<FrameHead> Parse(ByteSpan bytes);
};

struct FrameEntry {
  std::uint64_t seq = 0;
  Micros event_time;
  Micros basis;        // expires at basis + window
  std::string fields;  // wire bytes; quarantine: the refused bytes; refused: the envelope
};

// One record of `sealed`, or the part of it that expires in one hour.
struct Frame {
  FrameClass frame_class = FrameClass::kData;
  Reason reason = Reason::kNone;
  VehicleRef vehicle;
  BootId boot;
  std::uint32_t contract_number = 0;
  Micros receipt_time;
  PartitionId partition;
  Offset offset;
  std::string firmware;
  std::vector<FrameEntry> entries;

  Frame() = default;
  Frame(Frame&&) = default;
  Frame& operator=(Frame&&) = default;
  ~Frame();  // wipes what was opened

  std::string EncodePlain() const;
  // Fills what lies inside the ciphertext. kCorrupt.
  Status ParsePlain(ByteSpan plain);
  FrameHead HeadOf(std::uint64_t number, std::size_t plain_bytes) const;
};

// Encrypts and decrypts the frames of one segment. One thread.
class FrameCipher {
 public:
  //   kUnavailable  the crypto library refused
  static Result<FrameCipher> Make(const seal::SecretKey& hour_key, const SegmentHead& head);

  // Appends head, ciphertext and tag of frame `number`. Each number once per segment.
  Status Seal(const Frame& frame, std::uint64_t number, std::string& out);
  // `bytes` = one whole frame as stored. kCorrupt when it was altered or stood elsewhere.
  Result<Frame> Open(ByteSpan bytes);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  std::unique_ptr<evp_cipher_ctx_st, Free> context_;
  std::string segment_head_;
};

}  // namespace telltale::vault
