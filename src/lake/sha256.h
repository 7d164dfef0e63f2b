// SHA-256 (FIPS 180-4), for telltale-lake alone: it links Arrow's OpenSSL and may link no other
// (lake.h), and what it hashes is a reference of 16 bytes. Everybody else has seal::Sha256.
#pragma once

#include <string>

#include "base/bytes.h"

namespace telltale::lake {

std::string Sha256(ByteSpan bytes);  // 32 raw bytes

}  // namespace telltale::lake
