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
          CHECK(report.safety.empty() && report.telemetry.empty());
          CHECK(report.sealed.empty() && report.unknown.empty() && report.unknown_fields.empty());
          CHECK(!report.latitude_deg && !report.longitude_deg);
          return;
        }
        for (const std::string_view open : {report.telemetry, report.safety}) {
          const auto message = oracle.Decode(open);
          CHECK(message != nullptr);
          CHECK(testing::FirstLeak(*message, contract->fields()).empty());
        }
        CHECK(report.unknown.empty() == report.unknown_fields.empty());
        // An element of a list costs at most two empty ones beside it, and each level longer
        // lengths.
        CHECK(report.telemetry.size() + report.sealed.size() + report.unknown.size() <=
              6 * report.raw.size() + 64);
      });
  CHECK(status.ok() == (heads == 1));
  CHECK(status.ok() == (splitter.reason() == Reason::kNone));
  return 0;
}
