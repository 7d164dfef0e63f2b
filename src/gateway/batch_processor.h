// From a PUBLISH's payload to records: split, derive, seal, quarantine, stage. One per shard
// thread. Decides everything by its arguments; the log, the seal and the clock come in from
// outside.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "base/cell.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/limits.h"
#include "contract/contract.h"
#include "gateway/content_key.h"
#include "gateway/contracts_in_use.h"
#include "gateway/streams.h"
#include "gateway/unknown_tally.h"
#include "gateway/vehicle.h"
#include "log/log.h"
#include "seal/seal.h"

namespace telltale::gateway {

class BatchProcessor {
 public:
  struct Options {
    std::uint16_t partitions = kPartitionsDefault;
    int cell_level = kFinestCellLevel;  // finer is a CHECK: configuration refuses it before
    bool safety_always = false;         // safety fields are kept where a vehicle's behaviour is off
  };
  struct Parts {
    log::ShardWriter& writer;
    seal::Sealer& sealer;
    Clock& clock;
    Counters& counters;
    UnknownTally* unknown = nullptr;  // may be null: not told by number
  };
  BatchProcessor(Options options, Parts parts, ContentKey content_key);
  ~BatchProcessor();

  // From now on. Call on the shard's thread, right after the config record is staged.
  void UseContracts(ContractsInUse contracts);

  // Stages everything `payload` turns into and returns the number of the commit that carries it; 0
  // when there is nothing to write (a batch without reports). A refused report or batch is staged
  // as quarantine and is no error: the sender gets its acknowledgement.
  //   kOverloaded   nothing staged, nothing counted; the same payload again after a commit
  //   kUnavailable  disk or crypto failed, or the vault has no valid transport key: the payload
  //                 must not be acknowledged
  Result<CommitNumber> Process(const Vehicle& vehicle, ByteSpan payload, std::uint8_t qos);
  // Of the last kUnavailable: kNoTransportKey or kStorage.
  Reason unwritten_reason() const {
    return parts_.sealer.lacks_key() ? Reason::kNoTransportKey : Reason::kStorage;
  }

 private:
  struct Tally;
  struct Counts;

  void ChooseContract(const VehicleRef& vehicle);
  void OnHead(const contract::BatchHead& head);
  void OnReport(const contract::SplitReport& report);
  void AddOpen(const contract::SplitReport& report, const log::RecordHeader& header);
  void Derive(const contract::SplitReport& report);
  void DerivePlace(const contract::SplitReport& report);
  bool IsOff(std::uint8_t choice) const { return (vehicle_.choice_off & choice) != 0; }
  void Quarantine(ByteSpan raw, std::uint64_t seq, std::uint64_t content_hash, Reason reason);
  void AddSealed(const contract::SplitReport& report, const log::RecordHeader& header);
  Status SealEntries();
  Result<CommitNumber> Stage();
  void Count(std::uint8_t qos, std::size_t payload_bytes);

  const Options options_;
  Parts parts_;
  const ContentKey content_key_;
  ContractsInUse contracts_;
  std::unique_ptr<contract::Splitter> first_splitter_;
  std::unique_ptr<contract::Splitter> next_splitter_;  // null: no next contract
  std::unique_ptr<Counts> counts_;

  // Of the batch under way; kept between batches for their memory.
  contract::Splitter* splitter_ = nullptr;
  std::uint32_t contract_number_ = 0;
  std::array<log::BatchBuilder, kStreamCount> builders_;
  std::unique_ptr<Tally> tally_;
  Vehicle vehicle_;
  BootId boot_;
  std::string firmware_;
  Micros receipt_;
  std::string previous_boot_block_;  // empty: none, or already written
  std::string derived_;
  std::string payload_;
  // What is to be sealed of the batch: its entries, and the header of the first of them.
  struct Sealing {
    seal::Binding::Kind kind;
    std::string plaintext;
    log::RecordHeader header;
  };
  std::array<Sealing, 2> sealing_;  // sealed fields, unknown fields
  std::string envelope_;
  std::vector<contract::UnknownField> unknown_fields_;
  Status failure_;
};

}  // namespace telltale::gateway
