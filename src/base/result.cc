#include "base/result.h"

namespace telltale {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalid:
      return "invalid";
    case Code::kNotFound:
      return "not_found";
    case Code::kExists:
      return "exists";
    case Code::kTooBig:
      return "too_big";
    case Code::kOverloaded:
      return "overloaded";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kRefused:
      return "refused";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kOutcomeUnknown:
      return "outcome_unknown";
  }
  return "unknown";
}

Code CodeFromName(std::string_view name) {
  for (const Code code :
       {Code::kInvalid, Code::kNotFound, Code::kExists, Code::kTooBig, Code::kOverloaded,
        Code::kRefused, Code::kCorrupt, Code::kUnsupported, Code::kOutcomeUnknown}) {
    if (name == CodeName(code)) return code;
  }
  return Code::kUnavailable;
}

std::string Error::ToString() const {
  return std::string(CodeName(code)).append(": ").append(message);
}

Error Annotate(const Error& error, std::string_view doing) {
  return Error{error.code, std::string(doing).append(": ").append(error.message)};
}

}  // namespace telltale
