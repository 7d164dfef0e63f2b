// One question to the vault: intent recorded, rows streamed, outcome recorded.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "base/counters.h"
#include "base/random.h"
#include "vault/decode.h"
#include "vault/store.h"

namespace telltale::vault {

inline constexpr std::size_t kPurposeCharactersMax = 200;
inline constexpr std::uint64_t kRowsMax = 2'000'000;  // of one answer

struct QueryRequest {
  VehicleRef vehicle;
  Micros from;  // event time, inclusive
  Micros to;    // exclusive
  std::string purpose;
  std::string case_id;
  FrameClass frame_class = FrameClass::kData;
  std::uint32_t uid = 0;  // the kernel's word

  //   kInvalid  names the key and what is allowed
  static Result<QueryRequest> Parse(const nlohmann::json& request, std::uint32_t uid);
};

// Takes one message of the answer; an error ends the answer.
using Send = std::function<Status(std::string_view)>;

// Any thread; all state is in the store.
class QueryDoor {
 public:
  QueryDoor(Store& store, Decoder& decoder, Clock& clock, Random& random, Counters& counters)
      : store_(store), decoder_(decoder), clock_(clock), random_(random), counters_(counters) {}

  // The error is the asker's to see; rows may have gone out before it.
  //   kUnavailable, kOverloaded, kCorrupt  the intent could not be recorded: no row has left
  //   kTooBig                              over kRowsMax: ask for a shorter interval
  Status Run(const QueryRequest& request, const Send& send);

 private:
  struct Answer;
  Status Stream(const QueryRequest& request, Answer& answer);
  nlohmann::json RowOf(const Frame& frame, const FrameEntry& entry);
  Status SendHour(const QueryRequest& request, std::span<const FrameRef> refs, Answer& answer);

  Store& store_;
  Decoder& decoder_;
  Clock& clock_;
  Random& random_;
  Counters& counters_;
};

}  // namespace telltale::vault
