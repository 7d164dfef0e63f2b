// `telltale subject`: what a vehicle's owner may ask of what is held about it.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "app/commands.h"
#include "app/subject.h"
#include "app/subject_export.h"
#include "app/subject_receipt.h"
#include "base/stop.h"
#include "publish/alert_store.h"

namespace telltale::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kWaitPause = 1s;
// Of `resume`: something is left that another try may move.
constexpr int kWorkLeftExit = 3;

struct SubjectFlags {
  std::string dir;
  SubjectName name;
  std::string basis;
  std::string job;
  std::string told;
  std::string out;
  std::string case_id;
  bool dry_run = false;
  bool wait = false;
  bool as_json = false;
};

void Print(const ErasureJob& job, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", ReceiptJson(job).dump(-1, ' ', true));
  } else {
    fmt::print("{}", ReceiptText(job));
  }
}

// A VIN in a command line is in every process list: "-" reads it from standard input.
SubjectName Named(const SubjectFlags& flags) {
  SubjectName name = flags.name;
  if (name.vin != "-") return name;
  name.vin.clear();
  std::getline(std::cin, name.vin);
  return name;
}

Status DryRun(Subject& subject, const VehicleRef& vehicle, bool as_json) {
  ASSIGN_OR_RETURN(const auto row, subject.RowOf(vehicle));
  publish::VehicleErased alerts;
  const std::string path = subject.parts().paths.publish() + "/alerts.db";
  if (subject.parts().disk.Exists(path)) {
    ASSIGN_OR_RETURN(publish::AlertStore store, publish::AlertStore::OpenReadOnly(path));
    ASSIGN_OR_RETURN(alerts, store.CountVehicle(vehicle));
  }
  nlohmann::json found{{"registered", row.has_value()},
                       {"alerts", alerts.alerts},
                       {"alert_changes", alerts.changes},
                       {"stores", nlohmann::json::array()}};
  for (const StoreStep& step : ErasureSteps(subject.parts())) found["stores"].push_back(step.store);
  if (as_json) {
    fmt::print("{}\n", found.dump());
    return Ok();
  }
  fmt::print("registered: {}\nalerts: {} in {} changes\nstores that would be gone through:\n",
             row ? "yes" : "no", alerts.alerts, alerts.changes);
  for (const auto& store : found["stores"]) fmt::print("  {}\n", store.get<std::string>());
  fmt::print("nothing was changed; docs/erasure-map.md says what happens in each\n");
  return Ok();
}

bool IsWaitedFor(const ErasureJob& job) {
  return std::any_of(job.lines.begin(), job.lines.end(), [](const JobLine& line) {
    return line.state == LineState::kOpen && line.store != store_name::kRecipients;
  });
}

Status Erase(const SubjectFlags& flags) {
  ASSIGN_OR_RETURN(const auto subject, Subject::Open(flags.dir));
  ASSIGN_OR_RETURN(const VehicleRef vehicle, subject->Resolve(Named(flags)));
  if (flags.dry_run) return DryRun(*subject, vehicle, flags.as_json);
  const std::string asked_by = Subject::AskedBy();
  RETURN_IF_ERROR(subject->BecomePlatform());
  ErasureJob job;
  {
    ASSIGN_OR_RETURN(const auto lock, subject->Lock());
    ASSIGN_OR_RETURN(job, subject->erasure().Begin(
                              {.vehicle = vehicle, .basis = flags.basis, .asked_by = asked_by}));
    RETURN_IF_ERROR(subject->erasure().Resume(job));
  }
  while (flags.wait && IsWaitedFor(job) && !WaitForStop(kWaitPause)) {
    ASSIGN_OR_RETURN(const auto lock, subject->Lock());
    ASSIGN_OR_RETURN(job, subject->erasure().folder().Load(job.id));
    RETURN_IF_ERROR(subject->erasure().Resume(job));
  }
  Print(job, flags.as_json);
  if (!job.lines.empty() && !job.lines.front().closed()) {
    return Error{Code::kUnavailable,
                 "the erasure list could not be written: nothing was erased "
                 "yet; it is tried again"};
  }
  return Ok();
}

Status Told(Subject& subject, const SubjectFlags& flags) {
  const std::string said_by = Subject::AskedBy();
  RETURN_IF_ERROR(subject.BecomePlatform());
  ASSIGN_OR_RETURN(const auto lock, subject.Lock());
  ASSIGN_OR_RETURN(ErasureJob job, subject.erasure().folder().Load(flags.job));
  for (JobLine& line : job.lines) {
    if (line.store != store_name::kRecipients || line.closed()) continue;
    line.state = LineState::kDone;
    line.note = fmt::format("told: {}, said by {}", flags.told, said_by);
    line.changed_at = subject.parts().clock.NowUtc();
    RETURN_IF_ERROR(subject.erasure().folder().Save(job));
    RETURN_IF_ERROR(subject.erasure().Resume(job));
    Print(job, flags.as_json);
    return Ok();
  }
  return Error{Code::kInvalid, "this erasure waits for nobody to be told"};
}

