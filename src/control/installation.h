// An environment as control reaches it: the folder of an installation on this machine, its log's
// owner and its publisher over their local sockets.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/disk.h"
#include "control/contracts.h"

namespace telltale::control {

// Who speaks for whom in one partition (internal/v1/local.proto, PartitionAuthority).
struct PartitionView {
  struct Lane {
    std::uint32_t lot_from = 0;
    std::uint32_t lot_to = 0;  // exclusive
    std::string release = {};
    std::uint64_t authority_epoch = 0;
    std::uint64_t first_offset = 0;
    std::uint64_t next_offset = 0;
  };
  struct Mark {
    std::string release = {};
    std::uint64_t below_offset = 0;
    Micros log_time = {};
    ConfigSeq config_seq = {};
    std::uint32_t lots = 0;
    Micros lots_since = {};
  };
  std::uint32_t partition = 0;
  std::uint64_t authority_epoch = 0;
  std::vector<Lane> lanes = {};
  std::string pending = {};  // why it is not as the config says; "" = it is
  std::vector<Mark> marks = {};
};

// What a release's worker cost where it ran, as `serve` says it (docs/operate.md,
// run/releases.json).
struct WorkerCost {
  std::string release = {};
  std::string place = {};  // "stable", "previous", "candidate"
  Micros cpu = {};         // user and system
  Micros cpu_since = {};   // when this count began at nothing
};

struct PublisherView {
  ConfigSeq config_seq = {};  // newest it took
  std::vector<PartitionView> partitions = {};
};

// Calls block for up to the seams' own timeouts. One thread at a time.
class Installation {
 public:
  virtual ~Installation() = default;

  // What the log's owner keeps, and all contracts that ever were. Errors of ReadContracts.
  virtual Result<Contracts> InForceNow() = 0;
  // Signs with the environment's own control key. Errors of SignConfig and of the key file.
  virtual Result<std::string> Sign(const InForce& config) = 0;
  // To the log's owner. Errors of SendConfig.
  virtual Status AppendToLog(std::string_view signed_config) = 0;
  // To the publisher, which takes it and makes its lanes agree before it answers.
  //   kUnavailable  not there, or no answer in time; otherwise what it answered
  virtual Result<PublisherView> Order(std::string_view signed_config) = 0;
  virtual Result<PublisherView> AskPublisher() = 0;
  // Empty where nobody says it.
  virtual std::vector<WorkerCost> WorkerCosts() { return {}; }
  // What the observer told last of a rollout (docs/formats/gate-evidence.md).
  //   kNotFound  nothing yet; kTooBig; errors of the disk
  virtual Result<std::string> GateEvidence(const std::string& rollout) {
    return Error{Code::kNotFound, "nobody observes " + rollout};
  }
  // What the observer is to count, durable when it returns. Errors of the disk.
  virtual Status WriteGateSettings(const std::string& rollout, std::string_view settings) {
    static_cast<void>(rollout);
    static_cast<void>(settings);
    return Ok();
  }
};

using InstallationOpener =
    std::function<Result<std::unique_ptr<Installation>>(const std::string& dir)>;

// The real one. `disk` must outlive it.
//   kNotFound  no such folder, or its keys are not there
Result<std::unique_ptr<Installation>> OpenLocalInstallation(Disk& disk, const std::string& dir);

}  // namespace telltale::control
