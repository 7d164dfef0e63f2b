// The TLS library's last error as text, and an empty queue after it. For this folder's .cc files.
#pragma once

#include <string>

namespace telltale::net {

std::string TakeTlsError();

}  // namespace telltale::net
