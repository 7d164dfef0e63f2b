#include "base/logging.h"

#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <optional>

#include "base/clock.h"

namespace telltale {
namespace {

std::string_view LevelName(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "trace";
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warn";
    default:
      return "error";
  }
}

std::optional<spdlog::level::level_enum> LevelOf(std::string_view name) {
  if (name == "trace") return spdlog::level::trace;
  if (name == "debug") return spdlog::level::debug;
  if (name == "info") return spdlog::level::info;
  if (name == "warn") return spdlog::level::warn;
  if (name == "error") return spdlog::level::err;
  return std::nullopt;
}

// Bytes of the well-formed UTF-8 character at the front, 0 when there is none (RFC 3629).
std::size_t Utf8Bytes(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return i < text.size() && at(i) >= low && at(i) <= high;
  };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool second = follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
    return second && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool second = follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
    return second && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

// The escapes of a JSON string; logfmt readers take the same ones between quotes.
void AppendQuoted(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const std::size_t bytes = Utf8Bytes(text);
    const char first = text[0];
    if (bytes == 0) {
      out.append("\\ufffd");
    } else if (bytes > 1) {
      out.append(text.substr(0, bytes));
    } else if (first == '"' || first == '\\') {
      out.push_back('\\');
      out.push_back(first);
    } else if (first == '\n') {
      out.append("\\n");
    } else if (static_cast<unsigned char>(first) < 0x20 || first == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(first));
    } else {
      out.push_back(first);
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  out.push_back('"');
}

class RoleFormatter final : public spdlog::formatter {
 public:
  RoleFormatter(std::string role, LogForm form) : role_(std::move(role)), form_(form) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since = message.time.time_since_epoch();
    line_.clear();
    AppendLogLine(line_, form_,
                  {std::chrono::duration_cast<std::chrono::microseconds>(since).count(),
                   LevelName(message.level),
                   role_,
                   {message.payload.data(), message.payload.size()}});
    line_.push_back('\n');
    out.append(line_.data(), line_.data() + line_.size());
  }
  std::unique_ptr<formatter> clone() const override {
    return std::make_unique<RoleFormatter>(role_, form_);
  }

 private:
  const std::string role_;
  const LogForm form_;
  std::string line_;
};

void Install(const std::string& role, LogForm form) {
  const auto logger =
      std::make_shared<spdlog::logger>(role, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<RoleFormatter>(role, form));
  spdlog::set_default_logger(logger);
}

}  // namespace

void AppendLogLine(std::string& out, LogForm form, const LogLine& line) {
  std::string_view message = line.message;
  if (message.starts_with(line.role) && message.substr(line.role.size()).starts_with(": ")) {
    message.remove_prefix(line.role.size() + 2);
  }
  // Milliseconds are what people compare; the rest of FormatUtc's digits is noise here.
  const std::string stamp = FormatUtc(Micros{line.utc_us}).substr(0, 23) + "Z";
  const bool is_json = form == LogForm::kJson;
  const auto end = std::back_inserter(out);
  if (is_json) {
    fmt::format_to(end, R"({{"ts":"{}","level":"{}","role":"{}","msg":)", stamp, line.level,
                   line.role);
  } else {
    fmt::format_to(end, "ts={} level={} role={} msg=", stamp, line.level, line.role);
  }
  AppendQuoted(out, message);
  if (is_json) out.push_back('}');
}

void StartLogging(const std::string& role) {
  Install(role, LogForm::kLogfmt);
  spdlog::set_level(spdlog::level::info);
}

Status ConfigureLogging(const std::string& role, const std::string& format,
                        const std::string& level) {
  const auto least = LevelOf(level);
  if (!least) {
    return Error{Code::kInvalid, "logging.level must be one of debug, info, warn, error"};
  }
  if (format != "logfmt" && format != "json") {
    return Error{Code::kInvalid, "logging.format must be one of logfmt, json"};
  }
  Install(role, format == "json" ? LogForm::kJson : LogForm::kLogfmt);
  spdlog::set_level(*least);
  return Ok();
}

}  // namespace telltale
