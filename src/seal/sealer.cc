#include <openssl/evp.h>

#include <algorithm>
#include <limits>

#include "seal/derive.h"
#include "seal/seal.h"
#include "seal/transport_keys.h"

namespace telltale::seal {
namespace {

constexpr std::int64_t kMinuteUs = 60 * 1'000'000ll;

struct CipherFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

Error Refused() {
  return Error{Code::kUnavailable, "the crypto library refused to seal; resend the batch"};
}

template <std::size_t N>
void CopyInto(std::array<std::uint8_t, N>& out, std::string_view bytes) {
  CHECK(bytes.size() == N);
  std::copy(bytes.begin(), bytes.end(), out.begin());
}

class GcmSealer final : public Sealer {
 public:
  // Of the two sources of keys one: `owned` may be null.
  GcmSealer(const SealKeys& keys, std::unique_ptr<SealKeys> owned, std::string_view gateway_private,
            std::string_view gateway_public, Clock& clock)
      : owned_keys_(std::move(owned)), keys_(keys), clock_(clock), cipher_(EVP_CIPHER_CTX_new()) {
    CHECK(gateway_private.size() == gateway_private_.size());
    std::copy(gateway_private.begin(), gateway_private.end(), gateway_private_.data());
    head_.version = kEnvelopeVersion;
    CopyInto(head_.gateway_id, KeyId(gateway_public));
  }

  Status Seal(const Binding& binding, ByteSpan plaintext, std::string& out) override {
    const Micros now = clock_.NowUtc();
    const auto minute =
        static_cast<std::uint64_t>(std::max<std::int64_t>(now.value, 0) / kMinuteUs);
    if (!has_key_ || minute != head_.minute) RETURN_IF_ERROR(NewKey(now, minute));
    const std::size_t start = out.size();
    if (!Encrypt(binding, plaintext, out)) {
      out.resize(start);
      has_key_ = false;
      return Refused();
    }
    ++head_.counter;
    return Ok();
  }
  bool lacks_key() const override { return lacks_key_; }

 private:
  // A fresh key for this minute, agreed with the vault's key that is in force now. On failure the
  // old one is gone too: never seal under a doubtful state.
  Status NewKey(Micros now, std::uint64_t minute) {
    has_key_ = false;
    const std::string vault_public = keys_.PublicAt(now);
    lacks_key_ = vault_public.empty();
    if (lacks_key_) {
      return Error{Code::kUnavailable, "no transport key of the vault is valid: nothing is sealed"};
    }
    ASSIGN_OR_RETURN(KeyPair ephemeral, MakeX25519());
    EnvelopeHead head = head_;
    CopyInto(head.vault_key_id, KeyId(vault_public));
    head.minute = minute;
    head.counter = 0;
    CopyInto(head.ephemeral_public, ephemeral.public_raw);
    SecretKey shared;
    const Status agreed = AgreeX25519(ephemeral.private_raw, vault_public, shared);
    Wipe(ephemeral.private_raw);
    RETURN_IF_ERROR(agreed);
    SecretKey key;
    RETURN_IF_ERROR(DeriveEnvelopeKey(shared, head, vault_public, key));
    ASSIGN_OR_RETURN(const std::string signature,
                     SignEd25519(gateway_private_.text(), SignedPart(head)));
    CopyInto(head.signature, signature);
    if (cipher_ == nullptr ||
        EVP_EncryptInit_ex(cipher_.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr) != 1) {
      return Refused();
    }
    head_ = head;
    has_key_ = true;
    return Ok();
  }

  bool Encrypt(const Binding& binding, ByteSpan plaintext, std::string& out) {
    if (plaintext.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
    const std::size_t start = out.size();
    AppendHead(out, head_);
    out.resize(start + HeadBytes() + plaintext.size() + kTagBytes);
    auto* head = reinterpret_cast<std::uint8_t*>(out.data()) + start;
    std::uint8_t* body = head + HeadBytes();
    const auto nonce = NonceOf(head_.counter);
    const auto bound = EncodeBinding(binding);
    EVP_CIPHER_CTX* cipher = cipher_.get();
    int done = 0;
    return EVP_EncryptInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
           EVP_EncryptUpdate(cipher, nullptr, &done, head, static_cast<int>(HeadBytes())) == 1 &&
           EVP_EncryptUpdate(cipher, nullptr, &done, bound.data(), kBindingBytes) == 1 &&
           (plaintext.empty() || EVP_EncryptUpdate(cipher, body, &done, plaintext.data(),
                                                   static_cast<int>(plaintext.size())) == 1) &&
           EVP_EncryptFinal_ex(cipher, body + plaintext.size(), &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, kTagBytes, body + plaintext.size()) ==
               1;
  }

  const std::unique_ptr<SealKeys> owned_keys_;
  const SealKeys& keys_;
  SecretKey gateway_private_;
  Clock& clock_;
  std::unique_ptr<EVP_CIPHER_CTX, CipherFree> cipher_;
  EnvelopeHead head_;
  bool has_key_ = false;
  bool lacks_key_ = false;
};

Result<std::string> PublicOfEd25519(std::string_view private_raw) {
  struct PKeyFree {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  const std::unique_ptr<EVP_PKEY, PKeyFree> key(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, AsBytes(private_raw).data(), private_raw.size()));
  std::string raw(kKeyBytes, '\0');
  std::size_t size = raw.size();
  if (key == nullptr || EVP_PKEY_get_raw_public_key(
                            key.get(), reinterpret_cast<std::uint8_t*>(raw.data()), &size) != 1) {
    return Error{Code::kInvalid, "the gateway's key is not an Ed25519 key"};
  }
  return raw;
}

}  // namespace

Result<std::unique_ptr<Sealer>> Sealer::Make(std::string_view vault_public,
                                             std::string_view gateway_private, Clock& clock) {
  if (vault_public.size() != kKeyBytes || gateway_private.size() != kKeyBytes) {
    return Error{Code::kInvalid, "the vault's and the gateway's keys have 32 bytes"};
  }
  ASSIGN_OR_RETURN(KeyPair probe, MakeX25519());
  SecretKey shared;
  const Status usable = AgreeX25519(probe.private_raw, vault_public, shared);
  Wipe(probe.private_raw);
  if (!usable.ok()) return Annotate(usable.error(), "trying the vault's public key");
  ASSIGN_OR_RETURN(const std::string gateway_public, PublicOfEd25519(gateway_private));
  auto key = std::make_unique<UndatedSealKey>(std::string(vault_public));
  const SealKeys& keys = *key;
  return std::unique_ptr<Sealer>(
      std::make_unique<GcmSealer>(keys, std::move(key), gateway_private, gateway_public, clock));
}

Result<std::unique_ptr<Sealer>> Sealer::Make(const SealKeys& vault_keys,
                                             std::string_view gateway_private, Clock& clock) {
  if (gateway_private.size() != kKeyBytes) {
    return Error{Code::kInvalid, "the gateway's key has 32 bytes"};
  }
  ASSIGN_OR_RETURN(const std::string gateway_public, PublicOfEd25519(gateway_private));
  return std::unique_ptr<Sealer>(
      std::make_unique<GcmSealer>(vault_keys, nullptr, gateway_private, gateway_public, clock));
}

}  // namespace telltale::seal
