// Reads the members of a JSON object that someone else wrote. Keeps the first mistake and goes on
// with defaults, so that a caller reads all members and asks once.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/sha256.h"

namespace telltale::control {

// One thread. `object` must outlive it.
class JsonReader {
 public:
  // `what` begins each message: "policy standard".
  JsonReader(const nlohmann::json& object, std::string what);

  // Without `otherwise` the member must be there.
  std::string Text(std::string_view name, std::optional<std::string> otherwise = std::nullopt,
                   std::size_t bytes_max = 1024);
  std::string OneOf(std::string_view name, std::vector<std::string_view> allowed,
                    std::optional<std::string> otherwise = std::nullopt);
  // [a-z0-9][a-z0-9-]{0,62}, or "" where `otherwise` is "".
  std::string Key(std::string_view name, std::optional<std::string> otherwise = std::nullopt);
  // 64 lower-case hex digits.
  std::string Digest(std::string_view name);
  // Also from text of digits: members of a query are text.
  std::int64_t Whole(std::string_view name, std::optional<std::int64_t> otherwise,
                     std::int64_t least, std::int64_t most);
  double Number(std::string_view name, double otherwise, double least, double most);
  bool Flag(std::string_view name, bool otherwise);
  // RFC 3339 UTC, kept as it is written; "" where `otherwise` is "".
  std::string Time(std::string_view name, std::optional<std::string> otherwise = std::nullopt);
  // Texts, each once, of at most 128 bytes.
  std::vector<std::string> Texts(std::string_view name, std::vector<std::string> otherwise,
                                 std::size_t items_max);
  // An empty list when it is missing.
  nlohmann::json List(std::string_view name, std::size_t items_max);
  nlohmann::json Any(std::string_view name);  // null when it is missing

  void Mistake(std::string message);  // if it is the first
  // The first mistake, or a member that was not read (kInvalid).
  Status Done();

 private:
  const nlohmann::json* Find(std::string_view name);
  const nlohmann::json* Need(std::string_view name, bool may_miss);

  const nlohmann::json& object_;
  std::string what_;
  std::vector<std::string> known_;
  std::optional<std::string> mistake_;
};

bool IsKey(std::string_view text);
// "2026-01-31T23:59:59Z", with or without a fraction. kInvalid otherwise.
Result<Micros> ParseUtc(std::string_view text);
// FormatUtc, and "" for 0.
std::string TimeText(std::int64_t at_us);
// The candidate that `given` was meant to be; "" when none is near.
std::string NearestName(std::string_view given, const std::vector<std::string>& candidates);
// Sorted keys, no spaces; what is no UTF-8 becomes U+FFFD.
std::string Canonical(const nlohmann::json& value);

}  // namespace telltale::control
