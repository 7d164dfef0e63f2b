// Whatever a report says: a summary that can be sent, never a crash.
#include "app/control_lake_findings.h"
#include "base/bytes.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale;
  const app::LakeQuestion question{.release = std::string(64, 'c'), .salt = "prod-7"};
  const auto finding = app::LakeFinding(AsText({data, size}), "features", question);
  CHECK(finding.at("verdict").is_string() && finding.at("tables").is_array());
  CHECK(!finding.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).empty());
  return 0;
}
