// What one may ask the vault, read from JSON: every key is known, and none of them is a place.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace telltale::vault {

inline constexpr std::size_t kWordsCharactersMax = 200;
inline constexpr std::size_t kVehiclesOfRequestMax = 1000;
inline constexpr std::size_t kFieldsOfRequestMax = 500;

enum class RequestKind { kQuery, kHold, kHoldLift, kClockConfirm };
std::string_view KindName(RequestKind kind);

// Positions of vehicles, for a purpose and a case.
struct QueryRequest {
  std::vector<VehicleRef> vehicles;  // ascending, each once
  Micros from;                       // event time, inclusive
  Micros to;                         // exclusive
  std::set<std::string> fields;      // the contract's names; empty: all that the purpose allows
  std::string purpose;
  std::string case_id;
  std::string frame_class = "data";   // or quarantine, unknown
  std::optional<std::uint64_t> hold;  // what this hold keeps, instead of what none does
  bool break_glass = false;
  bool keep = false;  // the answer stays in the vault as an export
};

struct Request {
  RequestKind kind = RequestKind::kQuery;
  QueryRequest query;     // kQuery; vehicles also of kHold, when it names some
  nlohmann::json params;  // the others: as asked, checked by who carries it out

  // Without the vehicles, which the book keeps apart so that they can be forgotten. Keys in
  // alphabetical order.
  nlohmann::json Body() const;
  //   kCorrupt  not what Body() gives
  static Result<Request> FromBody(const nlohmann::json& body, std::vector<VehicleRef> vehicles);
};

// The hash an approval is bound to: of body, vehicles and who asked when.
std::string RequestHash(const std::string& body, const std::vector<VehicleRef>& vehicles,
                        const std::string& stamp);

// {"op":"query"|"request", "kind":…, …}: see docs/formats/vault-socket.md.
//   kInvalid  names the key and what is allowed
Result<Request> ParseRequest(const nlohmann::json& message);

// 1 to kWordsCharactersMax printable characters that look like no VIN and no pair of coordinates:
// they are kept in the audit log for good.
//   kInvalid  otherwise, without quoting them
Result<std::string> WordsOf(const nlohmann::json& message, const char* key);
// kInvalid: absent, or not a number from 1 on.
Result<std::int64_t> NumberOf(const nlohmann::json& message, const char* key);
// Keys that the operation does not have are refused: a filter that is not known must not be
// ignored.
Status CheckKeys(const nlohmann::json& message, const std::set<std::string>& known);

}  // namespace telltale::vault
