// Carries an erasure through all stores, one line of the receipt after the other. What a store does
// comes in as a step, so that the order and the crashes can be tested without processes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/subject_job.h"
#include "base/clock.h"
#include "base/random.h"

namespace telltale::app {

// What a step is told of its job.
struct StepView {
  const ErasureJob& job;
  const JobLine& line;
  const VehicleRef* vehicle = nullptr;  // null once the reference was dropped
};

// What a step says of its store.
struct StoreAnswer {
  LineState state = LineState::kDone;
  std::map<std::string, std::int64_t> counts;  // added to those of the line
  std::string note;
  Micros due_by;
};

struct StoreStep {
  std::string store;
  // The reference stays in the job until every such line is closed.
  bool needs_vehicle = true;
  // Safe to repeat. An error leaves the line as it is, with the error in it; the others go on.
  std::function<Result<StoreAnswer>(const StepView&)> act;
};

struct ErasureRequest {
  VehicleRef vehicle;
  std::string basis;     // 1 to 200 characters
  std::string asked_by;  // who asks, as the system knows them
};

inline constexpr std::size_t kBasisCharactersMax = 200;

// One thread; the caller holds the lock of the jobs.
class Erasure {
 public:
  // The first step is the erasure list: unless it is done nothing else is tried, so that nothing
  // new is written of the vehicle once its data begins to go. All references must outlive this.
  Erasure(Disk& disk, Clock& clock, Random& random, const std::string& jobs_folder,
          std::vector<StoreStep> steps)
      : clock_(clock), random_(random), folder_(disk, jobs_folder), steps_(std::move(steps)) {}

  // The open or closed job of this vehicle, or a new one; durable, nothing else done yet.
  //   kInvalid  no basis, or one too long
  Result<ErasureJob> Begin(const ErasureRequest& request);
  // Tries every line that is not closed, and saves after each that changed. A failed step is no
  // error: it is in its line.
  //   of the disk: what was done is done; call again
  Status Resume(ErasureJob& job);
  // Of every open job.
  Status ResumeAll();

  JobFolder& folder() { return folder_; }

 private:
  Status Try(const StoreStep& step, ErasureJob& job, JobLine& line);
  bool CloseWhatIsDone(ErasureJob& job);

  Clock& clock_;
  Random& random_;
  JobFolder folder_;
  const std::vector<StoreStep> steps_;
};

// A line that a later try may still move: neither closed nor only waiting for a date.
bool HasWork(const ErasureJob& job, Micros now);

}  // namespace telltale::app
