// Random schemas for property tests: made, edited, written as .proto text.
#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "contract/check/check_testing.h"

namespace telltale::contract::check::testing {

struct RandomField {
  std::string name;
  int number = 0;
  std::string type;   // "int32", "E0", "M1", "map<string, int32>"
  std::string label;  // "optional", "repeated", "required", or empty
  std::string oneof;  // name; empty: in none
  std::string default_value;
};

struct RandomMessage {
  std::string name;
  std::vector<RandomField> fields;
  std::vector<std::pair<int, int>> reserved;  // both ends included
  std::vector<std::string> reserved_names;
  int next = 1;  // above all numbers that were ever used or reserved
};

struct RandomEnum {
  std::string name;
  std::vector<std::pair<std::string, int>> values;  // the first is the zero
  int next = 1;
};

// One file of package p, in proto2 or proto3. Messages M0, M1, ...; enums E0, E1, ...
class RandomSchema {
 public:
  static RandomSchema Make(Random& random);

  // Something that breaks nobody; says what.
  std::string EditAdditively(Random& random);
  // Something that breaks somebody; the id of its rule, or "" when this schema has no place for
  // what was drawn (it is unchanged then).
  std::string EditBreaking(Random& random);

  std::string ToText() const;
  Texts ToTexts() const { return {{"a.proto", ToText()}}; }

 private:
  RandomField NewField(RandomMessage& message, Random& random);
  std::string RandomType(Random& random) const;
  std::string BreakField(RandomMessage& message, Random& random);
  std::string BreakPair(RandomMessage& message, Random& random);
  std::string BreakOneof(RandomMessage& message, Random& random);
  std::string BreakEnum(Random& random);
  std::string BreakReserved(RandomMessage& message, Random& random);
  std::string AddBadField(RandomMessage& message, Random& random);

  bool is_proto2_ = false;
  int names_ = 0;  // of fields, never twice
  std::vector<RandomMessage> messages_;
  std::vector<RandomEnum> enums_;
};

// Random values in every field, messages within up to a depth.
void FillRandomly(google::protobuf::Message& message, Random& random, int depth);
std::string DeterministicBytes(const google::protobuf::Message& message);

}  // namespace telltale::contract::check::testing
