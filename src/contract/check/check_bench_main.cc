// What the check costs: 10,000 fields with our options against a history of 10 versions, each of
// which added some; in one message and in a hundred.
// usage: contract_check_bench OPTIONS.proto
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/check.h"
#include "base/sim_disk.h"
#include "contract/check/source.h"

namespace telltale::contract::check {
namespace {

constexpr int kFields = 10'000;
constexpr int kVersions = 10;
constexpr int kAddedEach = 20;
constexpr int kRepeats = 7;

std::string Text(int messages, int version, bool is_broken) {
  std::string text =
      "syntax = \"proto3\"; package telltale.v1; import \"telltale/v1/options.proto\";\n";
  const int each = kFields / messages;
  for (int m = 0; m < messages; ++m) {
    text += "message M" + std::to_string(m) + " {\n";
    const int count = each - (kVersions - version) * kAddedEach / messages;
    for (int n = 1; n <= count; ++n) {
      const std::string number = std::to_string(n);
      const std::string unit = is_broken ? "\"m\"" : "\"km\"";
      text += "optional float field_" + number + " = " +
              std::to_string(n + (n >= 9'000 ? 11'000 : 0)) + " [(field) = {unit: " + unit +
              " min: 0 max: 400 privacy: PRECISE vss_path: \"V.X" + number + "\"}];\n";
    }
    text += "}\n";
  }
  return text;
}

std::unique_ptr<Source> Parse(const std::string& options, const std::string& text) {
  SimDisk disk;
  CHECK(disk.MakeFolders("/c/telltale/v1").ok());
  CHECK(WriteFileDurably(disk, "/c/telltale/v1/options.proto", options).ok());
  CHECK(WriteFileDurably(disk, "/c/a.proto", text).ok());
  auto source = Source::Read(disk, "/c");
  CHECK(source.ok() && (*source)->problems().empty());
  return std::move(*source);
}

double Milliseconds(std::chrono::steady_clock::time_point from) {
  const auto passed = std::chrono::steady_clock::now() - from;
  return std::chrono::duration<double, std::milli>(passed).count();
}

void Measure(const std::string& options, int messages, bool is_broken) {
  std::vector<Version> history;
  for (int version = 0; version < kVersions; ++version) {
    // As a history has it: without positions.
    const auto source = Parse(options, Text(messages, version, false));
    history.push_back({"v", {}, {}});
    CHECK(history.back().files.ParseFromString(source->DescriptorSet()));
  }
  const auto began = std::chrono::steady_clock::now();
  const auto candidate = Parse(options, Text(messages, kVersions, is_broken));
  const double parsed_ms = Milliseconds(began);
  std::vector<double> all_ms;
  std::size_t findings = 0;
  for (int i = 0; i < kRepeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto compared = Compare(candidate->candidate(), history);
    all_ms.push_back(Milliseconds(start));
    CHECK(compared.ok() && compared->rejected() == is_broken);
    findings = compared->findings.size();
  }
  std::sort(all_ms.begin(), all_ms.end());
  std::printf(
      "%5d fields in %3d messages, %d versions, %5zu findings: parse %4.0f ms, compare "
      "%4.0f ms (median of %d; %.0f to %.0f)\n",
      kFields, messages, kVersions, findings, parsed_ms, all_ms[kRepeats / 2], kRepeats,
      all_ms.front(), all_ms.back());
}

}  // namespace
}  // namespace telltale::contract::check

int main(int argc, char** argv) {
  telltale::PosixDisk disk;
  const auto options = telltale::ReadWholeFile(disk, argc > 1 ? argv[1] : "");
  if (!options.ok()) {
    std::fprintf(stderr, "usage: contract_check_bench contract/telltale/v1/options.proto\n");
    return 2;
  }
  for (const int messages : {1, 100}) {
    telltale::contract::check::Measure(*options, messages, false);
    telltale::contract::check::Measure(*options, messages, true);
  }
  return 0;
}
