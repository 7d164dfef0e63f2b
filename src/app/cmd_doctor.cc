#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/doctor.h"
#include "app/transport_keys.h"
#include "base/clock.h"

namespace telltale::app {
namespace {

struct DoctorFlags {
  std::string dir;
  bool json = false;
};

constexpr int kCouldNotLook = 2;

// One line on a terminal, written over and over.
void ShowProgress(const std::string& what) { fmt::print(stderr, "\r\x1b[K{}", what); }

int RunDoctor(const DoctorFlags& flags) {
  PosixDisk disk;
  DoctorOptions options;
  const bool shows_progress = isatty(STDERR_FILENO) != 0;
  if (shows_progress) options.on_progress = ShowProgress;
  const auto report = Examine(disk, Paths(flags.dir), options);
  if (shows_progress) ShowProgress("");
  if (!report.ok()) {
    fmt::print(stderr, "telltale: {}\n", report.error().ToString());
    return kCouldNotLook;
  }
  if (flags.json) {
    // A file's name need not be UTF-8.
    fmt::print("{}\n",
               report->ToJson().dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{}", report->ToText(WantsColor()));
  }
  // No finding: nothing stored is wrong yet.
  const std::string warning = TransportKeysWarning(disk, Paths(flags.dir), SystemClock().NowUtc());
  if (!warning.empty()) fmt::print(stderr, "warning: {}\n", warning);
  return report->exit_code();
}

}  // namespace

void AddDoctorCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<DoctorFlags>();
  CLI::App* command = app.add_subcommand(
      "doctor",
      "Reads everything durable, changes nothing, says what does not fit together; exit code 0 "
      "healthy, 1 something needs someone, 2 not all could be looked at");
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_flag("--json", flags->json, "As JSON");
  command->callback([flags, &exit_code] { exit_code = RunDoctor(*flags); });
}

}  // namespace telltale::app
