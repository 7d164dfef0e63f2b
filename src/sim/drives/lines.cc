#include "sim/drives/lines.h"

#include <algorithm>

namespace telltale::sim {

void ForEachLine(std::string_view text,
                 const std::function<void(std::string_view line, std::size_t number)>& row) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) row(line, number);
  }
}

}  // namespace telltale::sim