Status Show(const SubjectFlags& flags) {
  ASSIGN_OR_RETURN(const auto subject, Subject::Open(flags.dir));
  if (!flags.told.empty()) return Told(*subject, flags);
  if (!flags.job.empty()) {
    ASSIGN_OR_RETURN(const ErasureJob job, subject->erasure().folder().Load(flags.job));
    Print(job, flags.as_json);
    return Ok();
  }
  ASSIGN_OR_RETURN(const auto jobs, subject->erasure().folder().List());
  for (const ErasureJob& job : jobs) Print(job, flags.as_json);
  if (jobs.empty() && !flags.as_json) fmt::print("no erasure was asked for\n");
  return Ok();
}

// `serve` runs it now and then; 0: nothing to do before a date.
Result<int> ResumeAll(const std::string& dir) {
  ASSIGN_OR_RETURN(const auto subject, Subject::Open(dir));
  RETURN_IF_ERROR(subject->BecomePlatform());
  ASSIGN_OR_RETURN(const auto lock, subject->Lock());
  RETURN_IF_ERROR(subject->erasure().ResumeAll());
  ASSIGN_OR_RETURN(const auto jobs, subject->erasure().folder().List());
  const Micros now = subject->parts().clock.NowUtc();
  const bool left = std::any_of(jobs.begin(), jobs.end(), [now](const ErasureJob& job) {
    return !job.closed() && HasWork(job, now);
  });
  return left ? kWorkLeftExit : 0;
}

CLI::App* AddOne(CLI::App& parent, const char* name, const char* what, SubjectFlags& flags) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->add_option("--dir", flags.dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  return command;
}

void AddNames(CLI::App& command, SubjectFlags& flags) {
  CLI::Option* vin =
      command.add_option("--vin", flags.name.vin,
                         "VIN; - reads it from standard input, so that no process list "
                         "shows it");
  command
      .add_option("--ownership-epoch", flags.name.ownership_epoch,
                  "Which owner's time, with --vin; the one in force unless given")
      ->needs(vin);
  command.add_option("--vehicle", flags.name.vehicle, "vehicle_ref, 32 hex digits")->excludes(vin);
}

void AddErase(CLI::App& subject, const std::shared_ptr<SubjectFlags>& flags, int& exit_code) {
  CLI::App* erase =
      AddOne(subject, "erase",
             "Erase a vehicle of one owner from every store, or go on with it; prints the receipt",
             *flags);
  AddNames(*erase, *flags);
  CLI::Option* basis =
      erase->add_option("--basis", flags->basis, "Why: request, case or law; 1 to 200 characters");
  CLI::Option* dry_run =
      erase->add_flag("--dry-run", flags->dry_run, "Only say what there is and would be done");
  basis->excludes(dry_run);
  erase->add_flag("--wait", flags->wait, "Until only dates, holds and people are waited for");
  erase->add_flag("--json", flags->as_json, "For programs");
  erase->callback([flags, &exit_code] {
    WatchForStop();
    exit_code = ExitCode(Erase(*flags));
  });
}

}  // namespace

void AddSubjectCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<SubjectFlags>();
  CLI::App* subject =
      app.add_subcommand("subject", "What a vehicle's owner may ask: a copy, or to be erased");
  subject->require_subcommand(1);
  AddErase(*subject, flags, exit_code);

  CLI::App* erasures = AddOne(*subject, "erasures", "Receipts of erasures", *flags);
  CLI::Option* job = erasures->add_option("--job", flags->job, "This one alone; 16 hex digits");
  erasures->add_option("--told", flags->told, "Readers of alerts were told: who, and when")
      ->needs(job);
  erasures->add_flag("--json", flags->as_json, "For programs: one receipt a line");
  erasures->callback([flags, &exit_code] {
    WatchForStop();
    exit_code = ExitCode(Show(*flags));
  });

  CLI::App* resume =
      AddOne(*subject, "resume", "Go on with every open erasure, once; `serve` does it", *flags);
  resume->callback([flags, &exit_code] {
    WatchForStop();
    const auto ended = ResumeAll(flags->dir);
    exit_code = ended.ok() ? *ended : ExitCode(ended.error());
  });

  CLI::App* copy = AddOne(*subject, "export",
                          "A copy of what is held about a vehicle, into a new folder", *flags);
  AddNames(*copy, *flags);
  copy->add_option("--out", flags->out, "The folder to make; nothing may be there yet")->required();
  copy->add_option("--case", flags->case_id, "The case or ticket this belongs to")->required();
  copy->callback([flags, &exit_code] {
    WatchForStop();
    const auto run = [&]() -> Status {
      ASSIGN_OR_RETURN(const auto opened, Subject::Open(flags->dir));
      ASSIGN_OR_RETURN(const VehicleRef vehicle, opened->Resolve(Named(*flags)));
      return ExportSubject(*opened, vehicle, flags->out, flags->case_id);
    };
    exit_code = ExitCode(run());
  });
}

}  // namespace telltale::app
