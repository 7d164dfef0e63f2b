// TLS of an HTTP listener: TLS 1.2 and 1.3, AEAD ciphers, the server alone shows a certificate. Who
// asks is told by a token (http_token.h).
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

struct ssl_ctx_st;

namespace telltale::net {

//   kNotFound  a file is missing (the message names it)
//   kInvalid   not PEM, or key and certificate do not belong together
Result<std::shared_ptr<ssl_ctx_st>> MakeHttpTls(const std::string& certificate,
                                                const std::string& key);

}  // namespace telltale::net
