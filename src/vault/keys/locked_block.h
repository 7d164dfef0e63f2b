// Memory for many keys: out of swap where the system allows it, never in a core file, wiped when it
// goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace telltale::vault {

// Zeroed whole pages of the system's. Pointers into it stay valid when the object moves.
class LockedBlock {
 public:
  explicit LockedBlock(std::size_t bytes);
  ~LockedBlock();
  LockedBlock(LockedBlock&& other) noexcept
      : bytes_(std::exchange(other.bytes_, 0)),
        data_(std::exchange(other.data_, nullptr)),
        locked_(other.locked_) {}
  LockedBlock& operator=(LockedBlock&&) = delete;

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return bytes_; }  // as asked for
  bool locked() const { return locked_; }

 private:
  std::size_t bytes_;
  std::uint8_t* data_;
  bool locked_;
};

}  // namespace telltale::vault
