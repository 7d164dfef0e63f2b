// A set of vehicles by their ordinals: a Roaring bitmap. As a value; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "vault/keys/key_tree.h"

struct roaring_bitmap_s;

namespace telltale::vault {

class OrdinalSet {
 public:
  OrdinalSet();
  ~OrdinalSet();
  OrdinalSet(const OrdinalSet& other);
  OrdinalSet& operator=(const OrdinalSet& other);
  OrdinalSet(OrdinalSet&& other) noexcept;
  OrdinalSet& operator=(OrdinalSet&& other) noexcept;

  bool Add(Ordinal ordinal);  // false: was there
  void Add(std::span<const std::uint32_t> ordinals);
  bool Contains(Ordinal ordinal) const;
  void Merge(const OrdinalSet& other);
  void Remove(const OrdinalSet& other);
  void Keep(const OrdinalSet& other);  // what is in both
  std::uint64_t size() const;
  bool empty() const { return size() == 0; }
  std::vector<std::uint32_t> First(std::uint64_t most) const;  // ascending
  friend bool operator==(const OrdinalSet& a, const OrdinalSet& b);

  // The portable format of github.com/RoaringBitmap/RoaringFormatSpec.
  std::string Encode() const;
  // Checks all that the library relies on, so that hostile bytes make no set that breaks it.
  //   kCorrupt  not exactly one bitmap in that format
  static Result<OrdinalSet> Parse(ByteSpan bytes);

 private:
  struct Free {
    void operator()(roaring_bitmap_s* bitmap) const;
  };
  explicit OrdinalSet(roaring_bitmap_s* bitmap) : bitmap_(bitmap) {}
  std::unique_ptr<roaring_bitmap_s, Free> bitmap_;
};

}  // namespace telltale::vault
