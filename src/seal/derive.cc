#include "seal/derive.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/free_with.h"

namespace telltale::seal {
namespace {

using PKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using PKeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using Kdf = std::unique_ptr<EVP_KDF, FreeWith<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, FreeWith<EVP_KDF_CTX_free>>;

// OpenSSL's parameters are not const although it only reads them.
OSSL_PARAM Octets(const char* name, const void* data, std::size_t size) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(data), size);
}

}  // namespace

SecretKey::SecretKey() : bytes_(static_cast<std::uint8_t*>(OPENSSL_secure_zalloc(kKeyBytes))) {
  CHECK(bytes_ != nullptr);
}

SecretKey::~SecretKey() { OPENSSL_secure_clear_free(bytes_, kKeyBytes); }

void Wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

Status AgreeX25519(std::string_view private_raw, std::string_view public_raw, SecretKey& shared) {
  if (private_raw.size() != kKeyBytes || public_raw.size() != kKeyBytes) {
    return Error{Code::kInvalid, "an X25519 key has 32 bytes"};
  }
  const PKey mine(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr,
                                               AsBytes(private_raw).data(), private_raw.size()));
  const PKey theirs(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr,
                                                AsBytes(public_raw).data(), public_raw.size()));
  if (mine == nullptr || theirs == nullptr) return Error{Code::kInvalid, "not an X25519 key"};
  const PKeyContext context(EVP_PKEY_CTX_new(mine.get(), nullptr));
  std::size_t size = shared.size();
  // The last call fails on an all-zero secret: a public key of low order.
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), theirs.get()) != 1 ||
      EVP_PKEY_derive(context.get(), shared.data(), &size) != 1 || size != kKeyBytes) {
    return Error{Code::kInvalid, "no secret can be agreed with this X25519 key"};
  }
  return Ok();
}

Status HkdfSha256(ByteSpan input, std::string_view salt, std::string_view info,
                  std::span<std::uint8_t> out) {
  const Kdf kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfContext context(kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      Octets(OSSL_KDF_PARAM_KEY, input.data(), input.size()),
      Octets(OSSL_KDF_PARAM_SALT, salt.data(), salt.size()),
      Octets(OSSL_KDF_PARAM_INFO, info.data(), info.size()), OSSL_PARAM_construct_end()};
  if (context == nullptr ||
      EVP_KDF_derive(context.get(), out.data(), out.size(), parameters) != 1) {
    return Error{Code::kUnavailable, "the crypto library refused to derive a key"};
  }
  return Ok();
}

Status DeriveEnvelopeKey(const SecretKey& shared, const EnvelopeHead& head,
                         std::string_view vault_public, SecretKey& key) {
  std::string salt(AsText(head.ephemeral_public));
  salt += vault_public;
  std::string info(kHkdfInfo);
  info += AsText(head.vault_key_id);
  info += AsText(head.gateway_id);
  PutLe(info, head.minute);
  return HkdfSha256({shared.data(), shared.size()}, salt, info, {key.data(), key.size()});
}

}  // namespace telltale::seal
