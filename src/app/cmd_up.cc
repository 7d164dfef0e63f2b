#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "app/commands.h"
#include "app/up.h"
#include "app/up_config.h"
#include "base/logging.h"
#include "base/stop.h"

namespace telltale::app {
namespace {

struct UpFlags {
  std::string file;
  std::string data = "trial";
  bool down = false;
  bool check = false;
};

std::string Absolute(const std::string& path) {
  std::string text = std::filesystem::absolute(path).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

Status Run(const UpFlags& flags) {
  const std::string data = Absolute(flags.data);
  if (flags.down) return Down(data);
  if (flags.file.empty()) return Error{Code::kInvalid, "-f is missing: the trial's file or folder"};
  UpOptions options;
  PosixDisk disk;
  ASSIGN_OR_RETURN(options.trial, ReadTrial(disk, Absolute(flags.file)));
  ASSIGN_OR_RETURN(options.layout, Layout::OfThisProgram());
  options.data = data;
  if (flags.check) return CheckTrial(options.trial);
  return Up(options);
}

}  // namespace

void AddUpCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<UpFlags>();
  CLI::App* command = app.add_subcommand(
      "up", "Make and run the environments of a trial on this machine, until Ctrl-C");
  command->add_option("-f,--file", flags->file,
                      "the trial: a file, or a folder with trial.yaml, such as deploy/trial");
  command
      ->add_option("--data", flags->data,
                   "folder of all of it; what is there already goes on. A short path: local "
                   "sockets have 107 bytes")
      ->capture_default_str();
  command->add_flag("--down", flags->down, "stop the one that runs in --data");
  command->add_flag("--check", flags->check, "only look for mistakes in the trial");
  command->callback([flags, &exit_code] {
    WatchForStop();
    StartLogging("up");
    exit_code = ExitCode(Run(*flags));
  });
}

}  // namespace telltale::app
