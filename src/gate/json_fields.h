// Reads the members of a JSON object made elsewhere. Keeps the first mistake and goes on with
// defaults; Done() also refuses members that nobody read: a misspelt count would read as zero.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/format_version.h"
#include "base/result.h"

namespace telltale::gate {

inline constexpr std::size_t kTextBytesMax = 1024;
inline constexpr std::size_t kItemsMax = 100'000;

// One thread. `json` must outlive it.
class Fields {
 public:
  Fields(const nlohmann::json& json, std::string what);

  // Members that must be there. Counts and times are whole and not negative, numbers are finite.
  void Count(std::string_view name, std::int64_t& into);
  void Number(std::string_view name, double& into);
  void Text(std::string_view name, std::string& into);
  void Flag(std::string_view name, bool& into);
  // Members that may be missing: `into` keeps its value.
  void MayCount(std::string_view name, std::int64_t& into);
  void MayNumber(std::string_view name, double& into);
  void MayText(std::string_view name, std::string& into);
  void MayFlag(std::string_view name, bool& into);

  // `format`, 1 where it is not said. kUnsupported where it needs a newer reader.
  Status Version(Format format, std::string_view what);

  // `read` for each item of a list, which may be missing.
  void Each(std::string_view name, const std::function<void(const nlohmann::json&)>& read);
  // The object under `name`, which must be there; an empty object where it is not one.
  const nlohmann::json& Object(std::string_view name);
  bool Has(std::string_view name) const;

  void Mistake(const std::string& message);  // if it is the first
  void Take(const Status& status);           // another reader's mistake
  Status Done();                             // kInvalid

  const std::string& what() const { return what_; }

 private:
  const nlohmann::json* Find(std::string_view name, bool may_miss);

  const nlohmann::json& json_;
  std::string what_;
  std::set<std::string, std::less<>> read_;
  std::string mistake_;
};

}  // namespace telltale::gate
