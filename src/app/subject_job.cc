#include "app/subject_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::string_view kMagic = "telltale erasure job";
constexpr std::uint64_t kVersion = 1;
constexpr std::string_view kEnding = ".json";

struct Named {
  LineState state;
  std::string_view name;
};
constexpr Named kStates[] = {{LineState::kOpen, "open"},
                             {LineState::kDone, "done"},
                             {LineState::kAgesOut, "ages_out"},
                             {LineState::kHeld, "held"},
                             {LineState::kNotApplicable, "not_applicable"}};

bool IsHexOf(std::string_view text, std::size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

json ToJson(const JobLine& line) {
  json out{{"store", line.store},
           {"state", LineStateName(line.state)},
           {"changed_at_us", line.changed_at.value}};
  if (!line.counts.empty()) out["counts"] = line.counts;
  if (!line.note.empty()) out["note"] = line.note;
  if (!line.last_error.empty()) out["last_error"] = line.last_error;
  if (line.due_by != Micros{}) out["due_by_us"] = line.due_by.value;
  return out;
}

// Throws what nlohmann throws.
JobLine LineOf(const json& from) {
  JobLine line;
  line.store = from.at("store").get<std::string>();
  const std::string state = from.at("state").get<std::string>();
  const auto* const known = std::find_if(std::begin(kStates), std::end(kStates),
                                         [&](const Named& one) { return one.name == state; });
  // A state of a newer build is one that is not finished.
  line.state = known == std::end(kStates) ? LineState::kOpen : known->state;
  line.changed_at = Micros{from.value("changed_at_us", std::int64_t{0})};
  line.counts = from.value("counts", std::map<std::string, std::int64_t>());
  line.note = from.value("note", "");
  line.last_error = from.value("last_error", "");
  line.due_by = Micros{from.value("due_by_us", std::int64_t{0})};
  return line;
}

ErasureJob JobOf(const json& from) {
  ErasureJob job;
  job.id = from.at("job").get<std::string>();
  job.tag = from.at("tag").get<std::string>();
  job.vehicle_ref = from.value("vehicle_ref", "");
  job.basis = from.at("basis").get<std::string>();
  job.asked_by = from.at("asked_by").get<std::string>();
  job.asked_at = Micros{from.at("asked_at_us").get<std::int64_t>()};
  job.closed_at = Micros{from.value("closed_at_us", std::int64_t{0})};
  for (const json& line : from.at("lines")) job.lines.push_back(LineOf(line));
  return job;
}

}  // namespace

std::string_view LineStateName(LineState state) {
  return std::find_if(std::begin(kStates), std::end(kStates),
                      [state](const Named& one) { return one.state == state; })
      ->name;
}

const JobLine* ErasureJob::Find(std::string_view store) const {
  const auto found = std::find_if(lines.begin(), lines.end(),
                                  [store](const JobLine& line) { return line.store == store; });
  return found == lines.end() ? nullptr : &*found;
}

std::string EncodeJob(const ErasureJob& job) {
  json out{{"magic", kMagic},          {"version", kVersion},
           {"min_reader", kVersion},   {"job", job.id},
           {"tag", job.tag},           {"basis", job.basis},
           {"asked_by", job.asked_by}, {"asked_at_us", job.asked_at.value},
           {"lines", json::array()}};
  if (!job.vehicle_ref.empty()) out["vehicle_ref"] = job.vehicle_ref;
  if (job.closed()) out["closed_at_us"] = job.closed_at.value;
  for (const JobLine& line : job.lines) out["lines"].push_back(ToJson(line));
  return out.dump(1, ' ', true, json::error_handler_t::replace) + "\n";
}

Result<ErasureJob> DecodeJob(std::string_view text) {
  const json from = json::parse(text, nullptr, false);
  try {
    if (!from.is_object() || from.value("magic", "") != kMagic) {
      return Error{Code::kCorrupt, "not an erasure job"};
    }
    if (from.at("min_reader").get<std::uint64_t>() > kVersion) {
      return Error{Code::kUnsupported, "the erasure job needs a newer telltale"};
    }
    ErasureJob job = JobOf(from);
    if (!IsHexOf(job.id, 16) || !IsHexOf(job.tag, 64) ||
        (!job.vehicle_ref.empty() && !IsHexOf(job.vehicle_ref, 32))) {
      return Error{Code::kCorrupt, "an erasure job with an id that is none"};
    }
    return job;
  } catch (const json::exception&) {
    return Error{Code::kCorrupt, "an erasure job with a part missing or of the wrong type"};
  }
}

Status JobFolder::Save(const ErasureJob& job) {
  RETURN_IF_ERROR(disk_.MakeFolders(folder_, 0750));
  RETURN_IF_ERROR(disk_.SyncFolder(ParentFolder(folder_)));
  return WriteFileDurably(disk_, fmt::format("{}/{}{}", folder_, job.id, kEnding), EncodeJob(job),
                          0640);
}

Result<ErasureJob> JobFolder::Load(const std::string& id) {
  if (!IsHexOf(id, 16)) return Error{Code::kInvalid, "a job is named by 16 hex digits"};
  const std::string path = fmt::format("{}/{}{}", folder_, id, kEnding);
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk_, path, kJobBytesMax));
  auto job = DecodeJob(text);
  if (!job.ok()) return Annotate(job.error(), path);
  return job;
}

Result<std::vector<ErasureJob>> JobFolder::List() {
  std::vector<ErasureJob> jobs;
  const auto names = disk_.List(folder_);
  if (!names.ok() && names.error().code == Code::kNotFound) return jobs;
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    if (!name.ends_with(kEnding)) continue;  // a temporary file of a crash
    ASSIGN_OR_RETURN(ErasureJob job, Load(name.substr(0, name.size() - kEnding.size())));
    jobs.push_back(std::move(job));
  }
  std::sort(jobs.begin(), jobs.end(), [](const ErasureJob& a, const ErasureJob& b) {
    return std::pair(a.asked_at, a.id) < std::pair(b.asked_at, b.id);
  });
  return jobs;
}

}  // namespace telltale::app
