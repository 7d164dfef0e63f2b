// Reads the members of a JSON object made elsewhere. Keeps the first mistake and goes on with
// defaults; Done() also refuses members that nobody read: a misspelt count would read as zero.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "base/format_version.h"
#include "base/result.h"

namespace telltale::gate {

inline constexpr std::size_t kTextBytesMax = 1024;
inline constexpr std::size_t kItemsMax = 100'000;

enum class Need { kMust, kMay };

// One thread. `json` must outlive it.
class Fields {
 public:
  Fields(const nlohmann::json& json, std::string what);

  // Counts and times are whole and not negative, numbers finite, texts of at most kTextBytesMax.
  // What may be missing keeps its value then.
  void Read(std::string_view name, Need need, std::int64_t& into);
  void Read(std::string_view name, Need need, double& into);
  void Read(std::string_view name, Need need, std::string& into);
  void Read(std::string_view name, Need need, bool& into);

  // `format`, 1 where it is not said. kUnsupported where it needs a newer reader.
  Status Version(Format format, std::string_view what);

  // `read` for each item of a list, which may be missing.
  void Each(std::string_view name, const std::function<void(const nlohmann::json&)>& read);
  // One of them.
  void ReadItem(std::string_view name, const nlohmann::json& item, std::string& into);
  void ReadItem(std::string_view name, const nlohmann::json& item, double& into);
  // The object under `name`, which must be there; an empty object where it is not one.
  const nlohmann::json& Object(std::string_view name);
  bool Has(std::string_view name) const;

  void Mistake(const std::string& message);  // if it is the first
  void Take(const Status& status);           // another reader's mistake
  Status Done();                             // kInvalid

  const std::string& what() const { return what_; }

 private:
  const nlohmann::json* Find(std::string_view name, Need need);

  const nlohmann::json& json_;
  std::string what_;
  std::set<std::string, std::less<>> read_;
  std::string mistake_;
};

}  // namespace telltale::gate
