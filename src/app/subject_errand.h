// `serve` sends somebody out now and then who goes on with open erasures.
#pragma once

#include <sys/types.h>

#include <string>

#include "app/process.h"
#include "base/clock.h"
#include "base/disk.h"

namespace telltale::app {

// While something is left to do soon: again after this, then after twice as long, and so on.
inline constexpr Micros kErrandPauseMin = Micros::Seconds(2);
inline constexpr Micros kErrandPauseMax = Micros::Seconds(600);

// Main thread only (process.h). The program it runs is `telltale subject resume`, as the platform's
// user; this process, which may be root, reads nothing but the names of the jobs.
class ErasureErrand {
 public:
  // References must outlive it.
  ErasureErrand(Disk& disk, const Clock& clock, std::string jobs_folder, Program program)
      : disk_(disk),
        clock_(clock),
        jobs_folder_(std::move(jobs_folder)),
        program_(std::move(program)) {}
  ~ErasureErrand();
  ErasureErrand(const ErasureErrand&) = delete;
  ErasureErrand& operator=(const ErasureErrand&) = delete;

  // Call every 100 ms or so.
  void Look();

 private:
  void Start();
  void Reap();

  Disk& disk_;
  const Clock& clock_;
  const std::string jobs_folder_;
  const Program program_;
  pid_t pid_ = 0;  // 0 = not running
  std::size_t jobs_ = 0;
  Micros pause_ = kErrandPauseMin;
  Micros look_at_;  // monotonic, like the next
  Micros due_at_;
};

}  // namespace telltale::app
