// The TLS library's last error as text, and an empty queue after it. For this folder's .cc files.
#pragma once

#include <string>

#include "base/result.h"

namespace telltale::net {

std::string TakeTlsError();
// kUnavailable: the crypto library refused to ... ("make a key").
Error CryptoRefused(const char* doing);

}  // namespace telltale::net
