// Any bytes as a batch: no crash, and what reaches the open parts decodes and holds nothing sealed.
#include "base/check.h"
#include "contract/report_oracle.h"

using namespace telltale;            // NOLINT
using namespace telltale::contract;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto contract = testing::Load(testing::ShippedFiles());
  static const testing::Oracle oracle(contract);
  static Splitter splitter(contract);
  int heads = 0;
  const Status status = splitter.Split(
      {data, size}, 250'000.5,
      [&](const BatchHead& head) {
        ++heads;
        CHECK(head.firmware.size() <= 64);
      },
      [&](const SplitReport& report) {
        CHECK(heads == 1);
        if (report.refused != Reason::kNone) {
          CHECK(report.safety.empty() && report.telemetry.empty() && report.sealed.empty());
          CHECK(!report.latitude_deg && !report.longitude_deg);
          return;
        }
        for (const std::string_view open : {report.telemetry, report.safety}) {
          const auto message = oracle.Decode(open);
          CHECK(message != nullptr);
          CHECK(testing::FirstLeak(*message, contract->fields()).empty());
        }
        // An element of a list costs at most an empty one beside it, and each level a longer
        // length.
        CHECK(report.telemetry.size() + report.sealed.size() <= 4 * report.raw.size() + 64);
      });
  CHECK(status.ok() == (heads == 1));
  CHECK(status.ok() == (splitter.reason() == Reason::kNone));
  return 0;
}
