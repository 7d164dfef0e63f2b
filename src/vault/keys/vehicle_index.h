// Finds ordinals by vehicle: four bytes a place, the references themselves are in the pages.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vault/keys/key_tree.h"

namespace telltale::vault {

// Open addressing, linear steps, at most three of four places taken. `ref_of` gives the reference
// of an ordinal that is in the index. References are random: their first bytes are the hash.
class VehicleIndex {
 public:
  VehicleIndex() : places_(kPlacesMin) {}

  template <typename RefOf>
  std::optional<Ordinal> Find(const VehicleRef& ref, const RefOf& ref_of) const {
    for (std::size_t at = Home(ref); places_[at] != 0; at = Next(at)) {
      const Ordinal ordinal{places_[at] - 1};
      if (ref_of(ordinal) == ref) return ordinal;
    }
    return std::nullopt;
  }
  // `ref` must not be in it.
  template <typename RefOf>
  void Add(const VehicleRef& ref, Ordinal ordinal, const RefOf& ref_of) {
    if ((taken_ + 1) * 4 > places_.size() * 3) Grow(ref_of);
    Put(ref, ordinal.value + 1);
    ++taken_;
  }
  template <typename RefOf>
  void Remove(const VehicleRef& ref, const RefOf& ref_of) {
    std::size_t at = Home(ref);
    while (places_[at] != 0 && ref_of(Ordinal{places_[at] - 1}) != ref) at = Next(at);
    if (places_[at] == 0) return;
    --taken_;
    // What follows moves up where that brings it nearer to its home: no marks of removed ones.
    for (std::size_t from = Next(at); places_[from] != 0; from = Next(from)) {
      const std::size_t home = Home(ref_of(Ordinal{places_[from] - 1}));
      if (((from - home) & Mask()) < ((from - at) & Mask())) continue;
      places_[at] = places_[from];
      at = from;
    }
    places_[at] = 0;
  }
  std::uint32_t size() const { return taken_; }

 private:
  static constexpr std::size_t kPlacesMin = 64;

  std::size_t Mask() const { return places_.size() - 1; }
  std::size_t Next(std::size_t at) const { return (at + 1) & Mask(); }
  std::size_t Home(const VehicleRef& ref) const { return VehicleRefHash()(ref) & Mask(); }
  void Put(const VehicleRef& ref, std::uint32_t place) {
    std::size_t at = Home(ref);
    while (places_[at] != 0) at = Next(at);
    places_[at] = place;
  }
  template <typename RefOf>
  void Grow(const RefOf& ref_of) {
    std::vector<std::uint32_t> old(places_.size() * 2);
    old.swap(places_);
    for (const std::uint32_t place : old) {
      if (place != 0) Put(ref_of(Ordinal{place - 1}), place);
    }
  }

  std::vector<std::uint32_t> places_;  // ordinal + 1; 0 = none
  std::uint32_t taken_ = 0;
};

}  // namespace telltale::vault
