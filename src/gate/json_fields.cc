#include "gate/json_fields.h"

#include <cmath>

namespace telltale::gate {
namespace {

const nlohmann::json& EmptyObject() {
  static const nlohmann::json empty = nlohmann::json::object();
  return empty;
}

bool IsText(const nlohmann::json& json) {
  return json.is_string() && json.get_ref<const std::string&>().size() <= kTextBytesMax;
}

}  // namespace

Fields::Fields(const nlohmann::json& json, std::string what) : json_(json), what_(std::move(what)) {
  if (!json.is_object()) Mistake("is not an object");
}

bool Fields::Has(std::string_view name) const { return json_.is_object() && json_.contains(name); }

const nlohmann::json* Fields::Find(std::string_view name, Need need) {
  if (!json_.is_object()) return nullptr;
  const auto found = json_.find(name);
  if (found == json_.end()) {
    if (need == Need::kMust) Mistake(std::string(name) + " is missing");
    return nullptr;
  }
  read_.insert(std::string(name));
  return &*found;
}

void Fields::Read(std::string_view name, Need need, std::int64_t& into) {
  const nlohmann::json* found = Find(name, need);
  if (found == nullptr) return;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  // A whole number that was parsed without a minus is unsigned; one that code made may be signed.
  const bool is_whole = found->is_number_unsigned() ||
                        (found->is_number_integer() && found->get<std::int64_t>() >= 0);
  if (!is_whole || found->get<std::uint64_t>() > kMost) {
    return Mistake(std::string(name) + " is not a whole number of 0 or more");
  }
  into = found->get<std::int64_t>();
}

void Fields::Read(std::string_view name, Need need, double& into) {
  const nlohmann::json* found = Find(name, need);
  if (found == nullptr) return;
  if (!found->is_number() || !std::isfinite(found->get<double>())) {
    return Mistake(std::string(name) + " is not a finite number");
  }
  into = found->get<double>();
}

void Fields::Read(std::string_view name, Need need, std::string& into) {
  const nlohmann::json* found = Find(name, need);
  if (found == nullptr) return;
  if (!IsText(*found)) {
    return Mistake(std::string(name) + " is not a text of at most 1024 bytes");
  }
  into = found->get<std::string>();
}

void Fields::Read(std::string_view name, Need need, bool& into) {
  const nlohmann::json* found = Find(name, need);
  if (found == nullptr) return;
  if (!found->is_boolean()) return Mistake(std::string(name) + " is neither true nor false");
  into = found->get<bool>();
}

Status Fields::Version(Format format, std::string_view what) {
  std::int64_t version = 1;
  Read("format", Need::kMay, version);
  return CheckReadable(format, what, static_cast<std::uint64_t>(version),
                       static_cast<std::uint64_t>(version));
}

void Fields::Each(std::string_view name, const std::function<void(const nlohmann::json&)>& read) {
  const nlohmann::json* found = Find(name, Need::kMay);
  if (found == nullptr) return;
  if (!found->is_array() || found->size() > kItemsMax) {
    return Mistake(std::string(name) + " is not a list of at most 100000");
  }
  for (const nlohmann::json& item : *found) read(item);
}

void Fields::ReadItem(std::string_view name, const nlohmann::json& item, std::string& into) {
  if (!IsText(item))
    return Mistake(std::string(name) + " has what is not a text of at most 1024 bytes");
  into = item.get<std::string>();
}

void Fields::ReadItem(std::string_view name, const nlohmann::json& item, double& into) {
  if (!item.is_number()) return Mistake(std::string(name) + " has what is not a number");
  into = item.get<double>();
}

const nlohmann::json& Fields::Object(std::string_view name) {
  const nlohmann::json* found = Find(name, Need::kMust);
  if (found != nullptr && found->is_object()) return *found;
  if (found != nullptr) Mistake(std::string(name) + " is not an object");
  return EmptyObject();
}

void Fields::Mistake(const std::string& message) {
  if (mistake_.empty()) mistake_ = what_ + ": " + message;
}

void Fields::Take(const Status& status) {
  if (!status.ok() && mistake_.empty()) mistake_ = status.error().message;
}

Status Fields::Done() {
  if (mistake_.empty()) {
    for (const auto& [name, value] : json_.items()) {
      if (!read_.contains(name)) {
        Mistake(name.substr(0, 64) + " is not known here");
        break;
      }
    }
  }
  if (!mistake_.empty()) return Error{Code::kInvalid, mistake_};
  return Ok();
}

}  // namespace telltale::gate
