// Whatever the text, loading answers with a Result; rules that load can be run over any report: the
// bytes after the first NUL.
#include "base/check.h"
#include "safety/safety.h"
#include "safety/test_contract.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale::safety;
  static const auto contract = testing::BuiltContract();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), size);
  const auto rules = LoadRules(input.substr(0, end), *contract);
  if (!rules.ok()) {
    CHECK(!rules.error().message.empty());
    return 0;
  }
  CHECK(rules->rules.size() <= kRulesMax && rules->slots.size() <= kSlotsMax);
  const Scanner scanner(rules->slots);
  Values values;
  scanner.Scan(telltale::AsBytes(input.substr(end)), values);
  for (const Rule& rule : rules->rules) {
    Episode episode;
    for (std::uint64_t seq = 0; seq < 3; ++seq) {
      const Report report{.boot = {1, 1},
                          .seq = seq,
                          .event_time = telltale::Micros::Seconds(static_cast<std::int64_t>(seq)),
                          .values = &values};
      const Decision decision = Decide(episode, report, rule);
      CHECK(decision.count <= 2);
      episode = decision.next;
      SeverityOf(rule, episode.peak);
    }
  }
  return 0;
}
