#include "vault/open.h"

#include <openssl/evp.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace telltale::vault {
namespace {

constexpr std::size_t kSessionsMax = 256;  // gateways x shards x minutes in flight
constexpr Micros kReloadPause = Micros::Seconds(1);

struct CipherFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, CipherFree>;

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

Opener::Opener(TransportKeys* keys, GatewayKeys& gateways, Clock& clock)
    : keys_(*keys),
      gateways_(gateways),
      clock_(clock),
      reloaded_at_(std::numeric_limits<std::int64_t>::min() / 2),
      missed_at_(reloaded_at_) {}

Opener::~Opener() = default;

std::unique_ptr<Opener> Opener::Make(TransportKeys& keys, GatewayKeys& gateways, Clock& clock) {
  return std::unique_ptr<Opener>(new Opener(&keys, gateways, clock));
}

Result<std::unique_ptr<Opener>> Opener::Make(std::string_view private_raw, GatewayKeys& gateways,
                                             Clock& clock) {
  auto keys = std::make_unique<TransportKeys>();
  RETURN_IF_ERROR(keys->AddUndated(private_raw));
  std::unique_ptr<Opener> made = Make(*keys, gateways, clock);
  made->own_keys_ = std::move(keys);
  return made;
}

// A key that is not here may have been made since the start, however short a time ago: its first
// envelope must not be kept aside for ever.
const TransportKeys::Key* Opener::KeyOf(const seal::VaultKeyId& id) {
  if (const TransportKeys::Key* known = keys_.Find(id)) return known;
  const Micros now = clock_.NowMonotonic();
  if (id == missed_ && now - missed_at_ < kReloadPause) return nullptr;
  missed_ = id;
  missed_at_ = now;
  (void)keys_.Reload();  // what is wrong with other files is the caller's to log
  return keys_.Find(id);
}

void Opener::ForgetSessions() {
  if (std::exchange(forgotten_, keys_.forgotten()) != keys_.forgotten()) sessions_.clear();
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
  const TransportKeys::Key* const mine = KeyOf(head.vault_key_id);
  if (mine == nullptr) {
    return Error{Code::kCorrupt, "the envelope is sealed for a key that this vault does not have"};
  }
  RETURN_IF_ERROR(
      seal::AgreeX25519(mine->private_raw.text(), AsText(head.ephemeral_public), shared));
  RETURN_IF_ERROR(seal::DeriveEnvelopeKey(shared, head, mine->public_raw, key));
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
  ForgetSessions();
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
