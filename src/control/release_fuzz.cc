// Whatever bytes: the files of a release are read or refused, and what is read is canonical.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "control/release_build.h"
#include "control/release_text.h"

using namespace telltale;
using namespace telltale::control;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      if (const auto read = ReadReleaseYaml(text); read.ok()) {
        CHECK(ParseDeclaration(DeclarationJson(*read)).ok());
      }
      break;
    case 1:
      if (const auto read = ParseDeclaration(text); read.ok()) {
        CHECK(DeclarationJson(*read) == text);
      }
      break;
    case 2:
      (void)ParseSignature(text);
      break;
    case 3:
      if (const auto read = ParseFeatures(text); read.ok()) CHECK(FeaturesListing(*read) == text);
      break;
    default:
      if (const auto read = RulesAsItems(text); read.ok()) CHECK(DiffItems(*read, *read).empty());
  }
  return 0;
}
