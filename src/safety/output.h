// The bytes of the output journal (docs/formats/journal.md).
#pragma once

#include <array>
#include <string>

#include "log/record.h"
#include "safety/state.h"

namespace telltale::safety {

using OutputId = std::array<std::uint8_t, 16>;

OutputId MakeOutputId(std::string_view environment, std::string_view rule,
                      const VehicleRef& subject, BootId boot, std::uint64_t first_seq);

// Serialised JournalEntry of `output`, a consequence of `record`.
std::string EncodeOutput(std::string_view environment, const Rule& rule,
                         const log::RecordView& record, const Output& output);
// A mark: all outputs of `partition` for input offsets below `below`, where it is in `state`, are
// written.
std::string EncodeProgress(PartitionId partition, Offset below, const PartitionState& state);

}  // namespace telltale::safety
