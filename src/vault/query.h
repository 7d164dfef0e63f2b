// A vehicle's rows out of the store: the only place between access/ and the store.
#pragma once

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/counters.h"
#include "vault/access/door.h"
#include "vault/decode.h"
#include "vault/store.h"

namespace telltale::vault {

// Any thread; all state is in the store.
class StoreRows final : public RowSource {
 public:
  StoreRows(Store& store, Decoder& decoder, Clock& clock, Counters& counters)
      : store_(store), decoder_(decoder), clock_(clock), counters_(counters) {}

  //   kTooBig  over kRowsMax, repeats left out
  Status Rows(const RowQuery& query, RowStats& stats, const TakeRow& take) override;

 private:
  struct Seen;
  struct Row;
  nlohmann::json RowOf(const Frame& frame, const FrameEntry& entry);
  Status TakeHour(const RowQuery& query, std::span<const FrameRef> refs, Seen& seen,
                  const TakeRow& take);
  Status AddFrame(const RowQuery& query, const Frame& frame, Seen& seen, std::vector<Row>& rows);

  Store& store_;
  Decoder& decoder_;
  Clock& clock_;
  Counters& counters_;
};

}  // namespace telltale::vault
