#include "contract/transforms.h"

#include <gtest/gtest.h>

#include <cmath>

#include "contract/open_text.h"
#include "contract/report_oracle.h"
#include "contract/units.h"

namespace telltale::contract {
namespace {

using namespace testing;  // NOLINT

std::string Text(std::uint32_t number, std::string_view text) { return Delimited(number, text); }
std::string Number(std::uint32_t number, double value) { return Fixed<double>(number, value); }
std::string Mapping(const std::string& from, const std::string& to) {
  return Delimited(14, Text(1, from) + Text(2, to));
}
// FieldSpec.from.
std::string From(const std::string& field, const std::string& transform = "") {
  return Delimited(15, Text(1, field) + transform);
}
const std::string kOpen = PrivacySpec(1);

using Proto = pb::FieldDescriptorProto;

class TransformsTest : public ::testing::Test {
 protected:
  // Adds a field to Report: number rises from 8,001.
  TransformsTest& Add(const std::string& name, Proto::Type type, const std::string& spec) {
    SetSpec(AddField(FindMessage(files_, "Report"), name, next_++, type), kOpen + spec);
    return *this;
  }
  // "" or why the contract is refused.
  std::string Why() {
    const auto contract = Contract::FromDescriptorSet(files_.SerializeAsString());
    return contract.ok() ? "" : contract.error().message;
  }
  std::vector<std::string> FeedersIn(const std::string& owner) {
    const auto contract = Load(files_);
    std::vector<std::string> names;
    for (const Feeder& feeder : FeedersOf(contract->fields(), *contract->FindByName(owner))) {
      names.push_back(feeder.field->name);
    }
    return names;
  }
  pb::FileDescriptorSet files_ = ShippedFiles();
  int next_ = 8'001;
};

TEST_F(TransformsTest, NewerFieldsThenTheOwnerThenItsOlderSourcesFeedAColumn) {
  Add("range_text", Proto::TYPE_STRING, Text(11, "[0-9]{1,3}"));
  Add("range", Proto::TYPE_DOUBLE, UnitSpec("km") + From("range_text"));
  Add("range_m", Proto::TYPE_UINT32, UnitSpec("m") + Text(6, "range") + Number(12, 0.001));
  Add("range_mi", Proto::TYPE_FLOAT, UnitSpec("[mi_i]") + Text(6, "range") + Number(12, 1.609344));
  ASSERT_EQ(Why(), "");
  EXPECT_EQ(FeedersIn("range"),
            (std::vector<std::string>{"range_mi", "range_m", "range", "range_text"}));
  const auto contract = Load(files_);
  EXPECT_TRUE(FeedsAnother(contract->fields(), *contract->FindByName("range_m")));
  EXPECT_FALSE(FeedsAnother(contract->fields(), *contract->FindByName("range_text")));
  EXPECT_FALSE(FeedsAnother(contract->fields(), *contract->FindByName("range")));
}

TEST_F(TransformsTest, AnEnumAndItsTextMayShareAColumn) {
  Add("gear_text", Proto::TYPE_STRING, Text(10, "P") + Text(10, "D"));
  Add("gear_number", Proto::TYPE_UINT32,
      Text(6, "gear_text") + Mapping("1", "P") + Mapping("2", "D"));
  EXPECT_EQ(Why(), "");
}

struct Refusal {
  const char* name;
  Proto::Type type;
  std::string spec;
  const char* why;
};

TEST_F(TransformsTest, ATransformThatCannotWorkMakesTheContractUnreadable) {
  const std::string into_range = Text(6, "range_x");
  const std::vector<Refusal> refusals = {
      {"scale 0", Proto::TYPE_FLOAT, into_range + Number(12, 0), "not 0"},
      {"scale infinite", Proto::TYPE_FLOAT, into_range + Number(12, INFINITY), "finite"},
      {"wrong factor", Proto::TYPE_FLOAT, UnitSpec("m") + into_range + Number(12, 1000),
       "scale 0.001"},
      {"no factor", Proto::TYPE_FLOAT, UnitSpec("m") + into_range, "scale 0.001"},
      {"another quantity", Proto::TYPE_FLOAT, UnitSpec("V") + into_range, "V does not become km"},
      {"bytes", Proto::TYPE_BYTES, into_range, "bytes cannot be OPEN"},
      {"map and scale", Proto::TYPE_UINT32, into_range + Number(12, 2) + Mapping("1", "2"),
       "choose one"},
      {"map of a float", Proto::TYPE_FLOAT, into_range + Mapping("1", "2"), "map is for"},
      {"map twice", Proto::TYPE_UINT32, into_range + Mapping("1", "2") + Mapping("1", "3"),
       "more than once"},
      {"a source that is not there", Proto::TYPE_FLOAT, From("nobody"), "no field nobody"},
      {"itself", Proto::TYPE_FLOAT, From("bad"), "feeds it already"},
      {"a text into a text's own column with a scale", Proto::TYPE_STRING, Number(12, 2),
       "a text's own column is text"},
      {"whole numbers scaled in their own column", Proto::TYPE_UINT32, Number(12, 0.1),
       "need a float or double"},
      {"a sealed field", Proto::TYPE_FLOAT, PrivacySpec(2) + into_range, "one privacy class"},
      {"a field with two homes", Proto::TYPE_FLOAT,
       UnitSpec("km") + into_range + From("speed_kmh", Number(2, 1)), "a column of its own"},
      {"a scaled column that is shared", Proto::TYPE_FLOAT, Number(12, 2) + From("speed_kmh"),
       "cannot share it"},
      {"a float into a bool", Proto::TYPE_FLOAT, Text(6, "is_engine_running"), "become a bool"},
      {"a bool into a text", Proto::TYPE_BOOL, Text(6, "word"), "without a map"},
      {"header fields", Proto::TYPE_UINT64, Text(6, "seq"), "share a column"},
      {"lists", Proto::TYPE_UINT32, From("dtcs"), "share a column"},
  };
  const pb::FileDescriptorSet shipped = files_;
  for (const Refusal& refusal : refusals) {
    files_ = shipped;
    next_ = 8'001;
    Add("range_x", Proto::TYPE_DOUBLE, UnitSpec("km"));
    Add("word", Proto::TYPE_STRING, Text(10, "x"));
    Add("bad", refusal.type, refusal.spec);
    EXPECT_NE(Why().find(refusal.why), std::string::npos) << refusal.name << ": " << Why();
    EXPECT_NE(Why().find("Report.bad"), std::string::npos) << refusal.name << ": " << Why();
  }
}

TEST_F(TransformsTest, MembersOfMessagesShareNoColumn) {
  SetSpec(FindField(FindMessage(files_, "TireState"), "temperature_c"), Number(12, 2));
  EXPECT_NE(Why().find("only fields of Report"), std::string::npos) << Why();
}

TEST_F(TransformsTest, ATextThatSaysWhereOrWhoIsNeverOpen) {
  for (const char* pattern :
       {".*", "[-0-9.]+,[-0-9.]+", "[A-Z0-9]{17}", "[A-Za-z ]+", "[^@]+@.+"}) {
    files_ = ShippedFiles();
    Add("words", Proto::TYPE_STRING, Text(11, pattern));
    EXPECT_NE(Why().find("stand openly"), std::string::npos) << pattern << ": " << Why();
  }
  files_ = ShippedFiles();
  Add("words", Proto::TYPE_STRING, Text(11, "(["));
  EXPECT_NE(Why().find("no RE2"), std::string::npos) << Why();
  files_ = ShippedFiles();
  Add("words", Proto::TYPE_FLOAT, Text(11, "[0-9]"));
  EXPECT_NE(Why().find("for OPEN texts"), std::string::npos) << Why();
  files_ = ShippedFiles();
  Add("words", Proto::TYPE_STRING, Text(10, std::string(65, 'x')));
  EXPECT_NE(Why().find("64 bytes"), std::string::npos) << Why();
}

TEST(UnitsTest, FactorsAreThoseOfTheStandards) {
  const auto convert = [](const char* from, const char* to, double x) {
    const auto linear = ConversionOf(from, to);
    return linear ? x * linear->scale + linear->offset : NAN;
  };
  EXPECT_DOUBLE_EQ(convert("m", "km", 1), 0.001);
  EXPECT_NEAR(convert("[mi_i]/h", "km/h", 60), 96.56064, 1e-9);
  EXPECT_NEAR(convert("m/s", "km/h", 10), 36, 1e-9);
  EXPECT_NEAR(convert("[degF]", "Cel", 212), 100, 1e-9);
  EXPECT_NEAR(convert("Cel", "[degF]", -40), -40, 1e-9);
  EXPECT_NEAR(convert("K", "Cel", 273.15), 0, 1e-9);
  EXPECT_NEAR(convert("[psi]", "kPa", 1), 6.894757, 1e-9);
  EXPECT_NEAR(convert("/min", "/s", 60), 1, 1e-12);
  EXPECT_FALSE(ConversionOf("km", "V"));
  EXPECT_FALSE(ConversionOf("km", "parsec"));
}

TEST(UnitsTest, AFactorWrittenToSixDigitsIsNearAndAWrongOneIsNot) {
  const Linear mile = *ConversionOf("[mi_i]", "km");
  EXPECT_TRUE(IsNear({1.609344, 0}, mile));
  EXPECT_FALSE(IsNear({1.6, 0}, mile));
  EXPECT_TRUE(IsNear({0.5555556, -17.77778}, *ConversionOf("[degF]", "Cel")));
  EXPECT_FALSE(IsNear({0.5555556, 0}, *ConversionOf("[degF]", "Cel")));
  EXPECT_FALSE(IsNear({1, 0}, *ConversionOf("us", "d")));
}

}  // namespace
}  // namespace telltale::contract
