// The bearer token of an HTTP listener (RFC 6750): who knows it may ask.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace telltale::net {

inline constexpr std::size_t kHttpTokenCharactersMin = 32;
inline constexpr std::size_t kHttpTokenCharactersMax = 1024;

// The token in a file, without the newline at its end; "" when `path` is empty: none is asked for.
//   kNotFound     no such file
//   kInvalid      others than owner and group may read it, or its group may write it; too short,
//                 too long, or not one printable word
//   kUnavailable  it cannot be read
// No message has any part of the token.
Result<std::string> LoadHttpToken(const std::string& path);

// The token of `header`, the value of Authorization; "" when it is no bearer token.
std::string_view BearerOf(std::string_view header);

// Takes as long for a text that differs at its end as for one that differs at its start. That the
// lengths differ may be seen; the length is no secret.
bool IsSameSecret(std::string_view a, std::string_view b);

// Whether `header`, the value of Authorization, is "Bearer <token>". Takes as long for a token that
// differs at its end as for one that differs at its start.
bool IsBearerOf(std::string_view header, std::string_view token);

}  // namespace telltale::net
