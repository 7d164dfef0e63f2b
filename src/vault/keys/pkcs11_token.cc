#include "vault/keys/pkcs11_token.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>

#include "seal/derive.h"

namespace telltale::vault {
namespace {

constexpr std::uint64_t kPinFileBytesMax = 256;
constexpr CK_ULONG kSlotsMax = 256;
constexpr CK_ULONG kFoundAtOnce = 64;

// Labels are padded with blanks.
std::string_view Trimmed(std::string_view label) {
  const std::size_t last = label.find_last_not_of(' ');
  return last == label.npos ? std::string_view() : label.substr(0, last + 1);
}

}  // namespace

Result<std::unique_ptr<Pkcs11Token>> Pkcs11Token::Open(Disk& disk, Options options) {
  std::unique_ptr<Pkcs11Token> token(new Pkcs11Token(disk, std::move(options)));
  RETURN_IF_ERROR(token->Load());
  RETURN_IF_ERROR(token->LogIn());
  return token;
}

Pkcs11Token::~Pkcs11Token() {
  if (functions_ != nullptr) {
    if (session_ != CK_INVALID_HANDLE) functions_->C_CloseSession(session_);
    if (initialized_here_) functions_->C_Finalize(nullptr);
  }
  // Stays loaded: some modules keep threads and handlers that outlive C_Finalize.
}

Error Pkcs11Token::Failed(std::string_view doing, CK_RV answer) const {
  return Error{Code::kUnavailable, fmt::format("the token \"{}\" failed {} (PKCS#11 code 0x{:x})",
                                               options_.token, doing, answer)};
}

bool Pkcs11Token::IsLost(CK_RV answer) {
  constexpr std::array kLost = {CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED,
                                CKR_USER_NOT_LOGGED_IN,     CKR_DEVICE_REMOVED,
                                CKR_DEVICE_ERROR,           CKR_TOKEN_NOT_PRESENT,
                                CKR_TOKEN_NOT_RECOGNIZED,   CKR_CRYPTOKI_NOT_INITIALIZED};
  return std::find(kLost.begin(), kLost.end(), answer) != kLost.end();
}

Status Pkcs11Token::Load() {
  library_ = dlopen(options_.module.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library_ == nullptr) {
    return Error{Code::kUnavailable, "the PKCS#11 module " + options_.module + " cannot be loaded"};
  }
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library_, "C_GetFunctionList"));
  if (get == nullptr || get(&functions_) != CKR_OK || functions_ == nullptr) {
    functions_ = nullptr;
    return Error{Code::kUnavailable, options_.module + " is not a PKCS#11 module"};
  }
  return Ok();
}

Result<CK_SLOT_ID> Pkcs11Token::FindSlot() {
  std::vector<CK_SLOT_ID> slots(kSlotsMax);
  CK_ULONG count = kSlotsMax;
  const CK_RV listed = functions_->C_GetSlotList(CK_TRUE, slots.data(), &count);
  if (listed != CKR_OK) return Failed("to list its slots", listed);
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info{};
    if (functions_->C_GetTokenInfo(slots[i], &info) != CKR_OK) continue;
    if (Trimmed(AsText(ByteSpan(info.label, sizeof info.label))) == options_.token) {
      return slots[i];
    }
  }
  return Error{Code::kUnavailable,
               fmt::format("no token with the label \"{}\" is there", options_.token)};
}

Status Pkcs11Token::OpenSession(CK_SLOT_ID slot) {
  const CK_RV opened = functions_->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr,
                                                 nullptr, &session_);
  if (opened != CKR_OK) {
    session_ = CK_INVALID_HANDLE;
    return Failed("to open a session", opened);
  }
  ASSIGN_OR_RETURN(std::string pin, ReadWholeFile(disk_, options_.pin_file, kPinFileBytesMax));
  std::size_t size = pin.size();
  while (size > 0 && (pin[size - 1] == '\n' || pin[size - 1] == '\r')) --size;
  const CK_RV logged_in =
      functions_->C_Login(session_, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(pin.data()), size);
  seal::Wipe(pin);
  if (logged_in == CKR_OK || logged_in == CKR_USER_ALREADY_LOGGED_IN) return Ok();
  return Failed("to log in", logged_in);
}

Status Pkcs11Token::LogIn() {
  if (session_ != CK_INVALID_HANDLE) functions_->C_CloseSession(session_);
  session_ = CK_INVALID_HANDLE;
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  const CK_RV started = functions_->C_Initialize(&arguments);
  if (started == CKR_OK) initialized_here_ = true;
  if (started != CKR_OK && started != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    return Failed("to start", started);
  }
  ASSIGN_OR_RETURN(const CK_SLOT_ID slot, FindSlot());
  const Status opened = OpenSession(slot);
  if (!opened.ok() && session_ != CK_INVALID_HANDLE) {
    functions_->C_CloseSession(session_);
    session_ = CK_INVALID_HANDLE;
  }
  return opened;
}

bool Pkcs11Token::Answers() {
  CK_SESSION_INFO info{};
  return session_ != CK_INVALID_HANDLE && functions_->C_GetSessionInfo(session_, &info) == CKR_OK &&
         info.state == CKS_RW_USER_FUNCTIONS;
}

Result<std::vector<CK_OBJECT_HANDLE>> Pkcs11Token::FindObjects(
    std::vector<CK_ATTRIBUTE> attributes) {
  std::vector<CK_OBJECT_HANDLE> found;
  RETURN_IF_ERROR(Call("to list keys", [&](const CK_FUNCTION_LIST& f, CK_SESSION_HANDLE session) {
    found.clear();
    CK_RV answer = f.C_FindObjectsInit(session, attributes.data(), attributes.size());
    if (answer != CKR_OK) return answer;
    CK_ULONG count = 0;
    do {
      found.resize(found.size() + kFoundAtOnce);
      CK_OBJECT_HANDLE* const to = found.data() + found.size() - kFoundAtOnce;
      answer = f.C_FindObjects(session, to, kFoundAtOnce, &count);
      found.resize(found.size() - kFoundAtOnce + (answer == CKR_OK ? count : 0));
    } while (answer == CKR_OK && count > 0);
    const CK_RV ended = f.C_FindObjectsFinal(session);
    return answer == CKR_OK ? ended : answer;
  }));
  return found;
}

}  // namespace telltale::vault
