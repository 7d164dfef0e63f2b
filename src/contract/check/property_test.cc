// Random schemas, random edits: an additive one is accepted, any other is told by exactly its rule.
// Seeded; a failure prints the seed and both texts.
#include <google/protobuf/dynamic_message.h>

#include <map>

#include "base/random.h"
#include "base/test_rounds.h"
#include "contract/check/check_testing.h"
#include "contract/check/random_schema_testing.h"

using namespace telltale::contract::check::testing;  // NOLINT

namespace telltale::contract::check {
namespace {

constexpr std::uint64_t kSchemas = 400;

std::vector<std::string> RejectedIds(const Comparison& comparison) {
  std::vector<std::string> ids;
  for (const Finding& one : comparison.findings) {
    if (one.verdict() == Verdict::kReject) ids.emplace_back(TextOf(one.rule).id);
  }
  return ids;
}

TEST(RandomSchemas, AnAdditiveEditIsAccepted) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(kSchemas); ++seed) {
    SeededRandom random(seed);
    const RandomSchema before = RandomSchema::Make(random);
    RandomSchema after = before;
    const std::string edit = after.EditAdditively(random);
    const Comparison told = CompareTexts({before.ToTexts()}, after.ToTexts());
    EXPECT_FALSE(told.rejected()) << "seed " << seed << ": " << edit << "\n"
                                  << Told(told) << before.ToText() << "\n"
                                  << after.ToText();
  }
}

TEST(RandomSchemas, AnyOtherEditIsToldByExactlyItsRule) {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(kSchemas * 5); ++seed) {
    SeededRandom random(seed);
    const RandomSchema before = RandomSchema::Make(random);
    RandomSchema after = before;
    const std::string expected = after.EditBreaking(random);
    if (expected.empty()) continue;  // the schema has nothing that this edit could break
    ++seen[expected];
    const Comparison told = CompareTexts({before.ToTexts()}, after.ToTexts());
    EXPECT_EQ(RejectedIds(told), std::vector<std::string>{expected})
        << "seed " << seed << "\n"
        << Told(told) << before.ToText() << "\n"
        << after.ToText();
  }
  EXPECT_GE(seen.size(), 15u);  // no kind of edit has fallen asleep
  for (const auto& [rule, count] : seen) EXPECT_GE(count, 5) << rule;
}

TEST(RandomSchemas, TheVerdictIsTheSameWithAdditiveVersionsInBetween) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(kSchemas); ++seed) {
    SeededRandom random(seed);
    const RandomSchema first = RandomSchema::Make(random);
    RandomSchema second = first;
    second.EditAdditively(random);
    RandomSchema after = second;
    const std::string expected = after.EditBreaking(random);
    if (expected.empty()) continue;
    const Comparison told = CompareTexts({first.ToTexts(), second.ToTexts()}, after.ToTexts());
    EXPECT_EQ(RejectedIds(told), std::vector<std::string>{expected})
        << "seed " << seed << "\n"
        << Told(told) << second.ToText() << "\n"
        << after.ToText();
  }
}

// Rule 35, as far as descriptors go: what a new car sends survives an old reader to the byte.
TEST(RandomSchemas, BytesOfTheNewVersionSurviveAnOldReader) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(kSchemas); ++seed) {
    SeededRandom random(seed);
    const RandomSchema before = RandomSchema::Make(random);
    RandomSchema after = before;
    after.EditAdditively(random);
    const auto old_source = Parse(before.ToTexts());
    const auto new_source = Parse(after.ToTexts());
    google::protobuf::DynamicMessageFactory old_factory(old_source->candidate().pool);
    google::protobuf::DynamicMessageFactory new_factory(new_source->candidate().pool);
    const auto* old_type = old_source->candidate().pool->FindMessageTypeByName("p.M0");
    const auto* new_type = new_source->candidate().pool->FindMessageTypeByName("p.M0");
    ASSERT_TRUE(old_type != nullptr && new_type != nullptr);
    std::unique_ptr<google::protobuf::Message> sent(new_factory.GetPrototype(new_type)->New());
    FillRandomly(*sent, random, 0);
    std::unique_ptr<google::protobuf::Message> read(old_factory.GetPrototype(old_type)->New());
    ASSERT_TRUE(read->ParsePartialFromString(sent->SerializePartialAsString()));
    std::unique_ptr<google::protobuf::Message> again(new_factory.GetPrototype(new_type)->New());
    ASSERT_TRUE(again->ParsePartialFromString(read->SerializePartialAsString()));
    EXPECT_EQ(DeterministicBytes(*again), DeterministicBytes(*sent)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace telltale::contract::check
