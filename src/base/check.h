// CHECK: our own bugs. On in production; prints the place and stops the process.
// Never CHECK what a peer, disk, config or file can cause.
#pragma once

namespace telltale {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}  // namespace telltale

#define CHECK(condition) \
  ((condition) ? (void)0 : ::telltale::CheckFailed(#condition, __FILE__, __LINE__))
