#include "app/control_vehicles.h"

#include "base/config.h"
#include "base/vehicle_class.h"
#include "registry/client.h"

namespace telltale::app {

Result<nlohmann::json> VehiclesOfEnvironment(const std::string& dir) {
  ASSIGN_OR_RETURN(registry::Client client,
                   registry::Client::Connect(Paths(dir).registry_socket()));
  ASSIGN_OR_RETURN(const std::vector<registry::Vehicle> vehicles, client.ListAll());
  nlohmann::json all = nlohmann::json::array();
  for (const registry::Vehicle& vehicle : vehicles) {
    all.push_back({{"vehicle_ref", vehicle.vehicle_ref.ToHex()},
                   {"model", vehicle.entry.model},
                   {"vehicle_class", VehicleClassName(vehicle.entry.vehicle_class)}});
  }
  return all;
}

}  // namespace telltale::app
