#include "net/tls_error.h"

#include <openssl/err.h>

namespace telltale::net {

std::string TakeTlsError() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "no detail";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

Error CryptoRefused(const char* doing) {
  return Error{Code::kUnavailable,
               std::string("the crypto library refused to ") + doing + ": " + TakeTlsError()};
}

}  // namespace telltale::net
