// Who a client is, by its certificate. For this folder's .cc files.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "net/http_message.h"

struct x509_st;

namespace telltale::net {

inline constexpr std::size_t kHttpCommonNameBytesMax = 256;

//   kRefused  not one common name, or it is empty, too long or has control characters
Result<HttpPeer> HttpPeerOf(x509_st* certificate);
// Its last second has passed.
bool HasEnded(const x509_st* certificate, Micros now);

}  // namespace telltale::net
