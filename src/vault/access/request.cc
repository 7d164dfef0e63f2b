#include "vault/access/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "seal/seal.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

constexpr std::size_t kVinCharacters = 17;
constexpr int kCoordinateDecimals = 3;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// 17 letters and digits in a row, some of each, as a VIN is written.
bool HoldsVin(std::string_view text) {
  std::size_t run = 0;
  bool letters = false;
  bool digits = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    if (IsDigit(c) || IsLetter(c)) {
      ++run;
      letters = letters || IsLetter(c);
      digits = digits || IsDigit(c);
      continue;
    }
    if (run == kVinCharacters && letters && digits) return true;
    run = 0;
    letters = digits = false;
  }
  return false;
}

// Two numbers with as many decimals as only a place needs.
bool HoldsPlace(std::string_view text) {
  int found = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if ((text[i] != '.' && text[i] != ',') || !IsDigit(text[i - 1])) continue;
    int decimals = 0;
    while (i + 1 < text.size() && IsDigit(text[i + 1])) {
      ++decimals;
      ++i;
    }
    if (decimals >= kCoordinateDecimals) ++found;
  }
  return found >= 2;
}

Result<Micros> Time(const json& message, const char* key) {
  const auto found = message.find(key);
  if (found == message.end() || !found->is_number_integer()) {
    return Error{Code::kInvalid, fmt::format("{} is required: microseconds UTC", key)};
  }
  return Micros{found->get<std::int64_t>()};
}

Result<bool> Flag(const json& message, const char* key) {
  const auto found = message.find(key);
  if (found == message.end()) return false;
  if (!found->is_boolean()) return Error{Code::kInvalid, fmt::format("{} is true or false", key)};
  return found->get<bool>();
}

Result<std::vector<VehicleRef>> Vehicles(const json& message) {
  const auto found = message.find("vehicles");
  const bool is_list = found != message.end() && found->is_array() && !found->empty();
  if (!is_list) {
    return Error{Code::kInvalid,
                 "vehicles is required: a list of vehicle_refs, 32 hex digits each"};
  }
  if (found->size() > kVehiclesOfRequestMax) {
    return Error{Code::kTooBig, fmt::format("more than {} vehicles", kVehiclesOfRequestMax)};
  }
  std::vector<VehicleRef> vehicles;
  for (const json& one : *found) {
    if (!one.is_string()) return Error{Code::kInvalid, "a vehicle_ref is 32 hex digits"};
    ASSIGN_OR_RETURN(const VehicleRef vehicle, VehicleRef::FromHex(one.get<std::string>()));
    vehicles.push_back(vehicle);
  }
  std::sort(vehicles.begin(), vehicles.end());
  vehicles.erase(std::unique(vehicles.begin(), vehicles.end()), vehicles.end());
  return vehicles;
}

Result<std::set<std::string>> Fields(const json& message) {
  std::set<std::string> fields;
  const auto found = message.find("fields");
  if (found == message.end()) return fields;
  if (!found->is_array() || found->empty() || found->size() > kFieldsOfRequestMax) {
    return Error{Code::kInvalid, "fields is a list of names of the contract; leave it out for all"};
  }
  for (const json& one : *found) {
    const std::string name = one.is_string() ? one.get<std::string>() : "";
    const bool is_name =
        !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
          return IsDigit(c) || (c >= 'a' && c <= 'z') || c == '_';
        });
    if (!is_name) return Error{Code::kInvalid, "fields is a list of names of the contract"};
    fields.insert(name);
  }
  return fields;
}

Result<QueryRequest> ParseQuery(const json& message) {
  RETURN_IF_ERROR(CheckKeys(message, {"op", "kind", "vehicles", "from_us", "to_us", "fields",
                                      "purpose", "case", "class", "break_glass", "keep", "hold"}));
  QueryRequest query;
  if (message.contains("hold")) {
    ASSIGN_OR_RETURN(const std::int64_t hold, NumberOf(message, "hold"));
    query.hold = static_cast<std::uint64_t>(hold);
  }
  ASSIGN_OR_RETURN(query.vehicles, Vehicles(message));
  ASSIGN_OR_RETURN(query.from, Time(message, "from_us"));
  ASSIGN_OR_RETURN(query.to, Time(message, "to_us"));
  if (query.from >= query.to) return Error{Code::kInvalid, "from_us must be before to_us"};
  ASSIGN_OR_RETURN(query.fields, Fields(message));
  ASSIGN_OR_RETURN(query.purpose, WordsOf(message, "purpose"));
  ASSIGN_OR_RETURN(query.case_id, WordsOf(message, "case"));
  ASSIGN_OR_RETURN(query.break_glass, Flag(message, "break_glass"));
  ASSIGN_OR_RETURN(query.keep, Flag(message, "keep"));
  const auto wanted = message.find("class");
  if (wanted == message.end()) return query;
  if (*wanted != "data" && *wanted != "quarantine" && *wanted != "unknown") {
    return Error{Code::kInvalid, "class must be data, quarantine or unknown"};
  }
  query.frame_class = wanted->get<std::string>();
  return query;
}

