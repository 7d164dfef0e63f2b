#include "vault/keys/aead.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/free_with.h"

namespace telltale::vault {
namespace {

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;

}  // namespace

Status SealBytes(const Sealing& how, ByteSpan plain, std::string& out) {
  const Cipher cipher(EVP_CIPHER_CTX_new());
  const std::size_t start = out.size();
  out.resize(start + plain.size() + seal::kTagBytes);
  auto* to = reinterpret_cast<std::uint8_t*>(out.data()) + start;
  int done = 0;
  if (cipher == nullptr ||
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, how.key.data(),
                         how.nonce.data()) != 1 ||
      EVP_EncryptUpdate(cipher.get(), nullptr, &done, AsBytes(how.bound).data(),
                        static_cast<int>(how.bound.size())) != 1 ||
      EVP_EncryptUpdate(cipher.get(), to, &done, plain.data(), static_cast<int>(plain.size())) !=
          1 ||
      EVP_EncryptFinal_ex(cipher.get(), to + plain.size(), &done) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, seal::kTagBytes, to + plain.size()) !=
          1) {
    out.resize(start);
    return Error{Code::kUnavailable, "the crypto library refused to seal keys"};
  }
  return Ok();
}

Status OpenBytes(const Sealing& how, ByteSpan sealed, std::span<std::uint8_t> plain) {
  if (sealed.size() != plain.size() + seal::kTagBytes) {
    return Error{Code::kCorrupt, "sealed keys of another size"};
  }
  const Cipher cipher(EVP_CIPHER_CTX_new());
  std::array<std::uint8_t, seal::kTagBytes> tag{};
  std::copy(sealed.end() - seal::kTagBytes, sealed.end(), tag.begin());
  int done = 0;
  if (cipher == nullptr ||
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, how.key.data(),
                         how.nonce.data()) != 1 ||
      EVP_DecryptUpdate(cipher.get(), nullptr, &done, AsBytes(how.bound).data(),
                        static_cast<int>(how.bound.size())) != 1 ||
      EVP_DecryptUpdate(cipher.get(), plain.data(), &done, sealed.data(),
                        static_cast<int>(plain.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, seal::kTagBytes, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(cipher.get(), plain.data() + plain.size(), &done) != 1) {
    OPENSSL_cleanse(plain.data(), plain.size());
    return Error{Code::kCorrupt, "sealed keys do not open: altered, or under another key"};
  }
  return Ok();
}

}  // namespace telltale::vault
