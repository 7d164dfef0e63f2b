// Whatever somebody puts, reading it answers; what is taken in reads the same again, and its times
// and stages can be worked with.
#include "base/check.h"
#include "control/json_reader.h"
#include "control/objects.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale::control;
  const auto body = nlohmann::json::parse(data, data + size, nullptr, /*allow_exceptions=*/false);
  if (body.is_discarded()) return 0;
  for (const std::string_view kind :
       {kEnvironments, kCohorts, kGates, kPolicies, kMirrors, kRoleBindings}) {
    const auto object = ReadObject(kind, "fuzz", body);
    if (!object.ok()) {
      CHECK(!object.error().message.empty());
      continue;
    }
    const auto again = ReadObject(kind, "fuzz", *object);
    CHECK(again.ok() && *again == *object);
    CHECK(!Canonical(*object).empty());
    for (const auto& [named_kind, key] : NamedBy(kind, *object)) {
      CHECK(IsObjectKind(named_kind) && IsKey(key));
    }
    if (kind != kPolicies) continue;
    CHECK(object->at("stages").back().at("per_10000") == nlohmann::json(10'000));
    for (const auto& window : object->at("freeze_windows")) {
      CHECK(ParseUtc(window.at("from").get<std::string>()).ok());
    }
  }
  return 0;
}
