// Text that others will read.
#pragma once

#include <string_view>

namespace telltale {

// Well-formed UTF-8 (Unicode, table 3-7): no overlong form, no surrogate, nothing over U+10FFFF.
bool IsUtf8(std::string_view text);

}  // namespace telltale
