// An error on the local sockets between our own processes. Needs the generated messages
// (contract_proto).
#pragma once

#include <string>

#include "base/result.h"
#include "internal/v1/local.pb.h"

namespace telltale::contract {

inline void SetFailure(const Error& error, internal::v1::Failure& out) {
  out.set_code(std::string(CodeName(error.code)));
  out.set_message(error.message);
}

inline Error ErrorOf(const internal::v1::Failure& failure) {
  return {CodeFromName(failure.code()), failure.message()};
}

}  // namespace telltale::contract
