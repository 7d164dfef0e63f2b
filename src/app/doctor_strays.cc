#include "app/doctor_strays.h"

#include <algorithm>
#include <array>

namespace telltale::app {
namespace {

// Below DIR; folders are what lies above a file. Formats: docs/formats/.
constexpr auto kKnown = std::to_array<std::string_view>({
    "data/control/**",
    "data/gate/*/state",
    "data/gate/*/evidence.json",
    "data/gate/*/settings.json",
    "data/contracts/*.desc",
    "data/contracts/*.approvals.yaml",
    "data/releases/*/**",
    "data/engines/*",
    "data/registry/registry.db*",
    "data/journal/*/durable.map",
    "data/journal/*/ledger",
    "data/journal/*/lock",
    "data/journal/*/positions/*/*-#",
    "data/journal/*/journal/shard-#/#.seg",
    "data/worker/*/shard-#.snapshot",
    "data/publish/**",
    "data/lake/lake.lock",
    "data/lake/committer.lock",
    "data/lake/commit.lock",
    "data/lake/erase.lock",
    "data/lake/*.db*",
    "data/lake/handoff/#.json",
    "data/lake/handoff/#.state",
    "data/lake/warehouse/**",
    "data/lake/shadow/*/*",
    "data/log/durable.map",
    "data/log/ledger",
    "data/log/lock",
    "data/log/config/#",
    "data/log/unknown.json",
    "data/log/transport.seen",
    "data/log/*/shard-#/#.seg",
    "data/positions/*/*-#",
    "data/mirror/*/generation",
    "data/mirror/*/position/*-#",
    "data/mirror/*/counters.json",
    "data/erased/list",
    "data/erased/lock",
    "data/erased/exports",
    "data/erased/jobs/*.json",
    "vault/**",
});

constexpr int kDepthMax = 32;

bool MatchesName(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    for (std::size_t skip = 0; skip <= name.size(); ++skip) {
      if (MatchesName(pattern.substr(1), name.substr(skip))) return true;
    }
    return false;
  }
  if (pattern.front() == '#') {
    std::size_t digits = 0;
    while (digits < name.size() && name[digits] >= '0' && name[digits] <= '9') ++digits;
    return digits > 0 && MatchesName(pattern.substr(1), name.substr(digits));
  }
  return !name.empty() && pattern.front() == name.front() &&
         MatchesName(pattern.substr(1), name.substr(1));
}

std::string_view TakePart(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view part = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return part;
}

// `is_folder`: the path may be the beginning of the pattern.
bool Matches(std::string_view pattern, std::string_view path, bool is_folder) {
  while (!path.empty() && !pattern.empty()) {
    const std::string_view expected = TakePart(pattern);
    if (expected == "**") return true;
    if (!MatchesName(expected, TakePart(path))) return false;
  }
  return path.empty() && (pattern.empty() || is_folder);
}

class Walk {
 public:
  Walk(Disk& disk, const std::string& root, DoctorReport& report)
      : disk_(disk), root_(root), report_(report) {}

  void Folder(const std::string& below, int depth) {
    const auto names = disk_.List(root_ + "/" + below);
    if (!names.ok()) {
      if (names.error().code == Code::kRefused) {
        report_.Add(FindingKind::kNotAllowed, {root_ + "/" + below, {}, {}});
      }
      return;
    }
    for (const std::string& name : *names) Entry(below + "/" + name, depth);
  }

 private:
  void Entry(const std::string& below, int depth) {
    const auto inside = disk_.List(root_ + "/" + below);
    const bool is_folder = inside.ok() || inside.error().code == Code::kRefused;
    if (is_folder && depth < kDepthMax && IsKnown(below, true)) return Folder(below, depth + 1);
    report_.Count("files", 1);
    if (below.ends_with(".tmp")) {
      report_.Add(FindingKind::kStrayTemporary, {root_ + "/" + below, {}, {}});
    } else if (is_folder || !IsKnown(below, false)) {
      report_.Add(FindingKind::kUnknownFile, {root_ + "/" + below, {}, {}});
    }
  }

  static bool IsKnown(std::string_view below, bool is_folder) {
    return std::any_of(kKnown.begin(), kKnown.end(), [&](std::string_view pattern) {
      return Matches(pattern, below, is_folder);
    });
  }

  Disk& disk_;
  const std::string& root_;
  DoctorReport& report_;
};

}  // namespace

bool MatchesPath(std::string_view pattern, std::string_view path) {
  return Matches(pattern, path, false);
}

void FindStrays(Disk& disk, const Paths& paths, DoctorReport& report) {
  Walk walk(disk, paths.root, report);
  walk.Folder("data", 0);
  walk.Folder("vault", 0);
}

}  // namespace telltale::app
