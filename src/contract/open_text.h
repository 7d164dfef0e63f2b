// What an OPEN text may be. A contract that says nothing leaves it at codes (IsCode); `values` or
// `pattern` widen that to exactly what they list. Immutable; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace telltale::contract {

struct Field;

// Longest text that stands openly, bytes: enough for a word, too little for a story.
inline constexpr std::size_t kOpenTextBytesMax = 64;

// 1 to 16 of A-Z a-z 0-9 - and _. A coordinate pair, a name or a plate with a blank is none, and a
// code is always valid UTF-8.
bool IsCode(ByteSpan text);

//   kInvalid  `values` or `pattern` on a field that is not an OPEN text; a value that is empty, too
//             long or not UTF-8; a pattern that is no RE2, or that takes a coordinate pair, a VIN
//             or a sentence: such a field says where or who
Status CheckOpenText(const Field& field);

class OpenText {
 public:
  // `field` has passed CheckOpenText().
  explicit OpenText(const Field& field);
  ~OpenText();
  OpenText(OpenText&&) noexcept;
  OpenText& operator=(OpenText&&) noexcept;

  bool Allows(ByteSpan text) const;

 private:
  std::vector<std::string> values_;    // sorted; empty: none given
  std::unique_ptr<re2::RE2> pattern_;  // null: none given
};

}  // namespace telltale::contract
