// The bytes of segments and frames, and their encryption under the keys of hour and vehicle. No
// file access. Bytes: docs/formats/vault-segment.md.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/reasons.h"
#include "seal/derive.h"
#include "vault/hour.h"
#include "vault/retention_class.h"

struct evp_cipher_ctx_st;

namespace telltale::vault {

// What a frame holds; a held frame keeps its class in a segment of RetentionClass::kHold.
enum class FrameClass : std::uint8_t {
  kData = 1,
  kQuarantine = 2,  // bytes the door refused, as opened
  kRefused = 3,     // envelopes that did not open, still sealed
  kUnknown = 4,     // fields that the contract had no place for
};
inline constexpr std::size_t kSegmentHeadBytes = 80;
inline constexpr std::size_t kFrameHeadBytes = 64;
inline constexpr std::size_t kSaltBytes = 32;

// The retention class of what is not held.
constexpr RetentionClass RetentionOf(FrameClass frame_class) {
  return static_cast<RetentionClass>(frame_class);
}

enum class KeyScheme : std::uint8_t {
  kHour = 1,            // format 1: the hour's key alone; read, never written
  kHourAndVehicle = 2,  // each frame under a key of both parents
};

struct SegmentHead {
  KeyScheme scheme = KeyScheme::kHourAndVehicle;
  RetentionClass retention_class = RetentionClass::kPosition;
  // Scheme 1: the class of all its frames. Scheme 2: each frame says its own.
  FrameClass frame_class = FrameClass::kData;
  PartitionId partition;
  // Basis hour; scheme 1: expiry hour; kHold: the hold's number.
  Hour hour;
  std::uint32_t window_hours = 0;  // in force when it was begun; 0 = none (scheme 1, holds)
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

  // All but the entries.
  void CopyDescriptionOf(const Frame& other);
  std::string EncodePlain() const;
  // Fills what lies inside the ciphertext. kCorrupt.
  Status ParsePlain(ByteSpan plain);
  FrameHead HeadOf(std::uint64_t number, std::size_t plain_bytes) const;
};

// The two parents of a frame's key.
struct ParentKeys {
  seal::SecretKey hour;
  seal::SecretKey vehicle;  // not read under scheme 1
};

// Encrypts and decrypts the frames of one segment, each vehicle's under a key of its own. One
// thread.
class FrameCipher {
 public:
  //   kUnavailable  the crypto library refused
  static Result<FrameCipher> Make(const SegmentHead& head);

  // Appends head, ciphertext and tag of frame `number`. Each number once per segment.
  Status Seal(const ParentKeys& parents, const Frame& frame, std::uint64_t number,
              std::string& out);
  // `bytes` = one whole frame as stored. kCorrupt when it was altered or stood elsewhere, or a
  // parent is another.
  Result<Frame> Open(const ParentKeys& parents, ByteSpan bytes);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  Status DeriveKey(const ParentKeys& parents, const VehicleRef& vehicle,
                   seal::SecretKey& key) const;

  std::unique_ptr<evp_cipher_ctx_st, Free> context_;
  SegmentHead head_;
  std::string head_bytes_;
};

}  // namespace telltale::vault
