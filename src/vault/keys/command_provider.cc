#include "vault/keys/command_provider.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/ids.h"

namespace telltale::vault {
namespace {

constexpr std::size_t kIdBytesMax = 64;
// What it exits with, beside 0.
constexpr int kNoSuchKey = 3;
constexpr int kDoesNotOpen = 4;

Error NoAnswer(std::string_view verb) {
  return Error{Code::kCorrupt, fmt::format("the key command answers no {}", verb)};
}

// An id becomes an argument: no option, no path upwards by accident.
bool IsId(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && id.front() != '-' &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool TakeLine(std::string_view& text, std::string_view& line) {
  const std::size_t end = text.find('\n');
  if (end == text.npos) return false;
  line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

// One line and nothing behind it.
bool OnlyLine(std::string_view text, std::string_view& line) {
  return TakeLine(text, line) && text.empty();
}

}  // namespace

Result<std::string> CommandProvider::Call(std::vector<std::string> arguments,
                                          std::string input) const {
  const std::string verb = arguments.front();
  Command command{.program = options_.program,
                  .arguments = std::move(arguments),
                  .environment = {},
                  .input = std::move(input),
                  .timeout = options_.timeout};
  Result<CommandEnd> end = RunCommand(command, clock_);
  seal::Wipe(command.input);
  if (!end.ok()) {
    if (end.error().code == Code::kTooBig) return Error{Code::kCorrupt, end.error().message};
    return end.error();
  }
  if (end->status == 0) return std::move(end->output);
  seal::Wipe(end->output);
  if (end->status == kNoSuchKey) return Error{Code::kNotFound, "the root key is destroyed"};
  if (end->status == kDoesNotOpen) return Error{Code::kCorrupt, "not wrapped by this root key"};
  return Error{Code::kUnavailable,
               fmt::format("the key command ended with {} for {}", end->status, verb)};
}

Result<std::string> CommandProvider::Create() {
  ASSIGN_OR_RETURN(const std::string output, Call({"create"}, ""));
  std::string_view id;
  if (!OnlyLine(output, id) || !IsId(id)) return NoAnswer("id to create");
  return std::string(id);
}

Result<std::string> CommandProvider::Wrap(const std::string& id, const seal::SecretKey& plain,
                                          std::string_view context) {
  if (!IsId(id)) return Error{Code::kNotFound, "not the id of a root key"};
  std::string hex = HexEncode(plain);
  std::string input = hex + "\n" + HexEncode(context) + "\n";
  seal::Wipe(hex);
  ASSIGN_OR_RETURN(const std::string output, Call({"wrap", id}, std::move(input)));
  std::string_view line;
  if (!OnlyLine(output, line) || line.empty()) return NoAnswer("wrapped key to wrap");
  const Result<std::string> wrapped = HexDecode(line);
  if (!wrapped.ok()) return NoAnswer("wrapped key to wrap");
  return wrapped;
}

Status CommandProvider::Unwrap(const std::string& id, std::string_view wrapped,
                               std::string_view context, seal::SecretKey& plain) {
  if (!IsId(id)) return Error{Code::kNotFound, "not the id of a root key"};
  ASSIGN_OR_RETURN(std::string output,
                   Call({"unwrap", id}, HexEncode(wrapped) + "\n" + HexEncode(context) + "\n"));
  std::string_view line;
  const bool one = OnlyLine(output, line);
  Result<std::string> raw = one ? HexDecode(line) : Result<std::string>(NoAnswer("key to unwrap"));
  seal::Wipe(output);
  if (!raw.ok()) return NoAnswer("key to unwrap");
  const bool fits = raw->size() == plain.size();
  if (fits) std::copy(raw->begin(), raw->end(), plain.data());
  seal::Wipe(*raw);
  return fits ? Ok() : Status(NoAnswer("key of 32 bytes to unwrap"));
}

Status CommandProvider::Destroy(const std::string& id) {
  if (!IsId(id)) return Error{Code::kInvalid, "not the id of a root key"};
  const Result<std::string> done = Call({"destroy", id}, "");
  if (done.ok() || done.error().code == Code::kNotFound) return Ok();
  return done.error();
}

Result<std::vector<std::string>> CommandProvider::List() {
  ASSIGN_OR_RETURN(const std::string output, Call({"list"}, ""));
  std::vector<std::string> ids;
  std::string_view rest = output;
  std::string_view line;
  while (TakeLine(rest, line)) {
    if (!IsId(line)) return NoAnswer("ids to list");
    ids.emplace_back(line);
  }
  if (!rest.empty()) return NoAnswer("whole line to list");
  return ids;
}

}  // namespace telltale::vault
