// Config records at the log's owner: checked, kept durably, newest first at a start.
// Bytes: docs/formats/config-record.md. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/ids.h"
#include "contract/contract.h"
#include "gateway/contract_gate.h"
#include "gateway/contracts_in_use.h"

namespace telltale::internal::v1 {
class ConfigRecord;
}  // namespace telltale::internal::v1

namespace telltale::gateway {

// A config record that may be put in force.
struct CheckedConfig {
  ConfigSeq seq;
  std::string payload;  // SignedConfig, as received
  std::string digest;   // hex SHA-256 of `payload`, for the ledger
  ContractsInUse contracts;
};

class ConfigStore {
 public:
  struct Options {
    std::string folder;          // <log>/config
    std::string contracts;       // <data>/contracts
    std::string control_public;  // 32 raw bytes
  };
  ConfigStore(Disk& disk, Options options) : disk_(disk), options_(std::move(options)) {}

  // Says what is wrong when it may not be put in force:
  //   kInvalid    not a SignedConfig, no config_seq, a contract file that is no contract, or a
  //               next contract whose number is not above the first's
  //   kRefused    not signed by control, a contract that breaks an earlier one, other bytes than
  //               those kept under its config_seq, or a leader that another has followed
  //   kNotFound   the contract's file is missing
  //   kCorrupt    the contract's file is not what its name says
  Result<CheckedConfig> Check(std::string_view signed_config);

  // Durable when it returns ok. Keeping the same one again is fine.
  Status Keep(const CheckedConfig& config);

  // nullopt when none was ever kept. A kept one that no longer checks is an error, not skipped: the
  // log may hold records under it.
  Result<std::optional<CheckedConfig>> Newest();

 private:
  // Of what was kept before a config with number `seq`, or with it.
  struct Kept {
    EarlierContracts earlier;                // of lower numbers
    std::uint64_t leader_epoch_max = 0;      // of other numbers
    std::optional<std::string> same_number;  // its bytes
  };
  Result<Kept> ReadKept(ConfigSeq seq);
  static Status CheckLeader(const CheckedConfig& config, std::uint64_t leader_epoch,
                            const Kept& kept);
  Result<CheckedConfig> CheckContracts(CheckedConfig config, const internal::v1::ConfigRecord&,
                                       EarlierContracts& earlier);
  Result<NumberedContract> LoadContract(std::uint32_t number, const std::string& digest,
                                        EarlierContracts& earlier);

  Disk& disk_;
  Options options_;
};

}  // namespace telltale::gateway
