#include "net/tls_identity.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "net/tls_connection.h"

namespace telltale::net {
namespace {

constexpr std::string_view kUrnPrefix = "urn:telltale:vin:";

std::string_view TextOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

Error NoVin(const char* why) {
  return Error{Code::kRefused,
               std::string("the client certificate ") + why +
                   "; it needs the URI SAN urn:telltale:vin:<VIN> or the VIN as CN"};
}

}  // namespace

bool IsVin(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789";
  return text.size() == 17 && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

Result<std::string> VehicleIdentityOfCertificate(X509* certificate) {
  std::string vin;
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const std::string_view uri = TextOf(name->d.uniformResourceIdentifier);
    if (!uri.starts_with(kUrnPrefix)) continue;
    const std::string_view named = uri.substr(kUrnPrefix.size());
    // Our URN decides: a wrong one is refused, it does not fall back to the common name.
    if (!IsVin(named)) return NoVin("names something that is no VIN in its URI SAN");
    if (!vin.empty() && vin != named) return NoVin("names two VINs");
    vin = named;
  }
  if (!vin.empty()) return vin;
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return NoVin("has neither our URI SAN nor a common name");
  const std::string_view common =
      TextOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (!IsVin(common)) return NoVin("has no URI SAN of ours and a common name that is no VIN");
  return std::string(common);
}

Result<std::string> VehicleIdentityOf(const TlsConnection& connection) {
  X509* certificate = SSL_get0_peer_certificate(connection.ssl());
  if (certificate == nullptr) return NoVin("is missing");
  return VehicleIdentityOfCertificate(certificate);
}

}  // namespace telltale::net
