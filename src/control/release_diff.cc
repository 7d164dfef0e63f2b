#include "control/release_diff.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "contract/check/check.h"
#include "contract/check/pool.h"
#include "control/release_store.h"

namespace telltale::control {
namespace {

using nlohmann::json;
namespace check = contract::check;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

constexpr std::size_t kFindingsMax = 100;
// What every rule sees beside its own fields.
constexpr std::array<std::string_view, 4> kAlwaysUsed = {"speed_kmh", "cell", "heading_octant",
                                                         "vehicle_class"};

Compatibility CouldNotJudge(const Error& error) {
  return {Compatibility::Verdict::kCouldNotJudge, {error.message}};
}

Compatibility JudgeContracts(const std::string& before, const std::string& after) {
  if (before == after) return {};
  check::Version earlier{.name = "the earlier release", .files = {}, .paths = {}};
  FileDescriptorSet now;
  if (!earlier.files.ParseFromString(before) || !now.ParseFromString(after)) {
    return CouldNotJudge({Code::kInvalid, "a contract is no descriptor set"});
  }
  const auto pool = check::BuildPool(now, "the contract");
  if (!pool.ok()) return CouldNotJudge(pool.error());
  check::Candidate candidate{.pool = pool->get(), .files = {}, .paths = {}};
  for (const FileDescriptorProto& file : now.file()) {
    if (check::IsBuiltIn(file.name())) continue;
    candidate.files.push_back((*pool)->FindFileByName(file.name()));
  }
  const std::array versions = {std::move(earlier)};
  const auto compared = check::Compare(candidate, versions);
  if (!compared.ok()) return CouldNotJudge(compared.error());
  Compatibility judged;
  judged.verdict =
      compared->rejected() ? Compatibility::Verdict::kRejected : Compatibility::Verdict::kAccepted;
  for (const check::Finding& finding : compared->findings) {
    if (judged.findings.size() == kFindingsMax) break;
    judged.findings.push_back(fmt::format("{} {} {}: {}", check::VerdictName(finding.verdict()),
                                          check::TextOf(finding.rule).id, finding.full_name,
                                          finding.effect));
  }
  return judged;
}

std::multiset<std::string> LinesOf(const std::string& text) {
  std::multiset<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.insert(line);
  return lines;
}

std::size_t LinesOnlyIn(const std::multiset<std::string>& here,
                        const std::multiset<std::string>& there) {
  std::vector<std::string> only;
  std::set_difference(here.begin(), here.end(), there.begin(), there.end(),
                      std::back_inserter(only));
  return only.size();
}

std::string SqlOf(const ReleaseContent& content, const std::string& feature) {
  const auto digest = content.features.find(feature);
  if (digest == content.features.end()) return "";
  const auto sql = content.blobs.find(digest->second);
  return sql == content.blobs.end() ? "" : sql->second;
}

std::vector<FeatureChange> DiffFeatures(const ReleaseContent& before, const ReleaseContent& after) {
  std::map<std::string, ChangeKind> changes;
  for (const auto& [name, digest] : before.features) {
    const auto now = after.features.find(name);
    if (now == after.features.end()) {
      changes[name] = ChangeKind::kRemoved;
    } else if (now->second != digest) {
      changes[name] = ChangeKind::kChanged;
    }
  }
  for (const auto& [name, digest] : after.features) {
    if (!before.features.contains(name)) changes[name] = ChangeKind::kAdded;
  }
  std::vector<FeatureChange> list;
  for (const auto& [name, change] : changes) {
    const auto was = LinesOf(SqlOf(before, name));
    const auto is = LinesOf(SqlOf(after, name));
    list.push_back({name, change, LinesOnlyIn(is, was), LinesOnlyIn(was, is)});
  }
  return list;
}

bool IsWordIn(std::string_view word, std::string_view text) {
  const auto is_part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_part(text[at - 1])) && (end == text.size() || !is_part(text[end]))) {
      return true;
    }
  }
  return false;
}

bool Has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Fields that rules read, as far as their text says.
std::vector<std::string> FieldsOfRules(const Items& rules, const ReleaseDiff& diff) {
  std::vector<std::string> used;
  for (const ItemChange& field : diff.fields) {
    bool is_used = Has({kAlwaysUsed.begin(), kAlwaysUsed.end()}, field.name);
    for (const auto& [name, keys] : rules) {
      for (const char* key : {"field", "fields"}) {
        const auto at = keys.find(key);
        is_used = is_used || (at != keys.end() && IsWordIn(field.name, at->second));
      }
    }
    if (is_used) used.push_back(field.name);
  }
  return used;
}

