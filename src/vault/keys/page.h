// A page of keys: what is sealed, written and destroyed together. Bytes:
// docs/formats/vault-keys.md.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>

#include "base/format_version.h"
#include "base/random.h"
#include "vault/keys/aead.h"
#include "vault/keys/key_tree.h"
#include "vault/keys/locked_block.h"

namespace telltale::vault {

inline constexpr std::uint32_t kVehiclesPerPage = 4096;
inline constexpr std::uint32_t kHoursPerPage = 24;
inline constexpr std::size_t kSlotBytes = 48;
inline constexpr std::size_t kPageHeadBytes = 72;
inline constexpr std::uint8_t kKeysVersion = VersionOf(Format::kKeyTree).written;
// No page file is larger.
inline constexpr std::size_t kPageFileBytesMax =
    kPageHeadBytes + kVehiclesPerPage * kSlotBytes + seal::kTagBytes;

struct PageId {
  static constexpr std::uint8_t kOfVehicles = 255;

  std::uint8_t kind = kOfVehicles;  // or a RetentionClass
  std::int64_t number = 0;          // first ordinal / 4096; first hour / 24

  static PageId Of(Ordinal ordinal) { return {kOfVehicles, ordinal.value / kVehiclesPerPage}; }
  static PageId Of(const HourKeyId& id);
  // Whether this build knows pages of this kind and number.
  bool known() const;
  bool of_vehicles() const { return kind == kOfVehicles; }
  std::uint32_t slots() const { return of_vehicles() ? kVehiclesPerPage : kHoursPerPage; }
  std::string FileName(std::uint64_t generation) const;  // "position-20417.3"
  friend auto operator<=>(const PageId&, const PageId&) = default;
};
// Whether a file of the tree's folder may be a page's.
bool IsPageFileName(std::string_view name);
std::uint32_t SlotOf(const HourKeyId& id);
std::uint32_t SlotOf(Ordinal ordinal);

// In memory. A slot of 48 bytes is a vehicle's reference (16) and key (32), or the hour a key dies
// at (8), 1 (8) and the key (32). A slot of zeros is empty.
class Page {
 public:
  explicit Page(PageId page_id);

  PageId id;
  std::uint64_t generation = 0;       // of its file; 0 = none was tried
  std::uint64_t next_generation = 0;  // of the file under next_key(); 0 = none
  std::uint64_t writes = 0;           // of files of this generation, rising
  std::uint32_t used = 0;             // slots that were ever given; of hours all
  std::uint32_t alive = 0;            // slots that have a key
  std::uint32_t durable_used = 0;     // `used` of the last Flush()
  bool dirty = false;                 // to be written by the next Flush()
  bool attempted = false;             // its file may have more than the last Flush() said
  bool rekey = false;                 // a key was destroyed that the file under key() has or had
  bool on_disk = false;               // there is a file of `generation`
  bool in_root = false;
  bool dropping = false;  // left out of the root that is being made
  bool damaged = false;   // its file does not open: no slot is known

  std::uint8_t* key() { return block_.data(); }
  std::uint8_t* next_key() { return block_.data() + seal::kKeyBytes; }
  const std::uint8_t* key() const { return block_.data(); }
  std::uint8_t* slot(std::uint32_t at) { return block_.data() + kSlotsAt + at * kSlotBytes; }
  const std::uint8_t* slot(std::uint32_t at) const {
    return block_.data() + kSlotsAt + at * kSlotBytes;
  }
  bool Has(std::uint32_t at) const;
  void WipeSlot(std::uint32_t at);
  bool locked() const { return block_.locked(); }

 private:
  static constexpr std::size_t kSlotsAt = 2 * seal::kKeyBytes;
  LockedBlock block_;
};

struct PageHead {
  PageId id;
  std::uint64_t generation = 0;
  std::uint64_t writes = 0;
  std::uint32_t used = 0;
  bool rekey = false;

  // Of a whole file, whose size must fit.
  //   kCorrupt, kUnsupported  newer
  static Result<PageHead> Parse(ByteSpan file);
};
// The file under `key`, which a fresh salt makes a key of its own for each writing.
Result<std::string> SealPage(const Page& page, const PageHead& head, Key key, Random& random);
// Fills the slots of `page`, whose id, generation and key are set.
//   kCorrupt      not this page, altered, or under another key
//   kUnsupported  newer
Status OpenPage(ByteSpan file, Page& page);
// Of every file of the tree.
//   kUnsupported  made by a version that this build cannot read
Status CheckKeysReadable(std::string_view what, std::uint8_t version, std::uint8_t min_reader);

}  // namespace telltale::vault
