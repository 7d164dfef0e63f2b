// Key pairs, their files, and gateway and control signatures.
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "seal/derive.h"
#include "seal/seal.h"

namespace telltale::seal {
namespace {

constexpr std::size_t kSignatureBytes = 64;
constexpr std::uint32_t kPrivateMode = 0600;
constexpr std::uint32_t kPublicMode = 0644;
constexpr std::string_view kDemoMark = " demo";

struct PKeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using PKey = std::unique_ptr<EVP_PKEY, PKeyFree>;
struct DigestFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, DigestFree>;

std::uint8_t* Raw(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }

Result<KeyPair> MakePair(const char* kind) {
  const PKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, kind));
  KeyPair pair{std::string(kKeyBytes, '\0'), std::string(kKeyBytes, '\0')};
  std::size_t private_size = kKeyBytes;
  std::size_t public_size = kKeyBytes;
  if (key == nullptr ||
      EVP_PKEY_get_raw_private_key(key.get(), Raw(pair.private_raw), &private_size) != 1 ||
      EVP_PKEY_get_raw_public_key(key.get(), Raw(pair.public_raw), &public_size) != 1) {
    return Error{Code::kUnavailable, "the crypto library refused to make a key"};
  }
  return pair;
}

}  // namespace

namespace {

struct KeyText {
  std::string raw;
  bool is_demo = false;
};

Result<KeyText> ReadKey(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadWholeFile(disk, path, 1024));
  KeyText key;
  if (text.ends_with('\n'))
    text.pop_back();
  else
    text.clear();
  if (text.size() == 2 * kKeyBytes + kDemoMark.size() && text.ends_with(kDemoMark)) {
    text.resize(2 * kKeyBytes);
    key.is_demo = true;
  }
  if (text.size() != 2 * kKeyBytes) {
    Wipe(text);
    return Error{Code::kInvalid, path + " is not a key file: 64 hex digits and a newline"};
  }
  Result<std::string> raw = HexDecode(text);
  Wipe(text);
  if (!raw.ok()) return Annotate(raw.error(), "reading key " + path);
  key.raw = std::move(raw).value();
  return key;
}

}  // namespace

Result<std::string> LoadKey(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(KeyText key, ReadKey(disk, path));
  return std::move(key.raw);
}

Result<bool> IsDemoKey(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(KeyText key, ReadKey(disk, path));
  Wipe(key.raw);
  return key.is_demo;
}

Status StoreKey(Disk& disk, const std::string& path, std::string_view raw, const KeyFile& kind) {
  if (raw.size() != kKeyBytes) return Error{Code::kInvalid, "a key has 32 bytes"};
  std::string text = HexEncode(raw);
  if (kind.is_demo) text += kDemoMark;
  text += '\n';
  Status stored = WriteFileDurably(disk, path, text, kind.is_private ? kPrivateMode : kPublicMode);
  Wipe(text);
  return stored;
}

Result<KeyPair> MakeX25519() { return MakePair("X25519"); }
Result<KeyPair> MakeEd25519() { return MakePair("ED25519"); }

Result<std::string> SignEd25519(std::string_view private_raw, std::string_view message) {
  if (private_raw.size() != kKeyBytes) {
    return Error{Code::kInvalid, "an Ed25519 private key has 32 bytes"};
  }
  const PKey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                              AsBytes(private_raw).data(), private_raw.size()));
  const DigestContext context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  if (key == nullptr || context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), Raw(signature), &size, AsBytes(message).data(),
                     message.size()) != 1) {
    return Error{Code::kUnavailable, "the crypto library refused to sign"};
  }
  return signature;
}

bool VerifyEd25519(std::string_view public_raw, std::string_view message,
                   std::string_view signature) {
  if (public_raw.size() != kKeyBytes || signature.size() != kSignatureBytes) return false;
  const PKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, AsBytes(public_raw).data(),
                                             public_raw.size()));
  const DigestContext context(EVP_MD_CTX_new());
  return key != nullptr && context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), AsBytes(signature).data(), signature.size(),
                          AsBytes(message).data(), message.size()) == 1;
}

std::string KeyId(std::string_view public_raw) { return Sha256(public_raw).substr(0, kKeyIdBytes); }

std::string Sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(AsBytes(bytes).data(), bytes.size(), Raw(digest));
  return digest;
}

}  // namespace telltale::seal
