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
#include "gateway/streams.h"
#include "gateway/vehicle.h"
#include "log/log.h"
#include "seal/seal.h"

namespace telltale::gateway {

class BatchProcessor {
 public:
  struct Options {
    std::uint16_t partitions = kPartitionsDefault;
    int cell_level = kFinestCellLevel;  // finer is a CHECK: configuration refuses it before
  };
  struct Parts {
    log::ShardWriter& writer;
    seal::Sealer& sealer;
    Clock& clock;
    Counters& counters;
  };
  BatchProcessor(Options options, Parts parts, ContentKey content_key);
  ~BatchProcessor();

  // From now on. Call on the shard's thread, right after the config record is staged.
  void UseContract(std::shared_ptr<const contract::Contract> contract, std::uint32_t number);

  // Stages everything `payload` turns into and returns the number of the commit that carries it; 0
  // when there is nothing to write (a batch without reports). A refused report or batch is staged
  // as quarantine and is no error: the sender gets its acknowledgement.
  //   kOverloaded   nothing staged, nothing counted; the same payload again after a commit
  //   kUnavailable  disk or crypto failed: the payload must not be acknowledged
  Result<CommitNumber> Process(const Vehicle& vehicle, ByteSpan payload, std::uint8_t qos);

 private:
  struct Tally;
  struct Counts;

  void OnHead(const contract::BatchHead& head);
  void OnReport(const contract::SplitReport& report);
  void AddOpen(const contract::SplitReport& report, const log::RecordHeader& header);
  void Derive(const contract::SplitReport& report);
  void Quarantine(ByteSpan raw, std::uint64_t seq, std::uint64_t content_hash, Reason reason);
  Status SealEntries();
  Result<CommitNumber> Stage();
  void Count(std::uint8_t qos, std::size_t payload_bytes);

  const Options options_;
  Parts parts_;
  const ContentKey content_key_;
  std::shared_ptr<const contract::Contract> contract_;
  std::unique_ptr<contract::Splitter> splitter_;
  std::uint32_t contract_number_ = 0;
  std::unique_ptr<Counts> counts_;

  // Of the batch under way; kept between batches for their memory.
  std::array<log::BatchBuilder, kStreamCount> builders_;
  std::unique_ptr<Tally> tally_;
  Vehicle vehicle_;
  BootId boot_;
  std::string firmware_;
  Micros receipt_;
  std::string previous_boot_block_;  // empty: none, or already written
  std::string derived_;
  std::string payload_;
  std::string plaintext_;
  std::string envelope_;
  log::RecordHeader sealed_header_;
  Status failure_;
};

}  // namespace telltale::gateway
