#include "vault/keys/locked_block.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include "base/check.h"

namespace telltale::vault {

LockedBlock::LockedBlock(std::size_t bytes) : bytes_(bytes) {
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  data_ = static_cast<std::uint8_t*>(memory);
  madvise(memory, bytes_, MADV_DONTDUMP);
  locked_ = mlock(memory, bytes_) == 0;
}

LockedBlock::~LockedBlock() {
  if (data_ == nullptr) return;
  OPENSSL_cleanse(data_, bytes_);
  munmap(data_, bytes_);
}

}  // namespace telltale::vault
