// The file that `telltale vehicles import` reads: CSV with a header line naming the five columns
// vin, model, class, fuel, ownership_epoch in any order. Commas; double quotes around a value that
// holds a comma or a quote; one vehicle a line.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/vehicle_class.h"

namespace telltale::registry {

inline constexpr std::size_t kVinCharacters = 17;
inline constexpr std::size_t kModelCharactersMax = 64;
inline constexpr std::array<std::string_view, 8> kFuels = {
    "unknown", "gasoline", "diesel", "hybrid", "plug_in_hybrid", "electric", "gas", "hydrogen"};

// One vehicle as a person describes it; the registry adds reference and offset.
struct VehicleEntry {
  std::string vin;
  std::string model;
  VehicleClass vehicle_class = VehicleClass::kUnknown;
  std::string fuel = "unknown";
  std::uint32_t ownership_epoch = 1;
};

// 17 of A-H J-N P R-Z 0-9 (ISO 3779: no I, O, Q), as the door asks of a certificate.
bool IsVin(std::string_view text);
bool IsModel(std::string_view text);  // 0 to 64 printable ASCII characters
bool IsFuel(std::string_view text);   // one of kFuels

// Every failure is kInvalid and names line and column and what is allowed, never the value found
// (it may be a VIN). A VIN that stands in two lines is a failure too: which one holds?
Result<std::vector<VehicleEntry>> ParseVehicleFile(std::string_view text);

}  // namespace telltale::registry
