// Plants one fault at a time in an installation and expects exactly that to be found.
#include "app/doctor.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app/doctor_identities.h"
#include "app/doctor_strays.h"
#include "app/doctor_testing.h"
#include "base/checksum.h"
#include "internal/v1/internal.pb.h"

namespace telltale::app {
namespace {

using enum FindingKind;
TEST_F(DoctorTest, AHealthyInstallationGivesNothingInOnePassOrInMany) {
  for (std::uint64_t i = 0; i < 5; ++i) {
    Append({.first_seq = i * 50, .count = 50, .receipt_us = 1000 + static_cast<int>(i)});
  }
  ExpectOnly({});
  const DoctorReport report = Look("", 10);
  EXPECT_TRUE(report.kinds().empty()) << report.ToText(false);
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_EQ(report.looked_at().at("telemetry records"), 250u);
  EXPECT_EQ(report.looked_at().at("sealed records"), 5u);
}

TEST_F(DoctorTest, SafetyWithoutTelemetryIsAnOrphanOnceTheCarWentOn) {
  Append({.first_seq = 0, .receipt_us = 1000});
  Append({.first_seq = 1, .count = 2, .receipt_us = 2000, .telemetry = false, .sealed = false});
  ExpectOnly({kResendPending}, 2);
  EXPECT_EQ(Look().exit_code(), 0);
  Append({.first_seq = 3, .receipt_us = 3000});
  ExpectOnly({kOrphanSafety}, 2);
  const DoctorReport report = Look();
  EXPECT_EQ(report.exit_code(), 1);
  const auto& seqs = report.examples(kOrphanSafety).front().seqs;
  ASSERT_TRUE(seqs.has_value());
  EXPECT_EQ(seqs->vehicle, vehicle_);
  EXPECT_EQ(seqs->first, 1u);
  EXPECT_EQ(seqs->last, 2u);
}

TEST_F(DoctorTest, AnOrphanThatWasSentAgainIsARepeat) {
  Append({.first_seq = 0, .receipt_us = 1000, .telemetry = false, .sealed = false});
  Append({.first_seq = 0, .receipt_us = 2000});
  ExpectOnly({kRepeat});
  EXPECT_EQ(Look().exit_code(), 0);
}

TEST_F(DoctorTest, TelemetryWithAPlaceButWithoutItsSealedRecordIsAnOrphan) {
  Append({.first_seq = 0, .count = 3, .receipt_us = 1000, .sealed = false});
  ExpectOnly({kResendPending}, 3);
  Append({.first_seq = 3, .receipt_us = 2000});
  ExpectOnly({kOrphanTelemetry}, 3);
}

TEST_F(DoctorTest, TelemetryWhoseRepeatHasItsSealedRecordIsCovered) {
  Append({.first_seq = 0, .receipt_us = 1000, .safety = false, .sealed = false});
  Append({.first_seq = 0, .receipt_us = 2000, .safety = false});
  ExpectOnly({kRepeat});
}

TEST_F(DoctorTest, SealedWithoutTelemetryIsAnOrphan) {
  Append({.first_seq = 0, .receipt_us = 1000});
  Append({.first_seq = 1, .receipt_us = 2000, .safety = false, .telemetry = false});
  Append({.first_seq = 2, .receipt_us = 3000});
  ExpectOnly({kOrphanSealed});
}

TEST_F(DoctorTest, ARepeatIsANoteAndAnotherContentAConflict) {
  Append({.first_seq = 0, .receipt_us = 1000});
  Append({.first_seq = 0, .receipt_us = 2000});
  ExpectOnly({kRepeat}, 2);  // in telemetry and in safety
  Append({.first_seq = 0, .receipt_us = 3000, .content_hash = 8});
  ExpectOnly({kSeqConflict, kRepeat}, 2);
  EXPECT_EQ(Look().exit_code(), 1);
}

TEST_F(DoctorTest, NumbersThatNeverCameAreANoteWithTheirCount) {
  Append({.first_seq = 2, .receipt_us = 1000});
  Append({.first_seq = 5, .receipt_us = 2000});
  ExpectOnly({kMissing}, 4);
  EXPECT_EQ(Look().exit_code(), 0);
}

TEST_F(DoctorTest, APositionBeyondTheEndIsFoundAndOneAtTheEndIsNot) {
  Append({.count = 3, .receipt_us = 1000});
  const auto save = [&](std::uint64_t offset) {
    ASSERT_TRUE(log::SavePosition(disk_, paths_.positions(), "lake", "telemetry", ShardId{1},
                                  PositionAt(offset))
                    .ok());
  };
  save(3);
  ExpectOnly({});
  save(4);
  ExpectOnly({kPositionBeyondEnd});
  EXPECT_EQ(Look().exit_code(), 1);
}

TEST_F(DoctorTest, ABrokenPositionIsNamed) {
  WriteFile(paths_.positions() + "/lake/telemetry-1", "TLPOnonsense");
  ExpectOnly({kFileBroken});
}

TEST_F(DoctorTest, APositionBeforeTheFirstKeptSegmentIsFoundAndWhatExpiredIsNotJudged) {
  for (std::uint64_t i = 0; i < 40; ++i) {
    Append({.first_seq = i * 50, .count = 50, .receipt_us = 1000 + static_cast<int>(i)});
  }
  const std::string folder = paths_.log() + "/telemetry/shard-1/";
  ASSERT_TRUE(disk_.Exists(folder + "00000000000000000002.seg")) << "segments too large for this";
  ASSERT_TRUE(disk_.Remove(folder + "00000000000000000001.seg").ok());
  ExpectOnly({});
  ASSERT_TRUE(
      log::SavePosition(disk_, paths_.positions(), "lake", "telemetry", ShardId{1}, PositionAt(3))
          .ok());
  ExpectOnly({kPositionBeforeStart});
}

TEST_F(DoctorTest, ABrokenSegmentIsNamedAndNothingIsConcludedFromWhatWasNotRead) {
  for (std::uint64_t i = 0; i < 5; ++i) {
    Append({.first_seq = i * 50, .count = 50, .receipt_us = 1000 + static_cast<int>(i)});
  }
  const std::string path = paths_.log() + "/telemetry/shard-1/00000000000000000001.seg";
  auto file = disk_.Open(path, OpenMode::kReadWrite, 0640);
  ASSERT_TRUE(file.ok());
  const std::uint8_t wrong = 0xa5;
  ASSERT_TRUE((*file)->WriteAt(4096 + 6000, {&wrong, 1}).ok());
  ExpectOnly({kFileBroken});
  EXPECT_NE(Look().examples(kFileBroken).front().detail.find("segment 1 byte"), std::string::npos);
}

TEST_F(DoctorTest, TemporaryAndUnknownFilesAreNotes) {
  Append({.receipt_us = 1000});
  WriteFile(paths_.positions() + "/lake/telemetry-0.tmp", "half");
  WriteFile(paths_.lake() + "/notes.txt", "mine");
  ExpectOnly({kStrayTemporary, kUnknownFile});
  EXPECT_EQ(Look().exit_code(), 0);
}

TEST_F(DoctorTest, AHandoffBeyondTheEndAndAGapBetweenTwoAreFound) {
  Append({.count = 3, .receipt_us = 1000});
  const std::string state = "state";
  const auto write = [&](std::uint64_t number, std::uint64_t from, std::uint64_t to) {
    nlohmann::json json{{"min_reader", 1}, {"number", number}};
    json["state"] = {{"bytes", state.size()}, {"crc32c", Crc32c(AsBytes(state))}};
    for (std::uint64_t p = 0; p < kPartitions; ++p) {
      json["partitions"].push_back(
          {{"partition", p}, {"from", p == 1 ? from : 0}, {"to", p == 1 ? to : 0}});
    }
    const std::string stem = paths_.lake() + fmt::format("/handoff/{:020}", number);
    WriteFile(stem + ".state", state);
    WriteFile(stem + ".json", json.dump());
  };
  write(1, 0, 2);
  write(2, 2, 3);
  ExpectOnly({});
  write(2, 1, 3);
  ExpectOnly({kHandoffGap});
  write(2, 2, 4);
  ExpectOnly({kHandoffBeyondEnd});
  write(2, 2, 3);
  WriteFile(paths_.lake() + "/handoff/00000000000000000002.state", "stale");
  ExpectOnly({kFileBroken});
}

TEST_F(DoctorTest, ASnapshotBeyondTheEndOrTornIsFound) {
  Append({.count = 3, .receipt_us = 1000});
  const auto snapshot = [&](std::uint64_t offset) {
    std::string body;
    PutBlob(body, std::string(64, 'a'));
    for (const std::uint16_t number : {std::uint16_t{1}, kShards, kPartitions, std::uint16_t{0}}) {
      PutLe(body, number);
    }
    PutBlob(body, PositionAt(offset).Encode());
    std::string file = "TELLSNAP";
    PutLe(file, std::uint16_t{1});
    PutLe(file, std::uint16_t{1});
    PutLe(file, std::uint32_t{0});
    PutLe(file, std::uint64_t{body.size()});
    file += body;
    PutLe(file, Crc32c(AsBytes(file)));
    return file;
  };
  const std::string path = paths_.worker() + "/abc/shard-1.snapshot";
  WriteFile(path, snapshot(3));
  ExpectOnly({});
  WriteFile(path, snapshot(4));
  ExpectOnly({kSnapshotBeyondEnd});
  WriteFile(path, snapshot(3).substr(0, 80));
  ExpectOnly({kFileBroken});
}

TEST_F(DoctorTest, AResultWithoutItsInputIsFound) {
  Append({.count = 3, .receipt_us = 1000});
  auto options = Options(paths_.journal() + "/abc", {"journal"});
  options.ticks = false;
  ASSERT_TRUE(disk_.MakeFolders(options.dir).ok());
  auto journal = log::Log::Open(disk_, options);
  ASSERT_TRUE(journal.ok());
  const auto append = [&](const internal::v1::JournalEntry& entry) {
    log::BatchBuilder batch(PartitionId{1});
    batch.Add({}, "", AsBytes(entry.SerializeAsString()));
    const log::ShardWriter::Staged staged{0, &batch};
    ASSERT_TRUE((*journal)->shard(ShardId{1}).Append({&staged, 1}).ok());
    ASSERT_TRUE((*journal)->shard(ShardId{1}).SyncNow().ok());
  };
  internal::v1::JournalEntry entry;
  entry.mutable_output()->set_partition(1);
  entry.mutable_output()->set_input_offset(2);
  append(entry);
  internal::v1::JournalEntry mark;
  mark.mutable_progress()->set_partition(1);
  mark.mutable_progress()->set_below_offset(3);
  append(mark);
  ExpectOnly({});
  entry.mutable_output()->set_input_offset(3);
  append(entry);
  mark.mutable_progress()->set_below_offset(4);
  append(mark);
  ExpectOnly({kJournalBeyondEnd}, 2);
}

TEST_F(DoctorTest, ALedgerBeyondTheEndAndATornTailAreFound) {
  Append({.receipt_us = 1000});
  for (const log::StreamIndex stream : {kSafety, kTelemetry, kSealed}) {
    const log::Log::LedgerEntry entry{stream, PartitionId{1}, Offset{0}, ConfigSeq{1}, "aa"};
    ASSERT_TRUE(log_->AppendLedger({&entry, 1}).ok());
  }
  ExpectOnly({});
  const log::Log::LedgerEntry beyond{kSafety, PartitionId{1}, Offset{1}, ConfigSeq{2}, "bb"};
  ASSERT_TRUE(log_->AppendLedger({&beyond, 1}).ok());
  ExpectOnly({kLedgerBeyondEnd});
  auto content = ReadWholeFile(disk_, paths_.log() + "/ledger");
  ASSERT_TRUE(content.ok());
  WriteFile(paths_.log() + "/ledger", std::string_view(*content).substr(0, content->size() - 3));
  ExpectOnly({kTornTail});
}

TEST_F(DoctorTest, StreamsOfAPartitionWithDifferentConfigsInForceAreFound) {
  internal::v1::ConfigRecord record;
  record.set_config_seq(3);
  internal::v1::SignedConfig config;
  config.set_record(record.SerializeAsString());
  const auto append = [&](log::StreamIndex stream) {
    std::array<log::BatchBuilder, gateway::kStreamCount> builders;
    builders[stream].Clear(PartitionId{1});
    log::RecordHeader header;
    header.kind = log::RecordKind::kConfig;
    header.receipt_time = Micros{1000};
    builders[stream].Add(header, "", AsBytes(config.SerializeAsString()));
    Append(builders);
  };
  append(kSafety);
  append(kTelemetry);
  ExpectOnly({kConfigDisagrees});
  append(kSealed);
  ExpectOnly({});
}

TEST_F(DoctorTest, AUserWhoMayNotReadSealedIsToldSoAndTheRestIsLookedAt) {
  Append({.first_seq = 0, .count = 3, .receipt_us = 1000});
  Append({.first_seq = 3, .receipt_us = 2000});
  DoctorReport report = Look("/sealed");
  EXPECT_EQ(report.kinds(), std::vector<FindingKind>{kNotAllowed}) << report.ToText(false);
  EXPECT_EQ(report.exit_code(), 2);
  Append({.first_seq = 4, .receipt_us = 3000, .telemetry = false, .sealed = false});
  Append({.first_seq = 5, .receipt_us = 4000});
  report = Look("/sealed");
  EXPECT_EQ(report.total(kOrphanSafety), 1u);
  EXPECT_EQ(report.exit_code(), 1) << "a finding tells more than what was not seen";
}

TEST_F(DoctorTest, WithoutALogThereIsNothingToLookAt) {
  const auto report = Examine(disk_, Paths("/elsewhere"), {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::kNotFound);
}

TEST(DoctorStraysTest, ANameIsKnownOnlyWhereTelltaleMakesIt) {
  EXPECT_TRUE(MatchesPath("data/log/*/shard-#/#.seg", "data/log/safety/shard-12/0001.seg"));
  EXPECT_FALSE(MatchesPath("data/log/*/shard-#/#.seg", "data/log/safety/shard-x/0001.seg"));
  EXPECT_FALSE(MatchesPath("data/log/*/shard-#/#.seg", "data/log/safety/shard-1"));
  EXPECT_TRUE(MatchesPath("data/lake/warehouse/**", "data/lake/warehouse/a/b.parquet"));
  EXPECT_FALSE(MatchesPath("data/lake/*.db*", "data/lake/x/catalog.db"));
}

TEST(DoctorReportTest, TheGravestComesFirstAndEveryKindHasItsWords) {
  DoctorReport report;
  report.Add(kRepeat, {"a", {}, {}});
  report.Add(kNotAllowed, {"b", {}, {}});
  EXPECT_EQ(report.exit_code(), 2);
  report.Add(kFileBroken, {"c", {}, {}});
  EXPECT_EQ(report.kinds(), (std::vector<FindingKind>{kFileBroken, kNotAllowed, kRepeat}));
  EXPECT_EQ(report.exit_code(), 1);
  for (int kind = 0; kind <= static_cast<int>(kMovedOn); ++kind) {
    EXPECT_FALSE(TextOf(static_cast<FindingKind>(kind)).remedy.empty());
  }
  EXPECT_EQ(report.ToText(false).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace telltale::app
