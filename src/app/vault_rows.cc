#include "app/vault_rows.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include "app/layout.h"
#include "app/process.h"
#include "app/vault_client.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr const char* kRowFormat = "{:<27}  {:>6}  {:>8}  {:>20}  {:>20}  {}\n";
constexpr std::array kColumns = {"event_time", "boot", "seq", "fields"};

bool IsColumn(const std::string& name) {
  return std::find(kColumns.begin(), kColumns.end(), name) != kColumns.end();
}

}  // namespace

RowPrinter::~RowPrinter() {
  if (pipe_ >= 0) close(pipe_);
  if (pid_ > 0) (void)WaitFor(pid_);
}

// The pinned Python has Arrow; this program and the vault do not link it.
Status RowPrinter::Start() {
  if (format_ != RowFormat::kParquet) return Ok();
  if (out_.empty()) return Error{Code::kInvalid, "--format parquet needs --out FILE"};
  if (access(out_.c_str(), F_OK) == 0) {
    return Error{Code::kExists, out_ + " is there already; name a new file"};
  }
  ASSIGN_OR_RETURN(const Layout layout, Layout::OfThisProgram());
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Error{Code::kUnavailable, "no pipe can be made"};
  fcntl(ends[0], F_SETFD, 0);  // the one that the writer reads
  std::signal(SIGPIPE, SIG_IGN);
  Program program{.name = "rows-to-parquet", .arguments = {}, .variables = {}, .user = {}};
  program.arguments = {layout.python,     "-m",   "telltale_lake",
                       "rows-to-parquet", "--fd", std::to_string(ends[0]),
                       "--out",           out_};
  program.variables = {"PYTHONPATH=" + layout.python_site, "PYTHONDONTWRITEBYTECODE=1"};
  const Result<pid_t> pid = app::Start(program);
  close(ends[0]);
  pipe_ = ends[1];
  RETURN_IF_ERROR(pid);
  pid_ = *pid;
  return Ok();
}

void RowPrinter::ToWriter(std::string line) {
  line += '\n';
  for (std::size_t at = 0; at < line.size() && !writer_failed_;) {
    const ssize_t written = write(pipe_, line.data() + at, line.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) writer_failed_ = true;
    if (written > 0) at += static_cast<std::size_t>(written);
  }
}

void RowPrinter::PrintTable(const json& row) {
  // With the first row: a refusal must not look like an empty answer.
  if (!std::exchange(has_head_, true)) {
    fmt::print(fmt::runtime(kRowFormat), "event_time", "boot", "seq", "latitude_deg",
               "longitude_deg", "everything else");
  }
  const json fields = row.value("fields", json::object());
  std::string rest;
  const auto add = [&](const std::string& name, const json& value) {
    rest += fmt::format("{}{}={}", rest.empty() ? "" : " ", name,
                        value.is_string() ? value.get<std::string>() : value.dump());
  };
  for (const auto& [name, value] : fields.items()) {
    if (name != "latitude_deg" && name != "longitude_deg") add(name, value);
  }
  for (const auto& [name, value] : row.items()) {
    if (!IsColumn(name) && name != "event_time_us") add(name, value);
  }
  const std::string boot = Shown(row, "boot");
  fmt::print(fmt::runtime(kRowFormat), Shown(row, "event_time"), boot.substr(0, boot.find('-', 1)),
             Shown(row, "seq"), Shown(fields, "latitude_deg"), Shown(fields, "longitude_deg"),
             rest);
}

void RowPrinter::Print(const json& message) {
  for (const json& row : message.value("rows", json::array())) {
    if (format_ == RowFormat::kTable) {
      PrintTable(row);
    } else if (format_ == RowFormat::kNdjson) {
      fmt::print("{}\n", row.dump(-1, ' ', true));
    } else {
      ToWriter(row.dump(-1, ' ', true));
    }
  }
}

Status RowPrinter::End(const json& end) {
  if (format_ == RowFormat::kParquet) {
    ToWriter(R"({"kind":"end"})");
    close(std::exchange(pipe_, -1));
    ASSIGN_OR_RETURN(const int status, WaitFor(std::exchange(pid_, -1)));
    if (writer_failed_ || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      return Error{Code::kUnavailable,
                   fmt::format("{} could not be written: rows-to-parquet {}; the rows were given "
                               "out and are recorded",
                               out_, DescribeEnd(status))};
    }
    fmt::print(stderr,
               "warning: {} is outside the vault: it does not expire, and no look at it is "
               "recorded. Keep it to yourself and remove it when it has served.\n",
               out_);
  }
  // On stderr, so that the rows can be piped on as they are.
  fmt::print(stderr, "{} rows, {} repeats left out; audit entry {}, digest {}, salt {}\n",
             Shown(end, "rows"), Shown(end, "repeats"), Shown(end, "intent"), Shown(end, "digest"),
             Shown(end, "salt"));
  if (end.value("damaged", 0) > 0) {
    return Error{Code::kCorrupt,
                 Shown(end, "damaged") + " stored frames do not open; the answer is incomplete"};
  }
  return Ok();
}

}  // namespace telltale::app
