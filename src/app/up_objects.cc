#include "app/up_objects.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/process.h"

namespace telltale::app {
namespace {

using nlohmann::ordered_json;

constexpr std::uint32_t kFileMode = 0644;

Status Write(Disk& disk, const std::string& folder, const std::string& key,
             const ordered_json& object) {
  RETURN_IF_ERROR(disk.MakeFolders(folder, 0755));
  return WriteFileDurably(disk, folder + "/" + key + ".json", object.dump(2) + "\n", kFileMode);
}

// Those that lie in the trial's folder, as they are.
Status AddOwn(Disk& disk, const std::string& folder, const std::string& command,
              std::vector<TrialObject>& objects) {
  const auto names = disk.List(folder);
  if (!names.ok()) return names.error().code == Code::kNotFound ? Ok() : Status(names.error());
  for (const std::string& name : *names) {
    if (name.ends_with(".yaml")) objects.push_back({command, folder + "/" + name});
  }
  return Ok();
}

}  // namespace

Result<std::vector<TrialObject>> WriteObjects(Disk& disk, const Trial& trial,
                                              const std::string& data) {
  std::vector<TrialObject> objects;
  RETURN_IF_ERROR(AddOwn(disk, trial.folder + "/cohorts", "cohort", objects));
  RETURN_IF_ERROR(AddOwn(disk, trial.folder + "/gates", "gate", objects));
  RETURN_IF_ERROR(AddOwn(disk, trial.folder + "/policies", "policy", objects));
  const std::string folder = data + "/objects";
  for (const TrialEnvironment& one : trial.environments) {
    const ordered_json object = {{"key", one.key},
                                 {"kind", one.kind},
                                 {"dir", data + "/" + one.key},
                                 {"upstream", one.upstream},
                                 {"policy", one.policy},
                                 {"deletion_protection", one.kind == "prod"}};
    RETURN_IF_ERROR(Write(disk, folder + "/environments", one.key, object));
    objects.push_back({"environment", folder + "/environments/" + one.key + ".json"});
  }
  for (const TrialMirror& one : trial.mirrors) {
    const ordered_json object = {
        {"key", one.key}, {"from", one.from}, {"to", one.to}, {"per_10000", one.per_10000}};
    RETURN_IF_ERROR(Write(disk, folder + "/mirrors", one.key, object));
    objects.push_back({"mirror", folder + "/mirrors/" + one.key + ".json"});
  }
  return objects;
}

Status RegisterEnvironments(const std::vector<TrialObject>& objects, const std::string& control_dir,
                            const Layout& layout) {
  for (const TrialObject& object : objects) {
    Program program;
    program.name = "register";
    program.arguments = {layout.telltale, object.command, "put",      "-f",
                         object.file,     "--dir",        control_dir};
    ASSIGN_OR_RETURN(const pid_t pid, Start(program));
    ASSIGN_OR_RETURN(const int status, WaitFor(pid));
    if (status == 0) continue;
    return Error{Code::kUnavailable, fmt::format("control did not take {}: the command {}",
                                                 object.file, DescribeEnd(status))};
  }
  return Ok();
}

}  // namespace telltale::app
