// Who asks, in the words of the transport that let him in: the kernel's or the certificate's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace telltale::access {

struct Caller {
  std::optional<std::uint32_t> uid;  // local socket: SO_PEERCRED
  std::string common_name;           // HTTP: of the verified client certificate's subject
  std::string fingerprint;           // HTTP: its SHA-256, 64 hex digits, lower case
};

}  // namespace telltale::access
