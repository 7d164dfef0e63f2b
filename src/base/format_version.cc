#include "base/format_version.h"

#include <fmt/format.h>

namespace telltale {

Status CheckReadable(Format format, std::string_view what, std::uint64_t version,
                     std::uint64_t min_reader) {
  const std::uint32_t reads = VersionOf(format).reads;
  if (min_reader <= reads) return Ok();
  return Error{Code::kUnsupported,
               fmt::format("{}: made by format version {}, needs a reader of version {}; this "
                           "telltale reads up to {}: use a newer telltale",
                           what, version, min_reader, reads)};
}

}  // namespace telltale
