// Text of one row a line.
#pragma once

#include <functional>
#include <string_view>

namespace telltale::sim {

// Calls `row` with each line that is not empty, numbered from 1. Line ends may be \r\n.
void ForEachLine(std::string_view text,
                 const std::function<void(std::string_view line, std::size_t number)>& row);

}  // namespace telltale::sim
