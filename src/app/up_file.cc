#include "app/up_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "app/serve.h"

namespace telltale::app {
namespace {

constexpr std::uint64_t kFileBytesMax = 1u << 20;
constexpr std::size_t kKeyBytesMax = 63;
constexpr std::uint32_t kDurationMaxS = 366 * 86'400;

bool IsKey(const std::string& text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > kKeyBytesMax || !plain(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-'; });
}

class Reader {
 public:
  Reader(std::string path, Trial& trial) : path_(std::move(path)), trial_(trial) {}

  Status Read(const std::string& text) {
    try {
      const YAML::Node root = YAML::Load(text);
      RETURN_IF_ERROR(CheckKeys(root, {"control", "strict", "environments", "mirrors"}));
      RETURN_IF_ERROR(Take(root, "control", trial_.control));
      RETURN_IF_ERROR(Take(root, "strict", trial_.strict));
      RETURN_IF_ERROR(
          ReadList(root, "environments", [&](const auto& node) { return ReadEnvironment(node); }));
      RETURN_IF_ERROR(
          ReadList(root, "mirrors", [&](const auto& node) { return ReadMirror(node); }));
      return CheckReferences(root);
    } catch (const YAML::Exception& e) {
      return Broken(e.mark, e.msg);
    }
  }

 private:
  Error Broken(const YAML::Mark& mark, const std::string& what) const {
    return Error{Code::kInvalid,
                 fmt::format("{}:{}: {}", path_, mark.is_null() ? 1 : mark.line + 1, what)};
  }

  Status CheckKeys(const YAML::Node& node, const std::vector<std::string>& known) const {
    if (!node.IsMap()) {
      return Broken(node.Mark(), fmt::format("must be a map of {}", fmt::join(known, ", ")));
    }
    for (const auto& pair : node) {
      const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      return Broken(pair.first.Mark(),
                    fmt::format("unknown key; allowed are {}", fmt::join(known, ", ")));
    }
    return Ok();
  }

  // One that is absent or null keeps what `out` has.
  template <typename T>
  Status Take(const YAML::Node& node, const char* key, T& out) const {
    const YAML::Node value = node[key];
    if (!value || value.IsNull()) return Ok();
    if (!value.IsScalar() || !YAML::convert<T>::decode(value, out)) {
      return Broken(value.Mark(), fmt::format("{} is not what it must be", key));
    }
    return Ok();
  }

  template <typename Visit>
  Status ReadList(const YAML::Node& node, const char* key, const Visit& visit) const {
    const YAML::Node list = node[key];
    if (!list || list.IsNull()) return Ok();
    if (!list.IsSequence()) return Broken(list.Mark(), fmt::format("{} must be a list", key));
    for (const YAML::Node& one : list) RETURN_IF_ERROR(visit(one));
    return Ok();
  }

  Status ReadEnvironment(const YAML::Node& node) {
    RETURN_IF_ERROR(
        CheckKeys(node, {"key", "kind", "upstream", "policy", "settings", "without", "sim"}));
    TrialEnvironment one;
    RETURN_IF_ERROR(Take(node, "key", one.key));
    RETURN_IF_ERROR(Take(node, "kind", one.kind));
    RETURN_IF_ERROR(Take(node, "upstream", one.upstream));
    RETURN_IF_ERROR(Take(node, "policy", one.policy));
    if (!IsKey(one.key)) return Broken(node.Mark(), "key must be of a-z, 0-9 and -, at most 63");
    if (trial_.Find(one.key) != nullptr) return Broken(node.Mark(), "this key is there already");
    if (one.kind != "dev" && one.kind != "staging" && one.kind != "prod") {
      return Broken(node.Mark(), "kind must be dev, staging or prod");
    }
    if (const YAML::Node settings = node["settings"]; settings && !settings.IsNull()) {
      if (!settings.IsMap()) return Broken(settings.Mark(), "settings must be a map");
      for (const auto& pair : settings) {
        one.settings.push_back(
            fmt::format("{}={}", pair.first.as<std::string>(), pair.second.as<std::string>()));
      }
    }
    RETURN_IF_ERROR(ReadList(node, "without", [&](const YAML::Node& role) -> Status {
      const auto name = role.as<std::string>();
      if (std::find(std::begin(kRoles), std::end(kRoles), name) == std::end(kRoles)) {
        return Broken(role.Mark(), fmt::format("a role is one of {}", fmt::join(kRoles, ", ")));
      }
      one.without.insert(name);
      return Ok();
    }));
    if (const YAML::Node sim = node["sim"]; sim && !sim.IsNull())
      RETURN_IF_ERROR(ReadSim(sim, one));
    trial_.environments.push_back(std::move(one));
    return Ok();
  }

  Status ReadSim(const YAML::Node& node, TrialEnvironment& environment) const {
    RETURN_IF_ERROR(CheckKeys(node, {"vehicles", "hz", "duration_s", "seed"}));
    TrialSim sim;
    RETURN_IF_ERROR(Take(node, "vehicles", sim.vehicles));
    RETURN_IF_ERROR(Take(node, "hz", sim.report_hz));
    RETURN_IF_ERROR(Take(node, "duration_s", sim.duration_s));
    RETURN_IF_ERROR(Take(node, "seed", sim.seed));
    if (!(sim.report_hz >= 0.1 && sim.report_hz <= 100)) {
      return Broken(node.Mark(), "hz must be 0.1 to 100");
    }
    if (sim.duration_s < 1 || sim.duration_s > kDurationMaxS) {
      return Broken(node.Mark(), fmt::format("duration_s must be 1 to {}", kDurationMaxS));
    }
    environment.sim = sim;
    return Ok();
  }

  Status ReadMirror(const YAML::Node& node) {
    RETURN_IF_ERROR(CheckKeys(node, {"key", "from", "to", "per_10000", "generation_hours"}));
    TrialMirror one;
    RETURN_IF_ERROR(Take(node, "key", one.key));
    RETURN_IF_ERROR(Take(node, "from", one.from));
    RETURN_IF_ERROR(Take(node, "to", one.to));
    RETURN_IF_ERROR(Take(node, "per_10000", one.per_10000));
    RETURN_IF_ERROR(Take(node, "generation_hours", one.generation_hours));
    if (!IsKey(one.key)) return Broken(node.Mark(), "key must be of a-z, 0-9 and -, at most 63");
    const TrialEnvironment* from = trial_.Find(one.from);
    const TrialEnvironment* to = trial_.Find(one.to);
    if (from == nullptr || to == nullptr || from == to) {
      return Broken(node.Mark(), "from and to must be two environments of this file");
    }
    if (to->kind == "prod")
      return Broken(node.Mark(), "nothing is mirrored into a prod environment");
    if (one.per_10000 > 10'000) return Broken(node.Mark(), "per_10000 must be 0 to 10000");
    if (one.generation_hours < 1 || one.generation_hours > 24 * 31) {
      return Broken(node.Mark(), "generation_hours must be 1 to 744");
    }
    trial_.mirrors.push_back(std::move(one));
    return Ok();
  }

  Status CheckReferences(const YAML::Node& root) const {
    if (trial_.environments.empty()) return Broken(root.Mark(), "environments: there must be one");
    if (!trial_.control.empty() && trial_.Find(trial_.control) == nullptr) {
      return Broken(root.Mark(), "control must be one of the environments");
    }
    std::set<std::string> before;
    for (const TrialEnvironment& one : trial_.environments) {
      if (!one.upstream.empty() && !before.contains(one.upstream)) {
        return Broken(root.Mark(),
                      fmt::format("{}: upstream must be an environment named before it", one.key));
      }
      before.insert(one.key);
    }
    return Ok();
  }

  const std::string path_;
  Trial& trial_;
};

}  // namespace

const TrialEnvironment* Trial::Find(const std::string& key) const {
  for (const TrialEnvironment& one : environments) {
    if (one.key == key) return &one;
  }
  return nullptr;
}

Result<Trial> ReadTrial(Disk& disk, const std::string& path) {
  const bool is_folder = disk.List(path).ok();
  const std::string file = is_folder ? path + "/trial.yaml" : path;
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, file, kFileBytesMax));
  Trial trial;
  trial.folder = is_folder ? path : ParentFolder(path);
  RETURN_IF_ERROR(Reader(file, trial).Read(text));
  return trial;
}

}  // namespace telltale::app
