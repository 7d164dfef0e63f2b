// Whatever the file says, reading it answers; what holds is strict: a trace in prod has its second
// person, every purpose its limits, no two people an identity in common.
#include "base/check.h"
#include "vault/access/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale;
  using namespace telltale::access;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const PolicyReading reading = ReadPolicy(text, "prod");
  for (const PolicyMistake& mistake : reading.mistakes) CHECK(!mistake.what.empty());
  const auto held = PolicyOf(reading, "f");
  CHECK(held.ok() == reading.mistakes.empty());
  if (!held.ok()) return 0;
  for (const auto& [name, purpose] : held->purposes) {
    CHECK(purpose.vehicles_max > 0 && purpose.hours_max > 0);
    if (purpose.form == Form::kTrace) {
      CHECK(purpose.second_person.when != SecondPerson::When::kNever);
    } else {
      CHECK(!purpose.all_fields && purpose.fields.empty() && purpose.time_floor_s >= 60);
    }
  }
  for (const Person& one : held->people) {
    CHECK(!one.uids.empty() || !one.certificates.empty());
    for (const Person& other : held->people) {
      CHECK(&one == &other || !IsSamePerson(KeyOf(one), KeyOf(other)));
    }
  }
  return 0;
}
