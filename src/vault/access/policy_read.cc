// The file of the policy, strictly: every key is known, every mistake has its line.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "base/cell.h"
#include "base/config_anchors.h"
#include "base/ids.h"
#include "seal/seal.h"
#include "vault/access/policy.h"

namespace telltale::access {
namespace {

constexpr std::size_t kNameCharactersMax = 64;
constexpr std::size_t kPeopleMax = 1000;
constexpr std::uint32_t kTimeFloorMin = 60;
constexpr std::uint32_t kBinMetresMin = 100;
constexpr std::uint64_t kHoursMax = 24 * 62;
constexpr std::uint64_t kVehiclesMax = 1000;
constexpr std::uint32_t kApproversMax = 5;
constexpr std::uint32_t kHoldApproversMin = 2;
constexpr int kCoarsestCell = 5;
constexpr std::string_view kFingerprint = "sha256:";

struct Bounds {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

class Reader {
 public:
  Reader(PolicyReading& out, bool is_prod) : out_(out), policy_(out.policy), is_prod_(is_prod) {}

  void Read(std::string_view text) {
    try {
      const YamlExtras extras = FindYamlExtras(text);
      if (extras.anchor_line) {
        return Add(*extras.anchor_line + 1, "an anchor or alias (& or *); write the value itself");
      }
      if (extras.second_document_line) {
        return Add(*extras.second_document_line + 1, "a second document");
      }
      ReadRoot(YAML::Load(std::string(text)));
    } catch (const YAML::Exception& e) {
      Add(e.mark.is_null() ? 0 : e.mark.line + 1, fmt::format("not YAML: {}", e.msg));
    }
    std::sort(out_.mistakes.begin(), out_.mistakes.end(), [](const auto& a, const auto& b) {
      return std::tie(a.line, a.what) < std::tie(b.line, b.what);
    });
  }

 private:
  using Keys = std::vector<std::string_view>;

  void Add(int line, std::string what) { out_.mistakes.push_back({line, std::move(what)}); }
  static int LineOf(const YAML::Node& node) {
    return node.Mark().is_null() ? 0 : node.Mark().line + 1;
  }
  void Add(const YAML::Node& node, std::string what) { Add(LineOf(node), std::move(what)); }

  // Whether it is a map; unknown and doubled keys are mistakes.
  bool CheckMap(const YAML::Node& node, const std::string& name, const Keys& keys) {
    if (!node.IsMap()) {
      Add(node, fmt::format("{} must be a map", name));
      return false;
    }
    std::set<std::string> seen;
    for (const auto& pair : node) {
      const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
        Add(pair.first, fmt::format("unknown key in {}; it has {}", name, fmt::join(keys, ", ")));
      } else if (!seen.insert(key).second) {
        Add(pair.first, fmt::format("{} is there twice in {}", key, name));
      }
    }
    return true;
  }

