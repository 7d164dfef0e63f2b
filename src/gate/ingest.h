// Follows the stream `telemetry` for the exposure, never ahead of what is compared: otherwise a
// candidate that stands still would look as if vehicles drove without a difference. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/erasure_list.h"
#include "gate/exposure.h"
#include "gate/pairing.h"
#include "log/streams.h"

namespace telltale::gate {

class Ingest {
 public:
  // `streams` must outlive it. It begins where the config record of `began` lies.
  Ingest(log::Streams& streams, std::uint16_t shards, std::uint16_t partitions, ConfigSeq began);

  // Reads on in every shard, as far as `pairing` has come. True when more may be there. Never
  // fails: stopped() says why a shard is read no further.
  bool Read(const Pairing& pairing, const ErasureList& erased, std::size_t records_max);

  const ExposureTally& tally() const { return tally_; }
  std::optional<Micros> log_time() const;                // of the slowest shard; nullopt: not begun
  std::string_view stopped() const { return stopped_; }  // "" = all shards are read
  std::uint64_t unreadable() const { return unreadable_; }
  void Forget(const ErasureList& erased);

  void Encode(std::string& out) const;
  //   kCorrupt  then it is as before
  Status Restore(ByteReader& in);

 private:
  struct Shard {
    std::unique_ptr<log::Reader> reader = nullptr;
    std::optional<log::Position> begins = std::nullopt;  // as long as there is no reader
    std::optional<InputReport> held = std::nullopt;      // read, and not yet compared that far
    Micros log_time = Micros{INT64_MIN};
    bool is_stopped = false;
  };
  bool ReadShard(ShardId id, const Pairing& pairing, const ErasureList& erased,
                 std::size_t records_max);
  Status Open(ShardId id);
  Result<log::Position> PlaceOfBeginning() const;
  bool TakeHeld(Shard& shard, const Pairing& pairing, const ErasureList& erased);
  void Stop(Shard& shard, const Error& error);

  log::Streams& streams_;
  const std::uint16_t partitions_;
  const ConfigSeq began_;
  std::vector<Shard> shards_;
  ExposureTally tally_;
  std::string stopped_;
  std::uint64_t unreadable_ = 0;
};

}  // namespace telltale::gate
