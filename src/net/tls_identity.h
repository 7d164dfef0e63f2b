// Which vehicle a certificate names: the URI SAN `urn:telltale:vin:<VIN>`, else the common name.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

struct x509_st;

namespace telltale::net {

class TlsConnection;

// 17 of A-H J-N P R-Z 0-9 (ISO 3779: no I, O, Q).
bool IsVin(std::string_view text);

//   kRefused  no certificate, or it names no VIN; the message never contains what it names
Result<std::string> VehicleIdentityOf(const TlsConnection& connection);
Result<std::string> VehicleIdentityOfCertificate(x509_st* certificate);

}  // namespace telltale::net
