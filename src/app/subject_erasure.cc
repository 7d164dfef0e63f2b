#include "app/subject_erasure.h"

#include <algorithm>

#include "base/erasure_list.h"

namespace telltale::app {
namespace {

const StoreStep* StepOf(const std::vector<StoreStep>& steps, const std::string& store) {
  const auto found = std::find_if(steps.begin(), steps.end(),
                                  [&](const StoreStep& step) { return step.store == store; });
  return found == steps.end() ? nullptr : &*found;
}

bool IsPrintable(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

Result<ErasureJob> Erasure::Begin(const ErasureRequest& request) {
  if (request.basis.empty() || request.basis.size() > kBasisCharactersMax ||
      !IsPrintable(request.basis)) {
    return Error{Code::kInvalid, "--basis takes 1 to 200 printable characters: why it is erased"};
  }
  const std::string tag = HexEncode(ErasureTagOf(request.vehicle));
  ASSIGN_OR_RETURN(const std::vector<ErasureJob> jobs, folder_.List());
  for (const ErasureJob& job : jobs) {
    if (job.tag == tag) return job;
  }
  ErasureJob job{.id = {},
                 .tag = tag,
                 .vehicle_ref = request.vehicle.ToHex(),
                 .basis = request.basis,
                 .asked_by = request.asked_by,
                 .asked_at = clock_.NowUtc(),
                 .closed_at = {},
                 .lines = {}};
  std::array<std::uint8_t, 8> id{};
  random_.Fill(id);
  job.id = HexEncode(id);
  for (const StoreStep& step : steps_) {
    JobLine line;
    line.store = step.store;
    line.changed_at = job.asked_at;
    job.lines.push_back(std::move(line));
  }
  RETURN_IF_ERROR(folder_.Save(job));
  return job;
}

Status Erasure::Try(const StoreStep& step, ErasureJob& job, JobLine& line) {
  const auto vehicle = VehicleRef::FromHex(job.vehicle_ref);
  if (step.needs_vehicle && !vehicle.ok()) return Ok();
  const JobLine before = line;
  const auto answer = step.act({job, line, vehicle.ok() ? &*vehicle : nullptr});
  if (answer.ok()) {
    line.state = answer->state;
    for (const auto& [name, count] : answer->counts) line.counts[name] += count;
    line.note = answer->note;
    line.due_by = answer->due_by;
    line.last_error.clear();
  } else {
    line.last_error = answer.error().ToString();
  }
  if (line.state != before.state) line.changed_at = clock_.NowUtc();
  // Right after its line: what the job says is never more than what is done.
  const bool has_closed = CloseWhatIsDone(job);
  return has_closed || line != before ? folder_.Save(job) : Ok();
}

bool Erasure::CloseWhatIsDone(ErasureJob& job) {
  bool needs_vehicle = false;
  for (const JobLine& line : job.lines) {
    const StoreStep* step = StepOf(steps_, line.store);
    needs_vehicle = needs_vehicle || (!line.closed() && (step == nullptr || step->needs_vehicle));
  }
  bool has_changed = false;
  if (!needs_vehicle && !job.vehicle_ref.empty()) {
    job.vehicle_ref.clear();
    has_changed = true;
  }
  const bool all = std::all_of(job.lines.begin(), job.lines.end(),
                               [](const JobLine& line) { return line.closed(); });
  if (all && !job.closed()) {
    job.closed_at = clock_.NowUtc();
    has_changed = true;
  }
  return has_changed;
}

Status Erasure::Resume(ErasureJob& job) {
  // A store that this build knows and the job does not: begun by an older one.
  for (const StoreStep& step : steps_) {
    if (job.Find(step.store) != nullptr || job.closed() || job.vehicle_ref.empty()) continue;
    JobLine line;
    line.store = step.store;
    line.changed_at = clock_.NowUtc();
    job.lines.push_back(std::move(line));
  }
  for (JobLine& line : job.lines) {
    if (line.closed()) continue;
    const StoreStep* step = StepOf(steps_, line.store);
    if (step == nullptr) continue;  // of a newer build: it stays open
    RETURN_IF_ERROR(Try(*step, job, line));
    if (step == &steps_.front() && !line.closed()) break;
  }
  return Ok();
}

Status Erasure::ResumeAll() {
  ASSIGN_OR_RETURN(std::vector<ErasureJob> jobs, folder_.List());
  Status result = Ok();
  for (ErasureJob& job : jobs) {
    if (job.closed()) continue;
    const Status resumed = Resume(job);
    if (!resumed.ok()) result = resumed;
  }
  return result;
}

bool HasWork(const ErasureJob& job, Micros now) {
  return std::any_of(job.lines.begin(), job.lines.end(), [now](const JobLine& line) {
    return line.state == LineState::kOpen || line.state == LineState::kHeld ||
           (line.state == LineState::kAgesOut && line.due_by <= now);
  });
}

}  // namespace telltale::app