constexpr std::array kKinds = {RequestKind::kQuery, RequestKind::kHold, RequestKind::kHoldLift,
                               RequestKind::kClockConfirm};

}  // namespace

std::string_view KindName(RequestKind kind) {
  switch (kind) {
    case RequestKind::kQuery:
      return "query";
    case RequestKind::kHold:
      return "hold";
    case RequestKind::kHoldLift:
      return "hold_lift";
    case RequestKind::kClockConfirm:
      return "clock_confirm";
  }
  return "none";
}

Result<std::string> WordsOf(const json& message, const char* key) {
  const auto found = message.find(key);
  std::string text = found != message.end() && found->is_string() ? found->get<std::string>() : "";
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  const bool blank = text.find_first_not_of(' ') == std::string::npos;
  if (blank || !printable || text.size() > kWordsCharactersMax) {
    return Error{Code::kInvalid, fmt::format("{} is required: 1 to {} printable characters", key,
                                             kWordsCharactersMax)};
  }
  if (HoldsVin(text) || HoldsPlace(text)) {
    return Error{Code::kInvalid,
                 fmt::format("{} looks like it holds a VIN or coordinates; it is kept in the audit "
                             "log for good, so name the case another way",
                             key)};
  }
  return text;
}

Result<std::int64_t> NumberOf(const json& message, const char* key) {
  const auto found = message.find(key);
  if (found == message.end() || !found->is_number_integer() || found->get<std::int64_t>() < 1) {
    return Error{Code::kInvalid, fmt::format("{} is required: a number from 1 on", key)};
  }
  return found->get<std::int64_t>();
}

Status CheckKeys(const json& message, const std::set<std::string>& known) {
  for (const auto& [key, value] : message.items()) {
    if (known.contains(key)) continue;
    return Error{Code::kInvalid, fmt::format("a request has no such key as one that was sent; it "
                                             "has {}. There is no query by place",
                                             fmt::join(known, ", "))};
  }
  return Ok();
}

Result<Request> ParseRequest(const json& message) {
  Request request;
  const auto kind = message.find("kind");
  if (kind != message.end()) {
    const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                    [&](RequestKind one) { return *kind == KindName(one); });
    if (found == kKinds.end()) {
      return Error{Code::kInvalid, "kind must be query, hold, hold_lift or clock_confirm"};
    }
    request.kind = *found;
  }
  if (request.kind == RequestKind::kQuery) {
    ASSIGN_OR_RETURN(request.query, ParseQuery(message));
    return request;
  }
  RETURN_IF_ERROR(CheckKeys(message, {"op", "kind", "vehicles", "case", "params"}));
  ASSIGN_OR_RETURN(request.query.case_id, WordsOf(message, "case"));
  if (message.contains("vehicles")) {
    ASSIGN_OR_RETURN(request.query.vehicles, Vehicles(message));
  }
  request.params = message.value("params", json::object());
  if (!request.params.is_object() ||
      request.params.dump(-1, ' ', true, json::error_handler_t::replace).size() > 4096) {
    return Error{Code::kInvalid, "params is an object of at most 4096 characters"};
  }
  return request;
}

json Request::Body() const {
  json body{{"kind", KindName(kind)}, {"case", query.case_id}};
  if (kind != RequestKind::kQuery) {
    body["params"] = params;
    return body;
  }
  body["from_us"] = query.from.value;
  body["to_us"] = query.to.value;
  body["fields"] = query.fields;
  body["purpose"] = query.purpose;
  body["class"] = query.frame_class;
  body["break_glass"] = query.break_glass;
  if (query.hold) body["hold"] = *query.hold;
  body["keep"] = query.keep;
  return body;
}

Result<Request> Request::FromBody(const json& body, std::vector<VehicleRef> vehicles) {
  json message = body;
  if (!message.is_object()) return Error{Code::kCorrupt, "a request in the book is no object"};
  if (message.contains("fields") && message["fields"].empty()) message.erase("fields");
  if (!vehicles.empty()) {
    message["vehicles"] = json::array();
    for (const VehicleRef& one : vehicles) message["vehicles"].push_back(one.ToHex());
  }
  auto parsed = ParseRequest(message);
  if (!parsed.ok())
    return Error{Code::kCorrupt, "a request in the book: " + parsed.error().message};
  return parsed;
}

std::string RequestHash(const std::string& body, const std::vector<VehicleRef>& vehicles,
                        const std::string& stamp) {
  std::string text = body + '\n';
  for (const VehicleRef& one : vehicles) text += one.ToHex() + '\n';
  return HexEncode(seal::Sha256(text + stamp));
}

}  // namespace telltale::vault
