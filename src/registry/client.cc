#include "registry/client.h"

#include <algorithm>

#include "contract/failure_wire.h"
#include "registry/wire.h"

namespace telltale::registry {
namespace {

Result<wire::RegistryMessage> Ask(LocalConnection& connection,
                                  const wire::RegistryRequest& request) {
  RETURN_IF_ERROR(connection.Send(request.SerializeAsString()));
  ASSIGN_OR_RETURN(const std::optional<std::string> frame, connection.Receive(kClientTimeout));
  if (!frame.has_value()) return Error{Code::kUnavailable, "the registry does not answer"};
  wire::RegistryMessage message;
  if (!message.ParseFromString(*frame)) {
    return Error{Code::kUnavailable, "the registry's answer cannot be read"};
  }
  if (message.has_failure()) return contract::ErrorOf(message.failure());
  return message;
}

Result<Vehicle> AskForOne(LocalConnection& connection, const wire::RegistryRequest& request) {
  ASSIGN_OR_RETURN(const wire::RegistryMessage message, Ask(connection, request));
  if (message.rows().rows_size() != 1) {
    return Error{Code::kUnavailable, "the registry's answer has no vehicle"};
  }
  return FromWire(message.rows().rows(0));
}

}  // namespace

Result<Client> Client::Connect(const std::string& socket_path) {
  ASSIGN_OR_RETURN(LocalConnection connection, LocalConnection::Connect(socket_path));
  return Client(std::move(connection));
}

Result<Client::Counts> Client::Import(std::span<const VehicleEntry> entries) {
  Counts counts;
  while (!entries.empty()) {
    const auto piece = entries.first(std::min(entries.size(), kRowsPerImport));
    entries = entries.subspan(piece.size());
    wire::RegistryRequest request;
    for (const VehicleEntry& entry : piece) {
      ToWire(Vehicle{entry, {}, 0, {}}, *request.mutable_import()->add_rows());
    }
    ASSIGN_OR_RETURN(const wire::RegistryMessage message, Ask(connection_, request));
    counts.added += message.imported().added();
    counts.updated += message.imported().updated();
    counts.unchanged += message.imported().unchanged();
  }
  return counts;
}

Result<Vehicle> Client::FindByVin(std::string_view vin) {
  wire::RegistryRequest request;
  request.mutable_lookup()->set_vin(std::string(vin));
  return AskForOne(connection_, request);
}

Result<Vehicle> Client::FindByVin(std::string_view vin, std::uint32_t ownership_epoch) {
  wire::RegistryRequest request;
  request.mutable_lookup()->set_vin(std::string(vin));
  request.mutable_lookup()->set_ownership_epoch(ownership_epoch);
  return AskForOne(connection_, request);
}

Result<std::vector<Vehicle>> Client::ListAll() {
  wire::RegistryRequest request;
  request.mutable_subscribe();
  RETURN_IF_ERROR(connection_.Send(request.SerializeAsString()));
  std::vector<Vehicle> all;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<std::string> frame, connection_.Receive(kClientTimeout));
    wire::RegistryMessage message;
    if (!frame.has_value() || !message.ParseFromString(*frame)) {
      return Error{Code::kUnavailable, "the registry's list cannot be read"};
    }
    for (const wire::VehicleRow& row : message.rows().rows()) {
      ASSIGN_OR_RETURN(Vehicle vehicle, FromWire(row));
      all.push_back(std::move(vehicle));
    }
    if (message.rows().complete()) return all;
  }
}

Result<std::uint32_t> Client::Erase(const VehicleRef& ref) {
  wire::RegistryRequest request;
  request.mutable_erase()->set_vehicle_ref(ref.bytes.data(), ref.bytes.size());
  ASSIGN_OR_RETURN(const wire::RegistryMessage message, Ask(connection_, request));
  if (!message.has_erased()) {
    return Error{Code::kUnavailable, "the registry's answer is none to an erasure"};
  }
  return message.erased().rows();
}

Result<Vehicle> Client::FindByRef(const VehicleRef& ref) {
  wire::RegistryRequest request;
  request.mutable_lookup()->set_vehicle_ref(ref.bytes.data(), ref.bytes.size());
  return AskForOne(connection_, request);
}

Result<ChoiceState> Client::ShowChoice(const VehicleRef& ref) {
  wire::RegistryRequest request;
  request.mutable_show_choice()->set_vehicle_ref(ref.bytes.data(), ref.bytes.size());
  ASSIGN_OR_RETURN(const wire::RegistryMessage message, Ask(connection_, request));
  return FromWire(message.choice());
}

Result<ChoiceState> Client::SetChoice(const VehicleRef& ref, const ChoiceWish& wish) {
  wire::RegistryRequest request;
  ToWire(wish, *request.mutable_set_choice());
  request.mutable_set_choice()->mutable_vehicle()->set_vehicle_ref(ref.bytes.data(),
                                                                   ref.bytes.size());
  ASSIGN_OR_RETURN(const wire::RegistryMessage message, Ask(connection_, request));
  return FromWire(message.choice());
}

}  // namespace telltale::registry
