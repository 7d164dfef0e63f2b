// Any bytes as a message: an answer, and what was read is written again to the same.
#include "log/kafka/kafka_record.h"

namespace telltale::log::kafka {

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan value(data, size);
  RecordView view;
  Micros last_data;
  if (DecodeRecord(value, view, last_data).ok() && view.log_time == view.header.receipt_time) {
    BatchBuilder batch;
    batch.Add(view.header, view.firmware, view.payload);
    PartitionTail tail{{}, view.log_time, last_data};
    std::string again;
    CHECK(MessageWriter(batch).Next(tail, again));
    CHECK(again.size() == SizesOf(batch).total);
    RecordView second;
    Micros second_data;
    CHECK(DecodeRecord(AsBytes(again), second, second_data).ok());
    CHECK(second.firmware == view.firmware && second_data == last_data);
    CHECK(AsText(second.payload) == AsText(view.payload));
  }
  if (const auto ledger = DecodeLedgerMessage(value); ledger.ok() && !ledger->shape) {
    CHECK(DecodeLedgerMessage(AsBytes(EncodeLedger(ledger->entries))).ok());
  }
  return 0;
}

}  // namespace telltale::log::kafka