  static bool IsName(const std::string& text) {
    return !text.empty() && text.size() <= kNameCharactersMax &&
           std::all_of(text.begin(), text.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
  }

  static std::optional<std::uint64_t> NumberIn(const YAML::Node& node, Bounds bounds) {
    if (!node.IsScalar()) return std::nullopt;
    const std::string& text = node.Scalar();
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = problem == std::errc() && end == text.data() + text.size();
    if (!is_number || value < bounds.low || value > bounds.high) return std::nullopt;
    return value;
  }
  std::uint64_t Number(const YAML::Node& map, const std::string& where, const char* key,
                       Bounds bounds) {
    const YAML::Node node = map[key];
    const auto value = node ? NumberIn(node, bounds) : std::nullopt;
    if (value) return *value;
    Add(node ? node : map,
        fmt::format("{}: {} must be a number from {} to {}", where, key, bounds.low, bounds.high));
    return bounds.low;
  }

  // A list of texts; a mistake when it is none, or empty and `is_required`.
  std::vector<std::string> Texts(const YAML::Node& map, const std::string& where, const char* key,
                                 bool is_required = true) {
    const YAML::Node node = map[key];
    std::vector<std::string> texts;
    if (!node && !is_required) return texts;
    if (!node || !node.IsSequence() || (is_required && node.size() == 0)) {
      Add(node ? node : map, fmt::format("{}: {} must be a list", where, key));
      return texts;
    }
    for (const YAML::Node& one : node) {
      if (!one.IsScalar() || one.Scalar().empty()) {
        Add(one, fmt::format("{}: {} holds something that is no text", where, key));
      } else if (std::find(texts.begin(), texts.end(), one.Scalar()) != texts.end()) {
        Add(one, fmt::format("{}: {} names one twice", where, key));
      } else {
        texts.push_back(one.Scalar());
      }
    }
    return texts;
  }

  std::vector<std::string> Roles(const YAML::Node& map, const std::string& where, const char* key) {
    std::vector<std::string> names = Texts(map, where, key);
    for (const std::string& name : names) {
      if (!policy_.roles.contains(name)) {
        Add(map[key], fmt::format("{}: there is no such role as {}", where, name));
      }
    }
    return names;
  }

  void ReadRoot(const YAML::Node& root) {
    if (!CheckMap(root, "the policy",
                  {"version", "roles", "people", "purposes", "caps", "holds", "clock"})) {
      return;
    }
    if (!root["version"] || !NumberIn(root["version"], {1, 1})) {
      Add(root["version"] ? root["version"] : root, "version must be 1");
    }
    for (const char* key : {"roles", "people", "purposes", "caps"}) {
      if (!root[key]) Add(root, fmt::format("{} is missing", key));
    }
    if (root["roles"]) ReadRoles(root["roles"]);
    if (root["people"]) ReadPeople(root["people"]);
    if (root["purposes"]) ReadPurposes(root["purposes"]);
    if (root["caps"]) ReadCaps(root["caps"]);
    if (root["holds"]) {
      policy_.holds = ReadApproval(root["holds"], "holds", kHoldApproversMin);
    }
    if (root["clock"]) policy_.clock = ReadApproval(root["clock"], "clock", is_prod_ ? 1 : 0);
  }

  void ReadRoles(const YAML::Node& node) {
    if (!node.IsMap()) return Add(node, "roles must be a map of a role to its verbs");
    for (const auto& pair : node) {
      const std::string name = pair.first.IsScalar() ? pair.first.Scalar() : "";
      if (!IsName(name) || policy_.roles.contains(name)) {
        Add(pair.first, "a role's name is a-z, 0-9 and _, and is there once");
        continue;
      }
      std::set<Verb>& verbs = policy_.roles[name];
      if (!pair.second.IsSequence()) {
        Add(pair.first, fmt::format("role {}: its verbs must be a list", name));
        continue;
      }
      for (const YAML::Node& one : pair.second) ReadVerb(one, name, verbs);
    }
  }

  void ReadVerb(const YAML::Node& node, const std::string& role, std::set<Verb>& verbs) {
    constexpr std::array kVerbs = {Verb::kRequest,       Verb::kApprove, Verb::kAudit,
                                   Verb::kSubjectExport, Verb::kHold,    Verb::kOperate,
                                   Verb::kEditPolicy};
    for (const Verb verb : kVerbs) {
      if (!node.IsScalar() || node.Scalar() != VerbName(verb)) continue;
      verbs.insert(verb);
      return;
    }
    Add(node, fmt::format("role {}: a verb is request, approve, audit, subject_export, hold, "
                          "operate or edit_policy",
                          role));
  }

  void ReadPeople(const YAML::Node& node) {
    if (!node.IsSequence() || node.size() == 0 || node.size() > kPeopleMax) {
      return Add(node, fmt::format("people must be a list of 1 to {}", kPeopleMax));
    }
    for (const YAML::Node& one : node) {
      if (!CheckMap(one, "a person", {"number", "name", "uids", "certificates", "roles"})) continue;
      Person person;
      person.number =
          static_cast<std::uint32_t>(Number(one, "a person", "number", {1, UINT32_MAX}));
      const std::string where = fmt::format("person {}", person.number);
      if (one["name"] && one["name"].IsScalar()) person.name = one["name"].Scalar();
      if (person.name.empty() || person.name.size() > kNameCharactersMax) {
        Add(one, fmt::format("{}: name must have 1 to {} characters", where, kNameCharactersMax));
      }
      person.roles = Roles(one, where, "roles");
      for (const std::string& text : Texts(one, where, "uids", false)) {
        const auto uid = NumberIn(YAML::Node(text), {0, UINT32_MAX});
        if (!uid) Add(one["uids"], fmt::format("{}: a user id is a number", where));
        person.uids.push_back(static_cast<std::uint32_t>(uid.value_or(0)));
      }
      person.certificates = Texts(one, where, "certificates", false);
      CheckIdentities(one, where, person);
      policy_.people.push_back(std::move(person));
    }
  }

  void CheckIdentities(const YAML::Node& node, const std::string& where, Person& person) {
    if (person.uids.empty() && person.certificates.empty()) {
      Add(node, fmt::format("{}: without uids and certificates nobody is it", where));
    }
    for (std::string& certificate : person.certificates) {
      if (!certificate.starts_with(kFingerprint)) continue;
      const auto bytes = HexDecode(certificate.substr(kFingerprint.size()));
      if (!bytes.ok() || bytes->size() != 32) {
        Add(node["certificates"], fmt::format("{}: sha256: takes 64 hex digits", where));
        continue;
      }
      certificate = std::string(kFingerprint) + HexEncode(*bytes);
    }
    for (const Person& other : policy_.people) {
      if (!IsSamePerson(KeyOf(other), KeyOf(person))) continue;
      Add(node, fmt::format("{}: its number or an identity of it is another person's too", where));
    }
  }

  void ReadPurposes(const YAML::Node& node) {
    if (!node.IsMap() || node.size() == 0) {
      return Add(node, "purposes must be a map of a purpose to what it allows");
    }
    for (const auto& pair : node) {
      const std::string name = pair.first.IsScalar() ? pair.first.Scalar() : "";
      if (!IsName(name) || policy_.purposes.contains(name)) {
        Add(pair.first, "a purpose's name is a-z, 0-9 and _, and is there once");
        continue;
      }
      ReadPurpose(pair.second, name);
    }
  }

  void ReadPurpose(const YAML::Node& node, const std::string& name) {
    const std::string where = "purpose " + name;
    if (!CheckMap(node, where,
                  {"roles", "form", "fields", "classes", "cell_level", "bin_m", "time_floor_s",
                   "max_vehicles", "max_hours", "second_person", "approve_roles", "approvers",
                   "break_glass", "export_hours"})) {
      return;
    }
    Purpose purpose;
    purpose.name = name;
    purpose.roles = Roles(node, where, "roles");
    purpose.vehicles_max = Number(node, where, "max_vehicles", {1, kVehiclesMax});
    purpose.hours_max = Number(node, where, "max_hours", {1, kHoursMax});
    if (node["export_hours"]) {
      purpose.export_hours =
          static_cast<std::uint32_t>(Number(node, where, "export_hours", {0, kHoursMax}));
    }
    if (node["break_glass"]) {
      const bool is_bool =
          node["break_glass"].IsScalar() &&
          (node["break_glass"].Scalar() == "true" || node["break_glass"].Scalar() == "false");
      if (!is_bool) Add(node["break_glass"], where + ": break_glass must be true or false");
      purpose.break_glass = is_bool && node["break_glass"].Scalar() == "true";
    }
    ReadForm(node, where, purpose);
    ReadClasses(node, where, purpose);
    ReadSecondPerson(node, where, purpose);
    policy_.purposes.emplace(name, std::move(purpose));
  }

  void ReadForm(const YAML::Node& node, const std::string& where, Purpose& purpose) {
    const std::string form = node["form"] && node["form"].IsScalar() ? node["form"].Scalar() : "";
    const auto only = [&](const char* key, bool is_wanted) {
      if (!is_wanted && node[key]) {
        Add(node[key], fmt::format("{}: {} does not go with form {}", where, key, form));
      }
      return is_wanted;
    };
    if (form == FormName(Form::kTrace)) {
      purpose.form = Form::kTrace;
    } else if (form == FormName(Form::kCells)) {
      purpose.form = Form::kCells;
    } else if (form != FormName(Form::kDistanceBins)) {
      return Add(node["form"] ? node["form"] : node,
                 where + ": form must be trace, cells or distance_bins");
    }
    const bool is_trace = purpose.form == Form::kTrace;
    if (only("fields", is_trace)) ReadFields(node, where, purpose);
    if (only("cell_level", purpose.form == Form::kCells)) {
      purpose.cell_level =
          static_cast<int>(Number(node, where, "cell_level", {kCoarsestCell, kFinestCellLevel}));
    }
    if (only("bin_m", purpose.form == Form::kDistanceBins)) {
      purpose.bin_m =
          static_cast<std::uint32_t>(Number(node, where, "bin_m", {kBinMetresMin, 1'000'000}));
    }
    if (only("time_floor_s", !is_trace)) {
      purpose.time_floor_s =
          static_cast<std::uint32_t>(Number(node, where, "time_floor_s", {kTimeFloorMin, 86'400}));
    }
  }

  void ReadFields(const YAML::Node& node, const std::string& where, Purpose& purpose) {
    if (node["fields"] && node["fields"].IsScalar() && node["fields"].Scalar() == "all") {
      purpose.all_fields = true;
      return;
    }
    for (std::string& name : Texts(node, where, "fields")) {
      if (!IsName(name)) {
        Add(node["fields"], fmt::format("{}: fields are the contract's names, or all", where));
      }
      purpose.fields.insert(std::move(name));
    }
  }

  void ReadClasses(const YAML::Node& node, const std::string& where, Purpose& purpose) {
    purpose.classes = {"data"};
    if (!node["classes"]) return;
    purpose.classes.clear();
    for (const std::string& name : Texts(node, where, "classes")) {
      if (name != "data" && name != "quarantine" && name != "unknown" && name != "held") {
        Add(node["classes"], where + ": classes are data, quarantine, unknown and held");
      } else if (name != "data" && name != "held" && !purpose.all_fields) {
        // Their bytes have no names that could be left out.
        Add(node["classes"],
            fmt::format("{}: class {} needs form trace and fields: all", where, name));
      }
      purpose.classes.insert(name);
    }
  }

  void ReadSecondPerson(const YAML::Node& node, const std::string& where, Purpose& purpose) {
    SecondPerson& second = purpose.second_person;
    const YAML::Node given = node["second_person"];
    const std::string word = given && given.IsScalar() ? given.Scalar() : "";
    if (word == "never") {
      second.when = SecondPerson::When::kNever;
    } else if (given && given.IsMap()) {
      second.when = SecondPerson::When::kOver;
      CheckMap(given, where + ", second_person", {"over_vehicles", "over_hours"});
      second.over_vehicles = Number(given, where, "over_vehicles", {0, kVehiclesMax});
      second.over_hours = Number(given, where, "over_hours", {0, kHoursMax});
    } else if (word != "always") {
      Add(given ? given : node,
          where + ": second_person must be never, always, or a map of over_vehicles, over_hours");
    }
    const bool is_never = second.when == SecondPerson::When::kNever;
    if (is_never && is_prod_ && purpose.form == Form::kTrace) {
      Add(given, where +
                     ": in an environment of kind prod exact traces need a second person; "
                     "say always, or from how many vehicles and hours on");
    }
    if (!is_never || node["approve_roles"] || node["approvers"]) {
      purpose.approval.roles = Roles(node, where, "approve_roles");
      purpose.approval.approvers = 1;
      if (node["approvers"]) {
        purpose.approval.approvers =
            static_cast<std::uint32_t>(Number(node, where, "approvers", {1, kApproversMax}));
      }
    }
  }

  void ReadCaps(const YAML::Node& node) {
    if (!CheckMap(node, "caps", {"requests", "vehicles", "rows"})) return;
    policy_.caps.requests = Number(node, "caps", "requests", {1, 100'000});
    policy_.caps.vehicles = Number(node, "caps", "vehicles", {1, 1'000'000});
    policy_.caps.rows = Number(node, "caps", "rows", {1, 1'000'000'000});
  }

  Approval ReadApproval(const YAML::Node& node, const std::string& where, std::uint32_t least) {
    Approval approval;
    if (!CheckMap(node, where, {"approve_roles", "approvers"})) return approval;
    approval.roles = Roles(node, where, "approve_roles");
    approval.approvers =
        static_cast<std::uint32_t>(Number(node, where, "approvers", {least, kApproversMax}));
    return approval;
  }

  PolicyReading& out_;
  Policy& policy_;
  const bool is_prod_;
};

// What this policy says and nobody can do: a second person who is not there.
void WarnOfNobody(PolicyReading& reading) {
  const Policy& policy = reading.policy;
  const auto approvers = [&](const Approval& approval) {
    return std::count_if(policy.people.begin(), policy.people.end(),
                         [&](const Person& person) { return policy.MayApprove(person, approval); });
  };
  for (const auto& [name, purpose] : policy.purposes) {
    const bool anyone =
        std::any_of(policy.people.begin(), policy.people.end(),
                    [&](const Person& person) { return !policy.RoleFor(person, purpose).empty(); });
    if (!anyone) reading.warnings.push_back(fmt::format("purpose {}: nobody may ask", name));
    if (approvers(purpose.approval) < static_cast<std::ptrdiff_t>(purpose.approval.approvers)) {
      reading.warnings.push_back(fmt::format(
          "purpose {}: needs {} approvers beside the asker, and fewer people have the role", name,
          purpose.approval.approvers));
    }
  }
  if (policy.holds && approvers(*policy.holds) < policy.holds->approvers) {
    reading.warnings.push_back("holds: fewer people than approvers");
  }
}

}  // namespace

PolicyReading ReadPolicy(std::string_view text, std::string_view environment_kind) {
  PolicyReading reading;
  if (text.size() > kPolicyBytesMax) {
    reading.mistakes.push_back({0, fmt::format("over {} bytes", kPolicyBytesMax)});
    return reading;
  }
  Reader(reading, environment_kind == "prod").Read(text);
  if (reading.mistakes.empty()) WarnOfNobody(reading);
  reading.policy.text = text;
  reading.policy.digest = HexEncode(seal::Sha256(text));
  return reading;
}

Result<Policy> PolicyOf(const PolicyReading& reading, std::string_view file) {
  if (reading.mistakes.empty()) return reading.policy;
  std::string all;
  for (const PolicyMistake& mistake : reading.mistakes) {
    if (!all.empty()) all += '\n';
    all += fmt::format("{}:{}: {}", file, mistake.line, mistake.what);
  }
  return Error{Code::kInvalid, all};
}

}  // namespace telltale::access
