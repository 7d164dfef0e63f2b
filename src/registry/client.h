// Asks the running registry, as `telltale vehicles` does.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/local_socket.h"
#include "registry/registry.h"

namespace telltale::registry {

// One thread. Every call waits at most kClientTimeout for its reply and gives what the registry
// answered, or kUnavailable when it is not running or does not answer.
class Client {
 public:
  static Result<Client> Connect(const std::string& socket_path);

  // Sent in pieces of kRowsPerImport; each piece is all or nothing. When a later piece is refused
  // the earlier ones stay: importing the corrected file again repeats nothing.
  struct Counts {
    std::uint64_t added = 0;
    std::uint64_t updated = 0;
    std::uint64_t unchanged = 0;
  };
  Result<Counts> Import(std::span<const VehicleEntry> entries);
  Result<Vehicle> FindByVin(std::string_view vin);
  Result<Vehicle> FindByVin(std::string_view vin, std::uint32_t ownership_epoch);
  Result<Vehicle> FindByRef(const VehicleRef& ref);
  // The map that gateways are told, whole. The connection then follows changes: ask nothing more
  // of it.
  Result<std::vector<Vehicle>> ListAll();
  // As Registry::Erase; gives how many rows went.
  Result<std::uint32_t> Erase(const VehicleRef& ref);
  // Of a vehicle in any ownership epoch.
  Result<ChoiceState> ShowChoice(const VehicleRef& ref);
  // The change is logged with the user id that the kernel says of this process.
  Result<ChoiceState> SetChoice(const VehicleRef& ref, const ChoiceWish& wish);

 private:
  explicit Client(LocalConnection connection) : connection_(std::move(connection)) {}
  LocalConnection connection_;
};

inline constexpr std::size_t kRowsPerImport = 10'000;
inline constexpr auto kClientTimeout = std::chrono::seconds(30);

}  // namespace telltale::registry
