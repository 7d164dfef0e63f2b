#include "vault/keys/pkcs11_provider.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "vault/keys/pkcs11_token.h"

namespace telltale::vault {
namespace {

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kPrefixBytesMax = 31;
constexpr std::size_t kWrappedBytes = seal::kNonceBytes + seal::kKeyBytes + seal::kTagBytes;

const Error kGone{Code::kNotFound, "the root key is destroyed"};

template <typename T>
CK_ATTRIBUTE Attribute(CK_ATTRIBUTE_TYPE type, T& value) {
  return {type, &value, sizeof value};
}
CK_ATTRIBUTE Attribute(CK_ATTRIBUTE_TYPE type, std::string& value) {
  return {type, value.data(), value.size()};
}

// The standard's structures are not const although modules only read them.
struct Gcm {
  Gcm(std::span<std::uint8_t> iv, std::string_view context) {
    parameters.pIv = iv.data();
    parameters.ulIvLen = iv.size();
    parameters.ulIvBits = 8 * iv.size();
    parameters.pAAD = const_cast<std::uint8_t*>(AsBytes(context).data());
    parameters.ulAADLen = context.size();
    parameters.ulTagBits = 8 * seal::kTagBytes;
  }
  CK_GCM_PARAMS parameters{};
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
};

}  // namespace

Pkcs11Provider::Pkcs11Provider(std::unique_ptr<Pkcs11Token> token, Random& random, Options options)
    : token_(std::move(token)), random_(random), options_(std::move(options)) {}
Pkcs11Provider::~Pkcs11Provider() = default;

Result<std::unique_ptr<Pkcs11Provider>> Pkcs11Provider::Open(Disk& disk, Random& random,
                                                             Options options) {
  if (options.label_prefix.empty() || options.label_prefix.size() > kPrefixBytesMax) {
    return Error{Code::kInvalid, "the label of root keys has 1 to 31 characters"};
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Pkcs11Token> token,
                   Pkcs11Token::Open(disk, {options.module, options.token, options.pin_file}));
  return std::unique_ptr<Pkcs11Provider>(
      new Pkcs11Provider(std::move(token), random, std::move(options)));
}

bool Pkcs11Provider::IsId(std::string_view id) const {
  const std::string prefix = options_.label_prefix + "-";
  return id.starts_with(prefix) && id.size() == prefix.size() + 2 * kIdBytes &&
         id.substr(prefix.size()).find_first_not_of("0123456789abcdef") == id.npos;
}

Result<std::vector<unsigned long>> Pkcs11Provider::HandlesOf(const std::string& id) {
  CK_OBJECT_CLASS kind = CKO_SECRET_KEY;
  std::string label = id;
  return token_->FindObjects({Attribute(CKA_CLASS, kind), Attribute(CKA_LABEL, label)});
}

Result<unsigned long> Pkcs11Provider::HandleOf(const std::string& id) {
  if (!IsId(id)) return kGone;
  ASSIGN_OR_RETURN(const std::vector<unsigned long> handles, HandlesOf(id));
  if (handles.empty()) return kGone;
  return handles.front();
}

Status Pkcs11Provider::Generate(std::string label, unsigned long& key) {
  CK_OBJECT_CLASS kind = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_AES;
  CK_ULONG bytes = seal::kKeyBytes;
  CK_BBOOL yes = CK_TRUE;
  CK_BBOOL no = CK_FALSE;
  std::vector<CK_ATTRIBUTE> attributes = {
      Attribute(CKA_CLASS, kind),    Attribute(CKA_KEY_TYPE, type),
      Attribute(CKA_LABEL, label),   Attribute(CKA_VALUE_LEN, bytes),
      Attribute(CKA_TOKEN, yes),     Attribute(CKA_PRIVATE, yes),
      Attribute(CKA_SENSITIVE, yes), Attribute(CKA_EXTRACTABLE, no),
      Attribute(CKA_MODIFIABLE, no), Attribute(CKA_ENCRYPT, yes),
      Attribute(CKA_DECRYPT, yes),   Attribute(CKA_WRAP, no),
      Attribute(CKA_UNWRAP, no),     Attribute(CKA_DERIVE, no),
  };
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  return token_->Call("to make a key", [&](const CK_FUNCTION_LIST& f, CK_SESSION_HANDLE session) {
    return f.C_GenerateKey(session, &mechanism, attributes.data(), attributes.size(), &key);
  });
}

// Some modules take a template and do as they like.
Status Pkcs11Provider::CheckGuarded(unsigned long key) {
  CK_BBOOL sensitive = CK_FALSE;
  CK_BBOOL extractable = CK_TRUE;
  CK_BBOOL on_token = CK_FALSE;
  std::vector<CK_ATTRIBUTE> asked = {Attribute(CKA_SENSITIVE, sensitive),
                                     Attribute(CKA_EXTRACTABLE, extractable),
                                     Attribute(CKA_TOKEN, on_token)};
  RETURN_IF_ERROR(
      token_->Call("to describe a key", [&](const CK_FUNCTION_LIST& f, CK_SESSION_HANDLE session) {
        return f.C_GetAttributeValue(session, key, asked.data(), asked.size());
      }));
  if (sensitive == CK_TRUE && extractable == CK_FALSE && on_token == CK_TRUE) return Ok();
  return Error{Code::kUnavailable, "the token makes keys that can be taken out of it: use another"};
}

Result<std::string> Pkcs11Provider::Create() {
  std::array<std::uint8_t, kIdBytes> raw{};
  random_.Fill(raw);
  const std::string id = options_.label_prefix + "-" + HexEncode(raw);
  unsigned long key = CK_INVALID_HANDLE;
  RETURN_IF_ERROR(Generate(id, key));
  const Status guarded = CheckGuarded(key);
  if (guarded.ok()) return id;
  (void)Destroy(id);
  return guarded.error();
}

Result<std::string> Pkcs11Provider::Wrap(const std::string& id, const seal::SecretKey& plain,
                                         std::string_view context) {
  ASSIGN_OR_RETURN(const unsigned long key, HandleOf(id));
  std::array<std::uint8_t, kWrappedBytes> out{};
  const std::span<std::uint8_t> iv(out.data(), seal::kNonceBytes);
  random_.Fill(iv);
  Gcm gcm(iv, context);
  CK_ULONG size = kWrappedBytes - seal::kNonceBytes;
  RETURN_IF_ERROR(
      token_->Call("to wrap a key", [&](const CK_FUNCTION_LIST& f, CK_SESSION_HANDLE session) {
        const CK_RV started = f.C_EncryptInit(session, &gcm.mechanism, key);
        if (started != CKR_OK) return started;
        return f.C_Encrypt(session, const_cast<std::uint8_t*>(plain.data()), plain.size(),
                           out.data() + seal::kNonceBytes, &size);
      }));
  if (size != kWrappedBytes - seal::kNonceBytes) {
    return Error{Code::kUnavailable, "the token wraps in another form"};
  }
  return std::string(AsText(out));
}

Status Pkcs11Provider::Unwrap(const std::string& id, std::string_view wrapped,
                              std::string_view context, seal::SecretKey& plain) {
  ASSIGN_OR_RETURN(const unsigned long key, HandleOf(id));
  if (wrapped.size() != kWrappedBytes) return Error{Code::kCorrupt, "not a wrapped key"};
  std::array<std::uint8_t, kWrappedBytes> in{};
  std::copy_n(AsBytes(wrapped).begin(), in.size(), in.begin());
  Gcm gcm({in.data(), seal::kNonceBytes}, context);
  // With room for the tag: some modules ask for it.
  std::array<std::uint8_t, seal::kKeyBytes + seal::kTagBytes> out{};
  CK_ULONG size = out.size();
  bool refused = false;
  const Status opened =
      token_->Call("to unwrap a key", [&](const CK_FUNCTION_LIST& f, CK_SESSION_HANDLE session) {
        const CK_RV started = f.C_DecryptInit(session, &gcm.mechanism, key);
        if (started != CKR_OK) return started;
        size = out.size();
        const CK_RV done = f.C_Decrypt(session, in.data() + seal::kNonceBytes,
                                       in.size() - seal::kNonceBytes, out.data(), &size);
        refused = done != CKR_OK;
        return done;
      });
  const bool fits = opened.ok() && size == plain.size();
  if (fits) std::copy_n(out.begin(), plain.size(), plain.data());
  OPENSSL_cleanse(out.data(), out.size());
  if (fits) return Ok();
  // Modules differ in how they say that a tag is wrong. One that still answers meant the bytes.
  if (opened.ok() || (refused && token_->Answers())) {
    return Error{Code::kCorrupt, "not wrapped by this root key"};
  }
  return opened;
}

Status Pkcs11Provider::Destroy(const std::string& id) {
  if (!IsId(id)) return Error{Code::kInvalid, "not the id of a root key of this vault"};
  ASSIGN_OR_RETURN(const std::vector<unsigned long> handles, HandlesOf(id));
  for (const unsigned long key : handles) {
    RETURN_IF_ERROR(
        token_->Call("to destroy a key", [&](const CK_FUNCTION_LIST& f, CK_SESSION_HANDLE session) {
          return f.C_DestroyObject(session, key);
        }));
  }
  return Ok();
}

Result<std::vector<std::string>> Pkcs11Provider::List() {
  CK_OBJECT_CLASS kind = CKO_SECRET_KEY;
  ASSIGN_OR_RETURN(const std::vector<unsigned long> handles,
                   token_->FindObjects({Attribute(CKA_CLASS, kind)}));
  std::vector<std::string> ids;
  for (const unsigned long key : handles) {
    std::array<char, 256> label{};
    CK_ATTRIBUTE asked{CKA_LABEL, label.data(), label.size()};
    RETURN_IF_ERROR(token_->Call(
        "to describe a key", [&](const CK_FUNCTION_LIST& f, CK_SESSION_HANDLE session) {
          asked.ulValueLen = label.size();
          const CK_RV answer = f.C_GetAttributeValue(session, key, &asked, 1);
          // A label longer than any of ours.
          if (answer == CKR_BUFFER_TOO_SMALL) asked.ulValueLen = 0;
          return answer == CKR_BUFFER_TOO_SMALL ? CKR_OK : answer;
        }));
    const std::string_view id(label.data(), std::min<std::size_t>(asked.ulValueLen, label.size()));
    if (IsId(id)) ids.emplace_back(id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace telltale::vault
