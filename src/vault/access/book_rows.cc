#include "vault/access/book_rows.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace telltale::vault {

using nlohmann::json;

std::string EncodePerson(const access::PersonKey& person) {
  return json{
      {"number", person.number}, {"uids", person.uids}, {"certificates", person.certificates}}
      .dump(-1, ' ', true, json::error_handler_t::replace);
}

Result<access::PersonKey> DecodePerson(std::string_view text) {
  const json value = json::parse(text, nullptr, false);
  const Error broken{Code::kCorrupt, "a person in the request book cannot be read"};
  if (!value.is_object() || !value.value("number", json()).is_number_unsigned() ||
      !value.value("uids", json()).is_array() || !value.value("certificates", json()).is_array()) {
    return broken;
  }
  access::PersonKey person;
  person.number = value["number"].get<std::uint32_t>();
  for (const json& uid : value["uids"]) {
    if (!uid.is_number_unsigned()) return broken;
    person.uids.push_back(uid.get<std::uint32_t>());
  }
  for (const json& certificate : value["certificates"]) {
    if (!certificate.is_string()) return broken;
    person.certificates.push_back(certificate.get<std::string>());
  }
  return person;
}

Result<std::vector<VehicleRef>> ReadVehicles(store::Database& database, std::int64_t request) {
  std::vector<VehicleRef> vehicles;
  ASSIGN_OR_RETURN(store::Statement read,
                   database.Prepare("SELECT ref FROM request_vehicles WHERE request = ? AND ref "
                                    "IS NOT NULL ORDER BY position"));
  read.BindInt(1, request);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, read.Step());
    if (!more) return vehicles;
    VehicleRef vehicle;
    const std::string_view bytes = read.Blob(0);
    if (bytes.size() != vehicle.bytes.size()) {
      return Error{Code::kCorrupt, "a vehicle in the request book is no vehicle_ref"};
    }
    std::copy(bytes.begin(), bytes.end(), vehicle.bytes.begin());
    vehicles.push_back(vehicle);
  }
}

}  // namespace telltale::vault