DualRun Downstream(const ReleaseContent& after, const Items& rules, const ReleaseDiff& diff) {
  DualRun run;
  const auto safety = [&](std::string why) {
    run.safety = true;
    run.because.push_back(std::move(why));
  };
  if (Has(diff.changed, "rules")) {
    safety(diff.rules.empty() ? "safety: the text of rules.yaml changed, no rule did"
                              : fmt::format("safety: {} of its rules differ", diff.rules.size()));
  }
  if (Has(diff.changed, "engine")) safety("safety: the engine is another program");
  for (const std::string& field : FieldsOfRules(rules, diff)) {
    safety(fmt::format("safety: rules read the field {}, which changed", field));
  }
  if (!diff.transforms.empty()) {
    run.telemetry = true;
    run.because.push_back(
        fmt::format("telemetry: {} columns are made otherwise", diff.transforms.size()));
  }
  for (const auto& [name, digest] : after.features) {
    const std::string sql = SqlOf(after, name);
    const bool has_changed =
        std::any_of(diff.features.begin(), diff.features.end(),
                    [&](const FeatureChange& one) { return one.name == name; });
    const auto column =
        std::find_if(diff.transforms.begin(), diff.transforms.end(),
                     [&](const ItemChange& one) { return IsWordIn(one.name, sql); });
    if (!has_changed && column == diff.transforms.end()) continue;
    run.features.push_back(name);
    run.because.push_back(has_changed
                              ? fmt::format("feature {}: its SQL is new or differs", name)
                              : fmt::format("feature {}: it reads the column {}, which is made "
                                            "otherwise",
                                            name, column->name));
  }
  return run;
}

json ToJson(const std::vector<ItemChange>& items) {
  json list = json::array();
  for (const ItemChange& item : items) {
    json keys = json::array();
    for (const KeyChange& key : item.keys) {
      keys.push_back({{"key", key.key}, {"before", key.before}, {"after", key.after}});
    }
    list.push_back({{"name", item.name}, {"change", ChangeName(item.change)}, {"keys", keys}});
  }
  return list;
}

}  // namespace

std::string_view VerdictName(Compatibility::Verdict verdict) {
  constexpr std::array<std::string_view, 4> kNames = {"same", "accepted", "rejected",
                                                      "could_not_judge"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

Result<ReleaseDiff> DiffReleases(const ReleaseContent& before, const ReleaseContent& after) {
  ReleaseDiff diff;
  diff.before = before.id();
  diff.after = after.id();
  diff.declaration = after.declaration;
  std::set<std::string> names;
  for (const auto& [name, digest] : before.components) names.insert(name);
  for (const auto& [name, digest] : after.components) names.insert(name);
  for (const std::string& name : names) {
    const auto was = before.components.find(name);
    const auto is = after.components.find(name);
    if (was == before.components.end() || is == after.components.end() ||
        was->second != is->second) {
      diff.changed.push_back(name);
    }
  }
  for (const ReleaseContent* content : {&before, &after}) {
    if (content->Find("rules") == nullptr || content->Find("contract") == nullptr) {
      return Error{Code::kCorrupt, "a release without rules or contract"};
    }
  }
  ASSIGN_OR_RETURN(const Items rules_before, RulesAsItems(*before.Find("rules")));
  ASSIGN_OR_RETURN(const Items rules, RulesAsItems(*after.Find("rules")));
  diff.rules = DiffItems(rules_before, rules);
  const std::string& contract_before = *before.Find("contract");
  const std::string& contract_after = *after.Find("contract");
  if (contract_before != contract_after) {
    ASSIGN_OR_RETURN(const auto was, contract::Contract::FromDescriptorSet(contract_before));
    ASSIGN_OR_RETURN(const auto is, contract::Contract::FromDescriptorSet(contract_after));
    diff.fields = DiffItems(FieldsAsItems(*was), FieldsAsItems(*is));
    diff.transforms = DiffItems(TransformsAsItems(*was), TransformsAsItems(*is));
    diff.compatibility = JudgeContracts(contract_before, contract_after);
  }
  // An older release does not name them, but its contract has them.
  if (diff.transforms.empty()) std::erase(diff.changed, "transforms");
  diff.features = DiffFeatures(before, after);
  diff.dual_run = Downstream(after, rules, diff);
  return diff;
}

json ToJson(const ReleaseDiff& diff) {
  json features = json::array();
  for (const FeatureChange& feature : diff.features) {
    features.push_back({{"name", feature.name},
                        {"change", ChangeName(feature.change)},
                        {"lines_added", feature.lines_added},
                        {"lines_removed", feature.lines_removed}});
  }
  return {{"before", diff.before},
          {"after", diff.after},
          {"changed", diff.changed},
          {"rules", ToJson(diff.rules)},
          {"contract",
           {{"verdict", VerdictName(diff.compatibility.verdict)},
            {"findings", diff.compatibility.findings},
            {"fields", ToJson(diff.fields)}}},
          {"transforms", ToJson(diff.transforms)},
          {"features", features},
          {"declared", ToJson(diff.declaration)},
          {"dual_run",
           {{"safety", diff.dual_run.safety},
            {"telemetry", diff.dual_run.telemetry},
            {"features", diff.dual_run.features},
            {"because", diff.dual_run.because}}}};
}

}  // namespace telltale::control
