// base/ - what every module stands on: Result, tagged ids, units, time, limits, counters, and the
// seams to clock, disk and randomness. Calling the operating system anywhere else is a banned call.
//   in      nothing of ours
//   out     everything includes it
//   thread  each header says so
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace telltale {

// The one closed list of error kinds. What the world does to us; our own bugs are CHECKs.
enum class Code {
  kInvalid,         // the input is malformed or breaks a stated rule
  kNotFound,        // the named thing does not exist
  kExists,          // the named thing exists already
  kTooBig,          // over a named limit
  kOverloaded,      // a queue is full; retry later
  kUnavailable,     // a peer, disk or process cannot serve now
  kRefused,         // not permitted: identity, role, policy
  kCorrupt,         // stored bytes fail their check
  kUnsupported,     // a newer format, version or kind than this build reads
  kOutcomeUnknown,  // a commit may have happened; look before retrying
};

std::string_view CodeName(Code code);  // "invalid", "not_found", ...
// The kind of that name; kUnavailable for one that this build does not know.
Code CodeFromName(std::string_view name);

struct Error {
  Code code;
  std::string message;  // one sentence, says what to do next; never a VIN, key or coordinate

  std::string ToString() const;  // "not_found: no file /x"
};

template <typename T>
class [[nodiscard]] Result {
 public:
  // Implicit by intent: `return value;` and `return Error{...};` both read well.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  const T& value() const& { return Checked(), std::get<0>(state_); }
  T& value() & { return Checked(), std::get<0>(state_); }
  T&& value() && { return Checked(), std::get<0>(std::move(state_)); }
  const Error& error() const {
    CHECK(!ok());
    return std::get<1>(state_);
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  void Checked() const { CHECK(ok()); }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT

  bool ok() const { return !error_.has_value(); }
  const Error& error() const {
    CHECK(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;
inline Status Ok() { return {}; }

// Adds what was being done to what went wrong: Annotate(e, "reading keys/x") .
Error Annotate(const Error& error, std::string_view doing);

}  // namespace telltale

#define TELLTALE_CONCAT_(a, b) a##b
#define TELLTALE_CONCAT(a, b) TELLTALE_CONCAT_(a, b)

#define RETURN_IF_ERROR(expr)                                     \
  do {                                                            \
    if (auto status_or_error_ = (expr); !status_or_error_.ok()) { \
      return status_or_error_.error();                            \
    }                                                             \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_(TELLTALE_CONCAT(result_or_error_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_(tmp, lhs, expr) \
  auto tmp = (expr);                      \
  if (!tmp.ok()) {                        \
    return tmp.error();                   \
  }                                       \
  lhs = std::move(tmp).value()
