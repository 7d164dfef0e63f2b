#include "contract/check/approvals_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>

namespace telltale::contract::check {
namespace {

constexpr std::uint64_t kFileBytesMax = 1u << 20;
constexpr std::array<std::string_view, 5> kKeys = {"field", "change", "author", "approvers",
                                                   "reason"};

class Reader {
 public:
  Reader(const std::string& path, std::vector<Problem>& problems)
      : path_(path), problems_(problems) {}

  std::vector<Approval> Read(const std::string& text) {
    try {
      const YAML::Node root = YAML::Load(text);
      if (root.IsNull()) return {};
      const bool is_list = root.IsMap() && root.size() == 1 && root["approvals"] &&
                           (root["approvals"].IsSequence() || root["approvals"].IsNull());
      if (!is_list) {
        Add(root.Mark(), "must hold one key, `approvals`, with a list");
        return {};
      }
      for (const YAML::Node& entry : root["approvals"]) ReadOne(entry);
    } catch (const YAML::Exception& e) {
      Add(e.mark, fmt::format("not YAML: {}", e.msg));
    }
    return std::move(approvals_);
  }

 private:
  void Add(const YAML::Mark& mark, std::string what) {
    const bool known = !mark.is_null();
    problems_.push_back(
        {{path_, known ? mark.line + 1 : 0, known ? mark.column + 1 : 0}, std::move(what)});
  }

  std::string Text(const YAML::Node& entry, const std::string& key) {
    const YAML::Node value = entry[key];
    const bool is_given =
        value && value.IsScalar() && value.Scalar().find_first_not_of(" \t\n") != std::string::npos;
    if (is_given) return value.Scalar();
    Add(entry.Mark(), fmt::format("an approval needs `{}`, a text", key));
    return "";
  }

  void ReadOne(const YAML::Node& entry) {
    if (!entry.IsMap()) {
      return Add(entry.Mark(), fmt::format("an approval is a map of {}", fmt::join(kKeys, ", ")));
    }
    for (const auto& pair : entry) {
      const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
      if (std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end()) continue;
      Add(pair.first.Mark(),
          fmt::format("unknown key; an approval has {}", fmt::join(kKeys, ", ")));
    }
    Approval approval;
    approval.field = Text(entry, "field");
    approval.author = Text(entry, "author");
    approval.reason = Text(entry, "reason");
    const std::string change = Text(entry, "change");
    if (change == "lower") approval.change = Change::kLower;
    if (!change.empty() && change != "lower" && change != "open") {
      Add(entry["change"].Mark(), "change must be `open` or `lower`");
    }
    const YAML::Node approvers = entry["approvers"];
    if (!approvers || !approvers.IsSequence() || approvers.size() == 0) {
      return Add(entry.Mark(), "an approval needs `approvers`, a list of names");
    }
    for (const YAML::Node& name : approvers) {
      if (!name.IsScalar()) return Add(name.Mark(), "an approver is a name");
      approval.approvers.push_back(name.Scalar());
    }
    approvals_.push_back(std::move(approval));
  }

  const std::string& path_;
  std::vector<Problem>& problems_;
  std::vector<Approval> approvals_;
};

}  // namespace

Result<std::vector<Approval>> ReadApprovals(Disk& disk, const std::string& path,
                                            std::vector<Problem>& problems) {
  if (!disk.Exists(path)) return std::vector<Approval>{};
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, path, kFileBytesMax));
  return Reader(path, problems).Read(text);
}

std::string ApprovalsText(const std::vector<Approval>& approvals) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "approvals" << YAML::Value << YAML::BeginSeq;
  for (const Approval& one : approvals) {
    out << YAML::BeginMap;
    out << YAML::Key << "field" << YAML::Value << YAML::DoubleQuoted << one.field;
    out << YAML::Key << "change" << YAML::Value << (one.change == Change::kOpen ? "open" : "lower");
    out << YAML::Key << "author" << YAML::Value << YAML::DoubleQuoted << one.author;
    out << YAML::Key << "approvers" << YAML::Value << YAML::Flow << YAML::BeginSeq;
    for (const std::string& name : one.approvers) out << YAML::DoubleQuoted << name;
    out << YAML::EndSeq;
    out << YAML::Key << "reason" << YAML::Value << YAML::DoubleQuoted << one.reason;
    out << YAML::EndMap;
  }
  out << YAML::EndSeq << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace telltale::contract::check
