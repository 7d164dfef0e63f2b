#include "lake/shadow_run.h"

#include <nlohmann/json.hpp>

#include "base/format_version.h"
#include "base/sha256.h"

namespace telltale::lake {
namespace {

using Json = nlohmann::json;

Result<std::string> DigestOf(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string() || !IsSha256Hex(found->get<std::string>())) {
    return Error{Code::kInvalid, std::string(name) + " is not 64 hexadecimal digits in lower case"};
  }
  return found->get<std::string>();
}

Result<std::vector<VehicleRef>> ListOf(const Json& json, const char* name) {
  std::vector<VehicleRef> list;
  const auto found = json.find(name);
  if (found == json.end()) return list;
  if (!found->is_array()) return Error{Code::kInvalid, std::string(name) + " is no list"};
  for (const Json& one : *found) {
    const auto vehicle = VehicleRef::FromHex(one.is_string() ? one.get<std::string>() : "");
    if (!vehicle.ok()) {
      return Error{Code::kInvalid, std::string(name) + " has what is no reference"};
    }
    list.push_back(*vehicle);
  }
  return list;
}

}  // namespace

Result<ShadowRun> ParseShadowRun(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Error{Code::kInvalid, "not a JSON object"};
  const auto format = json.find("format");
  const auto version = json.find("version");
  if (format == json.end() || *format != "telltale-shadow-run" || version == json.end() ||
      !version->is_number_unsigned()) {
    return Error{Code::kInvalid, "not a telltale-shadow-run"};
  }
  const auto needed = version->get<std::uint64_t>();
  RETURN_IF_ERROR(CheckReadable(Format::kShadowRun, "this shadow run", needed, needed));
  ShadowRun run;
  ASSIGN_OR_RETURN(run.release, DigestOf(json, "release"));
  ASSIGN_OR_RETURN(run.contract, DigestOf(json, "contract"));
  const auto salt = json.find("salt");
  if (salt == json.end() || !salt->is_string()) return Error{Code::kInvalid, "salt is no text"};
  run.order.salt = salt->get<std::string>();
  ASSIGN_OR_RETURN(run.order.always, ListOf(json, "always"));
  ASSIGN_OR_RETURN(run.order.never, ListOf(json, "never"));
  const auto lots = json.find("lots");
  if (lots == json.end() || !lots->is_number_unsigned() || lots->get<std::uint64_t>() < 1 ||
      lots->get<std::uint64_t>() > kLots) {
    return Error{Code::kInvalid, "lots is no number from 1 to 10002"};
  }
  run.lots = lots->get<std::uint32_t>();
  return run;
}

}  // namespace telltale::lake
