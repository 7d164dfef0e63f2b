#include "vault/open.h"

#include <openssl/evp.h>

#include <algorithm>
#include <limits>

namespace telltale::vault {
namespace {

constexpr std::size_t kSessionsMax = 256;  // gateways x shards x minutes in flight
constexpr Micros kReloadPause = Micros::Seconds(1);

struct PKeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CipherFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, CipherFree>;

Result<std::string> PublicOfX25519(std::string_view private_raw) {
  const std::unique_ptr<EVP_PKEY, PKeyFree> key(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_X25519, nullptr, AsBytes(private_raw).data(), private_raw.size()));
  std::string raw(seal::kKeyBytes, '\0');
  std::size_t size = raw.size();
  if (key == nullptr || EVP_PKEY_get_raw_public_key(
                            key.get(), reinterpret_cast<std::uint8_t*>(raw.data()), &size) != 1) {
    return Error{Code::kInvalid, "the vault's seal key is not an X25519 private key"};
  }
  return raw;
}

bool Decrypt(EVP_CIPHER_CTX* cipher, const seal::Binding& binding, std::uint64_t counter,
             ByteSpan envelope, std::string& plaintext) {
  const std::size_t head_bytes = seal::StoredHeadBytes(envelope);
  const ByteSpan head = envelope.first(head_bytes);
  const ByteSpan body =
      envelope.subspan(head_bytes, envelope.size() - head_bytes - seal::kTagBytes);
  std::array<std::uint8_t, seal::kTagBytes> tag{};
  std::copy(envelope.end() - seal::kTagBytes, envelope.end(), tag.begin());
  const auto bound = seal::EncodeBinding(binding);
  const auto nonce = seal::NonceOf(counter);
  plaintext.resize(body.size());
  auto* out = reinterpret_cast<std::uint8_t*>(plaintext.data());
  int done = 0;
  return EVP_DecryptInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
         EVP_DecryptUpdate(cipher, nullptr, &done, head.data(), static_cast<int>(head.size())) ==
             1 &&
         EVP_DecryptUpdate(cipher, nullptr, &done, bound.data(), static_cast<int>(bound.size())) ==
             1 &&
         (body.empty() ||
          EVP_DecryptUpdate(cipher, out, &done, body.data(), static_cast<int>(body.size())) == 1) &&
         EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, seal::kTagBytes, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(cipher, out + body.size(), &done) == 1;
}

}  // namespace

Status GatewayKeys::Reload() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(folder_));
  std::map<std::array<std::uint8_t, seal::kGatewayIdBytes>, std::string> keys;
  Status status;
  for (const std::string& name : names) {
    if (!name.ends_with(".pub")) continue;
    Result<std::string> key = seal::LoadKey(disk_, folder_ + "/" + name);
    if (!key.ok()) {
      status = key.error();
      continue;
    }
    const std::string id = seal::KeyId(*key);
    if (name != HexEncode(id) + ".pub") {
      status = Error{Code::kInvalid, name + " is not named after the key in it; it is ignored"};
      continue;
    }
    std::array<std::uint8_t, seal::kGatewayIdBytes> at{};
    std::copy(id.begin(), id.end(), at.begin());
    keys[at] = std::move(key).value();
  }
  keys_ = std::move(keys);
  return status;
}

const std::string* GatewayKeys::Find(
    const std::array<std::uint8_t, seal::kGatewayIdBytes>& id) const {
  const auto found = keys_.find(id);
  return found == keys_.end() ? nullptr : &found->second;
}

struct Opener::Session {
  std::string signed_part;
  std::array<std::uint8_t, 64> signature{};
  Cipher cipher;
};

Opener::Opener(std::string_view private_raw, std::string public_raw, GatewayKeys& gateways,
               Clock& clock)
    : public_raw_(std::move(public_raw)),
      key_id_(seal::KeyId(public_raw_)),
      gateways_(gateways),
      clock_(clock),
      reloaded_at_(std::numeric_limits<std::int64_t>::min() / 2) {
  std::copy(private_raw.begin(), private_raw.end(), private_key_.data());
}

Opener::~Opener() = default;

Result<std::unique_ptr<Opener>> Opener::Make(std::string_view private_raw, GatewayKeys& gateways,
                                             Clock& clock) {
  if (private_raw.size() != seal::kKeyBytes) {
    return Error{Code::kInvalid, "the vault's seal key has 32 bytes"};
  }
  ASSIGN_OR_RETURN(std::string public_raw, PublicOfX25519(private_raw));
  return std::unique_ptr<Opener>(new Opener(private_raw, std::move(public_raw), gateways, clock));
}

Status Opener::CheckSignature(const seal::EnvelopeHead& head) {
  const std::string* key = gateways_.Find(head.gateway_id);
  if (key == nullptr && clock_.NowMonotonic() - reloaded_at_ >= kReloadPause) {
    // A gateway registered since the start. What is wrong with other files is the caller's to log.
    reloaded_at_ = clock_.NowMonotonic();
    (void)gateways_.Reload();
    key = gateways_.Find(head.gateway_id);
  }
  if (key == nullptr ||
      !seal::VerifyEd25519(*key, seal::SignedPart(head), AsText(head.signature))) {
    reason_ = Reason::kSignatureInvalid;
    return Error{Code::kRefused, "no registered gateway signed this envelope"};
  }
  return Ok();
}

Result<Opener::Session*> Opener::SessionOf(const seal::EnvelopeHead& head) {
  const std::string signed_part = seal::SignedPart(head);
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (it->signed_part == signed_part && it->signature == head.signature) {
      sessions_.splice(sessions_.begin(), sessions_, it);
      return &sessions_.front();
    }
  }
  RETURN_IF_ERROR(CheckSignature(head));
  seal::SecretKey shared;
  seal::SecretKey key;
  RETURN_IF_ERROR(seal::AgreeX25519(AsText({private_key_.data(), private_key_.size()}),
                                    AsText(head.ephemeral_public), shared));
  RETURN_IF_ERROR(seal::DeriveEnvelopeKey(shared, head, public_raw_, key));
  Session session{signed_part, head.signature, Cipher(EVP_CIPHER_CTX_new())};
  if (session.cipher == nullptr || EVP_DecryptInit_ex(session.cipher.get(), EVP_aes_256_gcm(),
                                                      nullptr, key.data(), nullptr) != 1) {
    return Error{Code::kUnavailable, "the crypto library refused to open"};
  }
  sessions_.push_front(std::move(session));
  if (sessions_.size() > kSessionsMax) sessions_.pop_back();
  return &sessions_.front();
}

Result<std::string> Opener::Open(const seal::Binding& binding, ByteSpan envelope) {
  reason_ = Reason::kUnsealFailed;
  ASSIGN_OR_RETURN(const seal::EnvelopeHead head, seal::ParseHead(envelope));
  if (envelope.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return Error{Code::kCorrupt, "the sealed envelope is larger than any we write"};
  }
  if (AsText(head.vault_key_id) != key_id_) {
    return Error{Code::kCorrupt, "the envelope is sealed for another vault key"};
  }
  ASSIGN_OR_RETURN(Session* const session, SessionOf(head));
  std::string plaintext;
  if (!Decrypt(session->cipher.get(), binding, head.counter, envelope, plaintext)) {
    // Unauthenticated bytes must not survive, not even in memory.
    seal::Wipe(plaintext);
    return Error{Code::kCorrupt, "the envelope was altered or moved: it does not open"};
  }
  reason_ = Reason::kNone;
  return plaintext;
}

}  // namespace telltale::vault
