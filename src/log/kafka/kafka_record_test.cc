#include "log/kafka/kafka_record.h"

#include <gtest/gtest.h>

#include "log/log_testing.h"

namespace telltale::log::kafka {
namespace {

std::vector<std::string> MessagesOf(const BatchBuilder& batch, PartitionTail& tail) {
  std::vector<std::string> values;
  std::string value;
  for (MessageWriter writer(batch); writer.Next(tail, value);) values.push_back(value);
  return values;
}

BatchBuilder DataAndTick() {
  BatchBuilder batch(PartitionId{1});
  RecordHeader header;
  header.receipt_time = Micros{2000};
  header.contract_number = 9;
  batch.Add(header, "1.0", AsBytes(std::string_view("payload")));
  header.kind = RecordKind::kTick;
  header.receipt_time = Micros{1500};
  batch.Add(header, "", {});
  return batch;
}

TEST(KafkaRecordTest, EachRecordIsAMessageAndTheTailMovesBehindIt) {
  PartitionTail tail{Offset{5}, Micros{1000}, Micros{}};
  const BatchBuilder batch = DataAndTick();
  const auto values = MessagesOf(batch, tail);
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(tail.next, Offset{7});
  EXPECT_EQ(tail.log_time, Micros{2000});
  EXPECT_EQ(tail.last_data, Micros{2000});
  EXPECT_EQ(SizesOf(batch).total, values[0].size() + values[1].size());
  EXPECT_EQ(SizesOf(batch).largest, values[0].size());

  RecordView view;
  Micros last_data;
  ASSERT_TRUE(DecodeRecord(AsBytes(values[0]), view, last_data).ok());
  EXPECT_EQ(view.firmware, "1.0");
  EXPECT_EQ(AsText(view.payload), "payload");
  EXPECT_EQ(view.log_time, Micros{2000});
  EXPECT_EQ(last_data, Micros{2000});
  ASSERT_TRUE(DecodeRecord(AsBytes(values[1]), view, last_data).ok());
  EXPECT_EQ(view.header.kind, RecordKind::kTick);
  EXPECT_EQ(view.log_time, Micros{2000});  // the latest receipt, not its own
  EXPECT_EQ(view.header.receipt_time, Micros{1500});
  EXPECT_EQ(last_data, Micros{2000});
}

// docs/formats/kafka-record.md, byte by byte: a change of these is a change of the format.
TEST(KafkaRecordTest, TheHeadIsAsThePageSays) {
  PartitionTail tail;
  const auto values = MessagesOf(DataAndTick(), tail);
  EXPECT_EQ(HexEncode(values[0].substr(0, 19)),
            "544b"
            "01"
            "01"
            "01"
            "03"
            "1000"
            "d007000000000000"
            "312e30");
  EXPECT_EQ(HexEncode(values[1].substr(0, 24)),
            "544b"
            "01"
            "01"
            "01"
            "00"
            "1800"
            "d007000000000000"
            "d007000000000000");
  EXPECT_EQ(HexEncode(EncodeShape({4, {"s"}})),
            "544b"
            "01"
            "01"
            "02"
            "00"
            "1000"
            "0000000000000000"
            "0400"
            "0100"
            "01000000"
            "73");
  const Log::LedgerEntry entry{1, PartitionId{2}, Offset{3}, ConfigSeq{4}, "d"};
  EXPECT_EQ(HexEncode(EncodeLedger({&entry, 1})),
            "544b"
            "01"
            "01"
            "03"
            "00"
            "1000"
            "0000000000000000"
            "01000000"
            "0100"
            "0200"
            "0300000000000000"
            "0400000000000000"
            "01000000"
            "64");
}

TEST(KafkaRecordTest, EveryCutIsCorruptAndANewerReaderIsAskedFor) {
  PartitionTail tail;
  const auto values = MessagesOf(DataAndTick(), tail);
  RecordView view;
  Micros last_data;
  for (const std::string& value : values) {
    for (std::size_t n = 0; n < value.size(); ++n) {
      const Status read = DecodeRecord(AsBytes(value).first(n), view, last_data);
      ASSERT_FALSE(read.ok()) << n;
      EXPECT_EQ(read.error().code, Code::kCorrupt) << n;
    }
    std::string newer = value;
    newer[2] = newer[3] = 2;
    EXPECT_EQ(DecodeRecord(AsBytes(newer), view, last_data).error().code, Code::kUnsupported);
    newer[3] = 1;  // a newer writer that this reader understands
    EXPECT_TRUE(DecodeRecord(AsBytes(newer), view, last_data).ok());
    EXPECT_FALSE(DecodeRecord(AsBytes(value + "x"), view, last_data).ok());
  }
}

TEST(KafkaRecordTest, LedgerMessagesComeBack) {
  const Shape shape{64, {"safety", "telemetry"}};
  EXPECT_EQ(DecodeLedgerMessage(AsBytes(EncodeShape(shape)))->shape, shape);
  const Log::LedgerEntry entry{1, PartitionId{2}, Offset{3}, ConfigSeq{4}, "d"};
  const std::string block = EncodeLedger({&entry, 1});
  const auto read = DecodeLedgerMessage(AsBytes(block));
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->entries.size(), 1u);
  EXPECT_EQ(read->entries[0].offset, Offset{3});
  for (std::size_t n = 0; n < block.size(); ++n) {
    EXPECT_EQ(DecodeLedgerMessage(AsBytes(block).first(n)).error().code, Code::kCorrupt) << n;
  }
  RecordView view;
  Micros last_data;
  EXPECT_EQ(DecodeRecord(AsBytes(block), view, last_data).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace telltale::log::kafka
