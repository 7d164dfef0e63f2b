#include "contract/open_text.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "contract/contract.h"

namespace telltale::contract {
namespace {

constexpr std::int64_t kPatternMemoryBytes = 1 << 20;

re2::RE2::Options PatternOptions() {
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_max_mem(kPatternMemoryBytes);
  return options;
}

re2::StringPiece PieceOf(std::string_view text) { return {text.data(), text.size()}; }

// Whoever lets one of these stand openly lets out where or who.
constexpr std::array<std::string_view, 7> kNeverOpen = {
    "48.85837,2.29448",  "48.85837 2.29448", "-33.8568,151.2153", "8FW4V75V+8Q",
    "WVWZZZ1JZXW000001", "Anna Muster",      "anna@example.com"};

Status CheckPattern(const std::string& text) {
  const re2::RE2 pattern(PieceOf(text), PatternOptions());
  if (!pattern.ok()) return Error{Code::kInvalid, "its pattern is no RE2: " + pattern.error()};
  for (const std::string_view sample : kNeverOpen) {
    if (!re2::RE2::FullMatch(PieceOf(sample), pattern)) continue;
    return Error{Code::kInvalid, "its pattern lets '" + std::string(sample) +
                                     "' stand openly: narrow it, or do not make the text OPEN"};
  }
  return Ok();
}

}  // namespace

bool IsCode(ByteSpan text) {
  if (text.empty() || text.size() > 16) return false;
  return std::all_of(text.begin(), text.end(), [](std::uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

Status CheckOpenText(const Field& field) {
  if (field.values.empty() && field.pattern.empty()) return Ok();
  if (field.type != ValueType::kString || field.privacy != Privacy::kOpen) {
    return Error{Code::kInvalid, "values and pattern are for OPEN texts"};
  }
  for (const std::string& value : field.values) {
    // Descriptors hold valid UTF-8: the library has checked.
    if (value.empty() || value.size() > kOpenTextBytesMax) {
      return Error{Code::kInvalid, "a value must have 1 to 64 bytes"};
    }
  }
  return field.pattern.empty() ? Ok() : CheckPattern(field.pattern);
}

OpenText::OpenText(const Field& field) : values_(field.values) {
  std::sort(values_.begin(), values_.end());
  if (field.pattern.empty()) return;
  pattern_ = std::make_unique<re2::RE2>(PieceOf(field.pattern), PatternOptions());
}

OpenText::~OpenText() = default;
OpenText::OpenText(OpenText&&) noexcept = default;
OpenText& OpenText::operator=(OpenText&&) noexcept = default;

bool OpenText::Allows(ByteSpan text) const {
  if (values_.empty() && pattern_ == nullptr) return IsCode(text);
  if (text.size() > kOpenTextBytesMax) return false;
  const std::string_view words = AsText(text);
  if (std::binary_search(values_.begin(), values_.end(), words)) return true;
  return pattern_ != nullptr && re2::RE2::FullMatch(PieceOf(words), *pattern_);
}

}  // namespace telltale::contract
