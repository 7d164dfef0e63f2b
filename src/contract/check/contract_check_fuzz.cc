// Two versions out of arbitrary bytes, as descriptor sets or as .proto text: no crash, and what can
// be read at all is accepted against itself (OPEN bytes aside: no door loads those, however old).
#include <google/protobuf/descriptor.h>

#include "base/check.h"
#include "base/sim_disk.h"
#include "contract/check/source.h"

using namespace telltale;                   // NOLINT
using namespace telltale::contract::check;  // NOLINT

namespace {

std::unique_ptr<Source> ReadAs(const std::string& name, std::string_view bytes) {
  SimDisk disk;
  CHECK(disk.MakeFolders("/f").ok());
  CHECK(WriteFileDurably(disk, "/f/" + name, bytes).ok());
  auto source = Source::Read(disk, "/f/" + name);
  CHECK(source.ok());
  return std::move(*source);
}

void CompareBoth(const Source& before, const Source& now) {
  if (!before.problems().empty() || !now.problems().empty()) return;
  const Version version = VersionFor(now, before, "1");
  const std::vector<Version> twice = {version, version};
  const auto compared = Compare(now.candidate(), twice);
  for (const Finding& finding : compared.ok() ? compared->findings : std::vector<Finding>{}) {
    CHECK(!finding.effect.empty() && !finding.advice.empty());
  }
}

void CompareWithItself(const Source& source) {
  if (!source.problems().empty()) return;
  const Version version = source.AsVersion("1");
  const auto compared = Compare(source.candidate(), {&version, 1});
  CHECK(compared.ok());
  for (const Finding& finding : compared->findings) {
    CHECK(finding.verdict() != Verdict::kReject || finding.rule == Rule::kOpenBytes);
  }
}

}  // namespace

// First byte: which of the two halves is a descriptor set. The halves part at the first 0xFF.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  google::protobuf::LogSilencer silencer;
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t middle = std::min(all.find('\xff'), all.size());
  const std::string_view first = all.substr(0, middle);
  const std::string_view second = all.substr(std::min(middle + 1, all.size()));
  const auto before = ReadAs((data[0] & 1) != 0 ? "a.desc" : "a.proto", first);
  const auto now = ReadAs((data[0] & 2) != 0 ? "a.desc" : "a.proto", second);
  CompareBoth(*before, *now);
  CompareBoth(*now, *before);
  CompareWithItself(*before);
  CompareWithItself(*now);
  return 0;
}
