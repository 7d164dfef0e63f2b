// Whatever the file says, reading it answers; what is read without a mistake holds the rules, and
// written out is read back the same. After the first NUL: variables and flags, by turns, one a
// line.
#include <algorithm>

#include "base/check.h"
#include "base/config_read.h"
#include "base/config_rules.h"

namespace {

using telltale::ConfigSources;

void AddSources(std::string_view rest, ConfigSources& sources) {
  bool is_variable = true;
  for (std::size_t at = 0; at < rest.size(); is_variable = !is_variable) {
    const std::size_t end = std::min(rest.find('\n', at), rest.size());
    const std::string line(rest.substr(at, end - at));
    const std::size_t equals = std::min(line.find('='), line.size());
    if (is_variable && equals < line.size()) {
      sources.environment["TELLTALE_" + line.substr(0, equals)] = line.substr(equals + 1);
    } else {
      sources.settings.push_back(line);
    }
    at = end + 1;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), size);
  ConfigSources sources{.path = "/t/telltale.yaml", .environment = {}, .settings = {}};
  if (end < size) AddSources(input.substr(end + 1), sources);
  const ConfigReading reading = ReadConfigText(input.substr(0, end), sources);
  for (const ConfigMistake& mistake : reading.mistakes) {
    CHECK(!mistake.where.empty() && !mistake.what.empty());
    CHECK(mistake.ToString().find('\n') == std::string::npos);
  }
  const auto config = ConfigOf(reading);
  if (!config.ok()) return 0;
  CHECK(BrokenConfigRules(*config).empty());
  const std::string written = config->ToYaml();
  const ConfigReading again =
      ReadConfigText(written, {.path = "/t/telltale.yaml", .environment = {}, .settings = {}});
  CHECK(again.mistakes.empty());
  CHECK(again.config.ToYaml() == written);
  return 0;
}
