#include "app/release_traces.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "app/release_workers.h"

namespace telltale::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWorkerPrefix = "worker-";

template <typename Visit>
void VisitFiles(const std::string& folder, Visit visit) {
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    struct stat info{};
    if (lstat(at->path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) visit(info);
  }
}

bool IsWanted(const std::vector<WantedWorker>& wanted, const std::string& name) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](const WantedWorker& one) { return WorkerName(one.release) == name; });
}

// False when it was not there. We may be root and the folder another user's: this follows no link
// below the last name (libstdc++ removes by descriptors).
bool RemoveFolder(const std::string& folder) {
  std::error_code error;
  return fs::remove_all(folder, error) > 0 && !error;
}

}  // namespace

std::uint64_t JournalBytes(const Paths& paths, const std::string& release) {
  std::uint64_t bytes = 0;
  // All of it: an engine that is out of order does not keep to the stream.
  VisitFiles(paths.journal() + "/" + release,
             [&](const struct stat& info) { bytes += static_cast<std::uint64_t>(info.st_size); });
  return bytes;
}

std::vector<std::string> StrayWorkers(Disk& disk, const Paths& paths,
                                      const std::vector<WantedWorker>& wanted) {
  std::set<std::string> names;
  if (const auto consumers = disk.List(paths.positions()); consumers.ok()) {
    for (const std::string& name : *consumers) {
      if (name.starts_with(kWorkerPrefix)) names.insert(name);
    }
  }
  if (const auto releases = disk.List(paths.worker()); releases.ok()) {
    for (const std::string& release : *releases) names.insert(WorkerName(release));
  }
  std::erase_if(names, [&](const std::string& name) { return IsWanted(wanted, name); });
  return {names.begin(), names.end()};
}

bool RemoveWorkerTraces(Disk& disk, const Paths& paths, const std::string& name) {
  bool found = RemoveFolder(paths.positions() + "/" + name);
  (void)disk.SyncFolder(paths.positions());  // else retention is held once more after a power cut
  const auto releases = disk.List(paths.worker());
  if (!releases.ok()) return found;
  for (const std::string& release : *releases) {
    if (WorkerName(release) == name) found = RemoveFolder(paths.worker() + "/" + release) || found;
  }
  return found;
}

std::vector<std::string> OldJournals(const Paths& paths, const std::vector<WantedWorker>& wanted,
                                     Micros before) {
  std::vector<std::string> old;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(paths.journal(), error)) {
    const std::string release = entry.path().filename().string();
    if (IsWanted(wanted, WorkerName(release))) continue;
    Micros newest;
    VisitFiles(entry.path().string(), [&](const struct stat& info) {
      newest = std::max(newest, Micros{info.st_mtim.tv_sec * 1'000'000});
    });
    if (newest < before) old.push_back(release);
  }
  return old;
}

void RemoveJournal(const Paths& paths, const std::string& release) {
  (void)RemoveFolder(paths.journal() + "/" + release);
}

}  // namespace telltale::app
