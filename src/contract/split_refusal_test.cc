// Hostile and broken input: which report or batch is refused, why, and what its neighbours lose.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "contract/report_oracle.h"

namespace telltale::contract {
namespace {

using namespace testing;  // NOLINT: the oracle's vocabulary

struct RefusedReport {
  const char* name;
  std::string bytes;
  Reason reason;
};

std::vector<RefusedReport> RefusedReports() {
  const std::string id = Identity();
  const std::string long_varint(9, '\x80');
  return {
      {"group start", id + "\xa3\x38\x08\x01\xa4\x38", Reason::kReportMalformed},
      {"group end alone", id + "\xa4\x38", Reason::kReportMalformed},
      {"wire type 6", id + "\x56\x01", Reason::kReportMalformed},
      {"wire type 7", id + "\x57\x01", Reason::kReportMalformed},
      {"field number 0", id + std::string("\x00\x01", 2), Reason::kReportMalformed},
      {"tag over 32 bits", id + "\xff\xff\xff\xff\x7f\x01", Reason::kReportMalformed},
      {"tag cut", id + "\xff", Reason::kReportMalformed},
      {"varint of 11 bytes", id + "\x88\x08" + long_varint + "\x80\x01", Reason::kReportMalformed},
      {"varint over 64 bits", id + "\x88\x08" + long_varint + "\x02", Reason::kReportMalformed},
      {"varint cut", id + "\x88\x08\x80", Reason::kReportMalformed},
      {"value absent", id + "\x55", Reason::kReportMalformed},
      {"fixed32 cut", id + "\x55\x01\x02", Reason::kReportMalformed},
      {"fixed64 cut", id + Fixed<double>(160, 1.0).substr(0, 8), Reason::kReportMalformed},
      {"length beyond the end", id + "\xe2\x08\x05P03", Reason::kReportMalformed},
      {"length of 2^63", id + "\xe2\x08" + long_varint + "\x01", Reason::kReportMalformed},
      {"nested length beyond", id + Delimited(140, "\x0a\x09P"), Reason::kReportMalformed},
      {"nested group", id + Delimited(140, "\x0b\x0c"), Reason::kReportMalformed},
      {"nested twice, cut", id + Delimited(140, Delimited(4, "\x0d\x01")),
       Reason::kReportMalformed},
      {"packed numbers cut", id + Delimited(84, "\x05\x80"), Reason::kReportMalformed},
      {"seq as fixed64", Fixed<std::uint64_t>(1, 7) + Varint(2, 1), Reason::kMissingSeq},
      {"no seq", Varint(2, 1), Reason::kMissingSeq},
      {"no event time", Varint(1, 7), Reason::kMissingEventTime},
      {"empty", "", Reason::kMissingSeq},
      {"too big", id + Delimited(900, std::string(kReportBytesMax, 'x')), Reason::kReportTooBig},
  };
}

class RefusalTest : public ::testing::Test {
 protected:
  Reason RefusedBatch(const std::string& batch) {
    int calls = 0;
    const Status status = splitter_.Split(
        AsBytes(batch), 0, [&](const BatchHead&) { ++calls; },
        [&](const SplitReport&) { ++calls; });
    EXPECT_EQ(calls, status.ok() ? calls : 0) << "a refused batch must call nothing";
    if (!status.ok()) {
      EXPECT_EQ(status.error().code, Code::kInvalid);
    }
    return splitter_.reason();
  }
  BatchHead ReadHead(const std::string& batch) {
    BatchHead found;
    const Status status = splitter_.Split(
        AsBytes(batch), 0, [&](const BatchHead& head) { found = head; }, [](const SplitReport&) {});
    EXPECT_TRUE(status.ok());
    return found;
  }
  Splitter splitter_{Load(ShippedFiles())};
};

TEST_F(RefusalTest, ABadReportIsRefusedWithItsReasonAndCostsNoNeighbour) {
  const std::string good = Identity(1) + Fixed<float>(10, 1.0f);
  for (const RefusedReport& bad : RefusedReports()) {
    const auto kept = SplitAll(splitter_, Batch({good, bad.bytes, good}));
    ASSERT_EQ(kept.size(), 3u) << bad.name;
    EXPECT_EQ(kept[1].report.refused, bad.reason) << bad.name;
    EXPECT_EQ(kept[1].raw, bad.bytes) << bad.name;
    EXPECT_EQ(kept[1].safety + kept[1].telemetry + kept[1].sealed + kept[1].unknown, "")
        << bad.name;
    for (const int neighbour : {0, 2}) {
      EXPECT_EQ(kept[static_cast<std::size_t>(neighbour)].report.refused, Reason::kNone)
          << bad.name;
      EXPECT_EQ(kept[static_cast<std::size_t>(neighbour)].telemetry, Fixed<float>(10, 1.0f));
    }
  }
}

TEST_F(RefusalTest, ARefusedReportSaysItsSeqWhenItWasReadable) {
  const auto kept = SplitAll(splitter_, Batch({Identity(99) + "\xff"}));
  EXPECT_EQ(kept.at(0).report.refused, Reason::kReportMalformed);
  EXPECT_EQ(kept.at(0).report.seq, 99u);
  EXPECT_FALSE(kept.at(0).report.latitude_deg.has_value());
}

TEST_F(RefusalTest, AReportOfTheLargestSizeIsAccepted) {
  const std::string id = Identity();
  // Tag and length of the padding take 5 bytes.
  const std::string largest =
      id + Delimited(900, std::string(kReportBytesMax - id.size() - 5, 'x'));
  ASSERT_EQ(largest.size(), kReportBytesMax);
  EXPECT_EQ(SplitAll(splitter_, Batch({largest})).at(0).report.refused, Reason::kNone);
}

TEST_F(RefusalTest, ABatchThatIsNoneIsRefusedWhole) {
  const std::string report = Delimited(10, Identity());
  const std::string bad[] = {
      "",
      "hello",
      report,                                              // no boot
      Varint(1, 5) + report,                               // half a boot
      Fixed<std::uint64_t>(2, 5) + report,                 // the other half
      Head() + Varint(10, 1),                              // reports as varint
      Head() + "\x52\x05" + "ab",                          // a report cut
      Fixed<float>(1, 1) + Fixed<std::uint64_t>(2, 5),     // boot_counter as fixed32
      Varint(1, 1ull << 32) + Fixed<std::uint64_t>(2, 5),  // over 32 bits
      Varint(1, 1) + Varint(2, 5),                         // boot_random as varint
      Head() + Varint(5, 5),                               // previous_boot_random too
      Head() + "\x63\x64",                                 // a group
      Head() + Delimited(3, std::string(65, 'x')),         // firmware too long
      Head() + Delimited(3, "2.0\n"),                      // not printable
      Head() + Delimited(3, "2.0\xc3\xa9"),                // not ASCII
  };
  for (const std::string& batch : bad) {
    EXPECT_EQ(RefusedBatch(batch), Reason::kBatchMalformed) << HexEncode(batch);
  }
}

TEST_F(RefusalTest, ABatchOverTheLimitOfReportsIsRefusedWhole) {
  std::vector<std::string> reports(kReportsPerBatchMax, Identity());
  EXPECT_EQ(RefusedBatch(Batch(reports)), Reason::kNone);
  reports.push_back(Identity());
  EXPECT_EQ(RefusedBatch(Batch(reports)), Reason::kTooManyReports);
}

TEST_F(RefusalTest, ABatchAfterARefusedOneIsSplitAsIfItWereTheFirst) {
  EXPECT_EQ(RefusedBatch(Head() + Varint(4, 1) + Varint(10, 1)), Reason::kBatchMalformed);
  EXPECT_FALSE(ReadHead(Head()).previous_boot.has_value());
  const auto kept = SplitAll(splitter_, Batch({Identity(3)}));
  EXPECT_EQ(kept.size(), 1u);
  EXPECT_EQ(splitter_.reason(), Reason::kNone);
}

TEST_F(RefusalTest, TheHeadIsReadInAnyOrderAndUnknownFieldsOfTheBatchAreCounted) {
  const std::string batch = Delimited(10, Identity()) + Varint(6, 41) + Delimited(77, "x") +
                            Fixed<std::uint64_t>(5, 9) + Head() + Varint(4, 4) + Varint(8, 1);
  const BatchHead head = ReadHead(batch);
  EXPECT_EQ(head.boot, (BootId{5, 0x0123456789abcdef}));
  EXPECT_EQ(head.firmware, "2.0.0");
  EXPECT_EQ(head.previous_boot, (BootId{4, 9}));
  EXPECT_EQ(head.previous_last_seq, 41u);
  EXPECT_EQ(head.unknown_fields, 2u);
}

TEST_F(RefusalTest, APreviousBootIsNamedWholeOrNotAtAll) {
  const std::string parts[] = {Varint(4, 4), Fixed<std::uint64_t>(5, 9), Varint(6, 41)};
  for (int mask = 0; mask < 7; ++mask) {
    std::string batch = Head();
    for (int part = 0; part < 3; ++part) {
      if (mask & (1 << part)) batch += parts[part];
    }
    EXPECT_FALSE(ReadHead(batch).previous_boot.has_value()) << mask;
    EXPECT_EQ(ReadHead(batch).previous_last_seq, 0u) << mask;
  }
}

TEST_F(RefusalTest, ABatchWithoutFirmwareOrReportsIsAccepted) {
  const BatchHead head = ReadHead(Varint(1, 5) + Fixed<std::uint64_t>(2, 6));
  EXPECT_EQ(head.boot, (BootId{5, 6}));
  EXPECT_EQ(head.firmware, "");
}

// Every prefix and every single-bit flip of a real batch: an answer, never a crash.
TEST_F(RefusalTest, CutAndFlippedBatchesAreAnswered) {
  const auto contract = Load(ShippedFiles());
  const Oracle oracle(contract);
  RandomReports reports(oracle, 5);
  const std::string batch = Batch({reports.Next(4, true)->SerializeAsString()});
  for (std::size_t cut = 0; cut < batch.size(); ++cut) RefusedBatch(batch.substr(0, cut));
  for (std::size_t bit = 0; bit < batch.size() * 8; ++bit) {
    std::string flipped = batch;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    RefusedBatch(flipped);
  }
}

}  // namespace
}  // namespace telltale::contract
