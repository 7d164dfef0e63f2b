// A session with a PKCS#11 token: the module is loaded at run time, the rest is the standard's.
#pragma once

#include <p11-kit/pkcs11.h>

#include <memory>
#include <string>
#include <vector>

#include "base/disk.h"

namespace telltale::vault {

// Owner thread. A token that was reset or taken out is logged in to again at the next call.
class Pkcs11Token {
 public:
  struct Options {
    std::string module;    // path of the shared library
    std::string token;     // label
    std::string pin_file;  // 0600; read at each login and wiped, so that no PIN stays in memory
  };
  //   kUnavailable  the module or the token is not there, or refuses the PIN
  static Result<std::unique_ptr<Pkcs11Token>> Open(Disk& disk, Options options);
  ~Pkcs11Token();
  Pkcs11Token(const Pkcs11Token&) = delete;
  Pkcs11Token& operator=(const Pkcs11Token&) = delete;

  // Calls `what` with a session; once more with a new one when the token lost the old.
  //   kUnavailable  the token answered what is no success; the message has its code
  template <typename What>
  Status Call(std::string_view doing, const What& what) {
    CK_RV answer = CKR_SESSION_HANDLE_INVALID;
    if (session_ != CK_INVALID_HANDLE) answer = what(*functions_, session_);
    if (IsLost(answer)) {
      RETURN_IF_ERROR(LogIn());
      answer = what(*functions_, session_);
    }
    return answer == CKR_OK ? Ok() : Status(Failed(doing, answer));
  }
  // Handles of objects that have all these attributes.
  Result<std::vector<CK_OBJECT_HANDLE>> FindObjects(std::vector<CK_ATTRIBUTE> attributes);
  // Whether the session is good: a failed decryption was then of what was decrypted.
  bool Answers();

 private:
  Pkcs11Token(Disk& disk, Options options) : disk_(disk), options_(std::move(options)) {}
  Status Load();
  Status LogIn();
  Status OpenSession(CK_SLOT_ID slot);
  Result<CK_SLOT_ID> FindSlot();
  Error Failed(std::string_view doing, CK_RV answer) const;
  static bool IsLost(CK_RV answer);

  Disk& disk_;
  const Options options_;
  void* library_ = nullptr;
  CK_FUNCTION_LIST* functions_ = nullptr;
  bool initialized_here_ = false;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

}  // namespace telltale::vault
