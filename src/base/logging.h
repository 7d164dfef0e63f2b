// How every process of an installation logs: one event a line on stderr, UTC, in a form that a
// machine reads. Two forms, `logging.format` in telltale.yaml:
//   logfmt  ts=2026-01-31T23:59:59.123Z level=info role=gateway msg="vehicles may connect"
//   json    {"ts":"2026-01-31T23:59:59.123Z","level":"info","role":"gateway","msg":"..."}
// A message is one line whatever a peer put into it: control characters are escaped, bytes that are
// no UTF-8 are replaced. Commands for people (`telltale init`) keep the plain form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace telltale {

enum class LogForm { kLogfmt, kJson };

struct LogLine {
  std::int64_t utc_us = 0;
  std::string_view level;  // debug | info | warn | error
  std::string_view role;
  std::string_view message;
};
// Without the newline. A message that begins with "<role>: " loses that.
void AppendLogLine(std::string& out, LogForm form, const LogLine& line);

// First thing in a role's main(): logfmt, from info on. Main thread, before others start.
void StartLogging(const std::string& role);
// As telltale.yaml says. Before other threads start.
//   kInvalid  no such format or level: names what there is
Status ConfigureLogging(const std::string& role, const std::string& format,
                        const std::string& level);

}  // namespace telltale
