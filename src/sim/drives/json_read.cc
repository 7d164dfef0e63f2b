#include "sim/drives/json_read.h"

#include <fmt/format.h>

#include <cmath>

namespace telltale::sim {

namespace {

constexpr int kNestingMax = 64;

// Copying a value takes a stack frame a level: what nests deeper is not built at all.
bool IsTooDeep(std::string_view text) {
  int depth = 0;
  bool is_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_text && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      is_text = !is_text;
    } else if (!is_text && (text[i] == '[' || text[i] == '{')) {
      if (++depth > kNestingMax) return true;
    } else if (!is_text && (text[i] == ']' || text[i] == '}')) {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  if (IsTooDeep(text)) return Error{Code::kInvalid, "JSON that nests deeper than 64 levels"};
  Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_discarded()) return parsed;
  return Error{Code::kInvalid, fmt::format("{} bytes that are not JSON", text.size())};
}

const Json* Member(const Json& of, const char* key) {
  if (!of.is_object()) return nullptr;
  const auto found = of.find(key);
  return found == of.end() ? nullptr : &*found;
}

const Json* Inside(const Json& of, std::initializer_list<const char*> path) {
  const Json* at = &of;
  for (const char* key : path) {
    if (at != nullptr) at = Member(*at, key);
  }
  return at;
}

std::optional<double> NumberIn(const Json& of, const char* key) {
  const Json* member = Member(of, key);
  if (member == nullptr || !member->is_number()) return std::nullopt;
  const auto value = member->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::string_view TextIn(const Json& of, const char* key) {
  const Json* member = Member(of, key);
  if (member == nullptr || !member->is_string()) return "";
  return *member->get_ptr<const Json::string_t*>();
}

std::string ModelOf(std::string_view typed) {
  static constexpr std::string_view kExtra = " .-_";
  std::string model;
  for (const char c : typed) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool is_kept = is_letter || (c >= '0' && c <= '9') || kExtra.find(c) != kExtra.npos;
    if (is_kept && !(c == ' ' && model.empty()) && model.size() < 40) model += c;
  }
  while (model.ends_with(' ')) model.pop_back();
  return model.empty() ? "recorded" : model;
}

}  // namespace telltale::sim
