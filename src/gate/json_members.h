// Structs to and from JSON objects. The members of each stand once, in a `*_members.h`:
//
//   template <>
//   inline constexpr auto kMembersOf<SourceEvidence> =
//       std::tuple(Must("name", &SourceEvidence::name),
//                  Must("newest_us", &SourceEvidence::newest_us));
//
// A member is a count (std::int64_t), number (double), text, flag, enum with NamesOf() (by name),
// struct with kMembersOf, list of these, or map from names to counts. They are written in the order
// in which they stand; what is read is as json_fields.h says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "gate/json_fields.h"
#include "gate/names.h"

namespace telltale::gate {

template <typename Struct, typename Type>
struct Member {
  std::string_view name;
  Type Struct::* at;
  Need need = Need::kMust;
  std::size_t items_kept = std::numeric_limits<std::size_t>::max();  // of a list; more are dropped
  bool (*is_written)(const Struct&) = nullptr;                       // nullptr: always
};

template <typename Struct, typename Type>
constexpr Member<Struct, Type> Must(std::string_view name, Type Struct::* at) {
  return {.name = name, .at = at};
}

// May be missing: then it has its default. So may every list.
template <typename Struct, typename Type>
constexpr Member<Struct, Type> May(std::string_view name, Type Struct::* at) {
  return {.name = name, .at = at, .need = Need::kMay};
}

template <typename Struct, typename Type>
constexpr Member<Struct, std::vector<Type>> FirstOf(std::size_t items_kept, std::string_view name,
                                                    std::vector<Type> Struct::* at) {
  return {.name = name, .at = at, .need = Need::kMay, .items_kept = items_kept};
}

// Written only of those of which it says something.
template <typename Struct, typename Type>
constexpr Member<Struct, Type> WhereIt(bool (*is_written)(const Struct&), std::string_view name,
                                       Type Struct::* at) {
  return {.name = name, .at = at, .need = Need::kMay, .is_written = is_written};
}

template <typename Struct>
inline constexpr std::nullptr_t kMembersOf = nullptr;

// visit(member) for each member of Struct.
template <typename Struct, typename Visit>
constexpr void ForMembersOf(const Visit& visit) {
  std::apply([&](const auto&... member) { (visit(member), ...); }, kMembersOf<Struct>);
}

// Whether is_so(member) of each.
template <typename Struct, typename IsSo>
constexpr bool AllMembersOf(const IsSo& is_so) {
  return std::apply([&](const auto&... member) { return (is_so(member) && ...); },
                    kMembersOf<Struct>);
}

// What is no list, map or struct.
template <typename Type>
inline constexpr bool kIsPlain =
    std::is_arithmetic_v<Type> || std::is_enum_v<Type> || std::is_same_v<Type, std::string>;

// Reads members into values, each mistake kept in the Fields they are in.
class MemberReader {
 public:
  // `fields` may have more members: Done() refuses those that nobody read.
  template <typename Struct>
  static void All(Fields& fields, Struct& into) {
    ForMembersOf<Struct>([&](const auto& member) { One(fields, member, into.*member.at); });
  }

 private:
  // All members of `into`, and nothing else of `json`.
  template <typename Struct>
  static void Whole(Fields& parent, const nlohmann::json& json, std::string_view name,
                    Struct& into) {
    Fields fields(json, parent.what() + " " + std::string(name));
    All(fields, into);
    parent.Take(fields.Done());
  }

  template <typename Described, typename Type>
  static void One(Fields& fields, const Described& member, Type& into) {
    if constexpr (std::is_enum_v<Type>) {
      std::string name(NameOf(into));
      fields.Read(member.name, member.need, name);
      const auto found = FromName<Type>(name);
      if (!found) return fields.Mistake(std::string(member.name) + " is not one of its names");
      into = *found;
    } else if constexpr (kIsPlain<Type>) {
      fields.Read(member.name, member.need, into);
    } else {
      Whole(fields, fields.Object(member.name), member.name, into);
    }
  }

  template <typename Described, typename Item>
  static void One(Fields& fields, const Described& member, std::vector<Item>& into) {
    if (!fields.Has(member.name)) return;
    into.clear();
    fields.Each(member.name, [&](const nlohmann::json& json) {
      Item item = {};
      if constexpr (kIsPlain<Item>) {
        fields.ReadItem(member.name, json, item);
      } else {
        Whole(fields, json, member.name, item);
      }
      if (into.size() < member.items_kept) into.push_back(std::move(item));
    });
  }

  template <typename Described>
  static void One(Fields& fields, const Described& member,
                  std::map<std::string, std::int64_t>& into) {
    if (!fields.Has(member.name)) return;
    const nlohmann::json& json = fields.Object(member.name);
    Fields inner(json, fields.what() + " " + std::string(member.name));
    for (const auto& [name, value] : json.items()) inner.Read(name, Need::kMust, into[name]);
    fields.Take(inner.Done());
  }
};

inline double AsItIs(double value) { return value; }

// Writes values; a number as `shown` says.
class MemberWriter {
 public:
  explicit MemberWriter(double (*shown)(double) = AsItIs) : shown_(shown) {}

  template <typename Struct>
  void AddAll(const Struct& from, nlohmann::ordered_json& json) const {
    ForMembersOf<Struct>([&](const auto& member) {
      if (member.is_written != nullptr && !member.is_written(from)) return;
      json[std::string(member.name)] = Written(from.*member.at);
    });
  }

 private:
  template <typename Type>
  nlohmann::ordered_json Written(const Type& value) const {
    if constexpr (std::is_enum_v<Type>) {
      return NameOf(value);
    } else if constexpr (std::is_same_v<Type, double>) {
      return shown_(value);
    } else if constexpr (kIsPlain<Type>) {
      return value;
    } else {
      auto json = nlohmann::ordered_json::object();
      AddAll(value, json);
      return json;
    }
  }

  template <typename Item>
  nlohmann::ordered_json Written(const std::vector<Item>& items) const {
    auto json = nlohmann::ordered_json::array();
    for (const Item& item : items) json.push_back(Written(item));
    return json;
  }

  nlohmann::ordered_json Written(const std::map<std::string, std::int64_t>& counts) const {
    auto json = nlohmann::ordered_json::object();
    for (const auto& [name, count] : counts) json[name] = count;
    return json;
  }

  double (*shown_)(double);
};

}  // namespace telltale::gate
