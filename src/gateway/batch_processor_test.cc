#include "gateway/batch_processor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/checksum.h"
#include "contract/telemetry_record.h"
#include "gateway/fake_shard_writer.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::gateway {
namespace {

constexpr Micros kNow{1'700'000'000'000'000};
constexpr double kLatitude = 52.5200066;
constexpr double kLongitude = 13.4049540;
constexpr double kOdometer = 123456.7;

// Keeps what was to be sealed and puts a stand-in without it into the stream.
class FakeSealer final : public seal::Sealer {
 public:
  struct Sealed {
    seal::Binding binding;
    std::string plaintext;
  };
  Status Seal(const seal::Binding& binding, ByteSpan plaintext, std::string& out) override {
    if (is_broken) return Error{Code::kUnavailable, "no crypto"};
    sealed.push_back({binding, std::string(AsText(plaintext))});
    out.append("envelope ").append(std::to_string(sealed.size()));
    return Ok();
  }
  bool is_broken = false;
  std::vector<Sealed> sealed;
};

std::shared_ptr<const contract::Contract> ShippedContract() {
  PosixDisk disk;
  const auto bytes = ReadWholeFile(disk, TELLTALE_BUILD_DIR "/share/telltale/contract.desc");
  CHECK(bytes.ok());
  auto contract = contract::Contract::FromDescriptorSet(*bytes);
  CHECK(contract.ok());
  return *contract;
}

class BatchProcessorTest : public testing::Test {
 protected:
  BatchProcessorTest() {
    vehicle_.ref.bytes = {0, 0, 0, 0, 0, 0, 0, 5, 9};
    vehicle_.vehicle_class = 2;
    vehicle_.odometer_offset_km = 1000;
    processor_.UseContracts({{7, ShippedContract()}, {}, {}});
    batch_.set_boot_counter(3);
    batch_.set_boot_random(0xABCDEF);
    batch_.set_firmware("2.0.0");
  }

  v1::Report& AddReport(std::uint64_t seq) {
    v1::Report& report = *batch_.add_reports();
    report.set_seq(seq);
    report.set_event_time_us(kNow.value - 1000);
    return report;
  }
  Result<CommitNumber> Process(std::uint8_t qos = 1) {
    const std::string bytes = batch_.SerializeAsString();
    return processor_.Process(vehicle_, AsBytes(bytes), qos);
  }
  std::uint64_t Count(const std::string& name) { return counters_.Get(name).value(); }
  std::uint64_t Drops(Reason reason) { return counters_.Drops("gateway", reason).value(); }
  const std::vector<StoredRecord>& Of(log::StreamIndex stream) { return writer_.records[stream]; }

  FakeShardWriter writer_;
  FakeSealer sealer_;
  ManualClock clock_{kNow};
  Counters counters_;
  UnknownTally unknown_;
  Vehicle vehicle_;
  BatchProcessor processor_{{.partitions = 64, .cell_level = 12},
                            {writer_, sealer_, clock_, counters_, &unknown_},
                            ContentKey::FromSecret("secret")};
  v1::ReportBatch batch_;
};

TEST_F(BatchProcessorTest, EachReportIsOneTelemetryRecordAndAtMostOneSafetyRecord) {
  AddReport(0).set_speed_kmh(50);              // safety
  AddReport(1).set_coolant_temperature_c(90);  // telemetry alone
  AddReport(2);                                // nothing at all
  ASSERT_TRUE(Process().ok());
  ASSERT_EQ(Of(kTelemetry).size(), 3u);
  ASSERT_EQ(Of(kSafety).size(), 1u);
  EXPECT_EQ(Of(kSealed).size(), 0u);
  EXPECT_EQ(writer_.appends, 1);
  for (std::uint64_t i = 0; i < 3; ++i) {
    const StoredRecord& record = Of(kTelemetry)[i];
    EXPECT_EQ(record.header.kind, log::RecordKind::kData);
    EXPECT_EQ(record.header.seq, i);
    EXPECT_EQ(record.header.vehicle, vehicle_.ref);
    EXPECT_EQ(record.header.boot, (BootId{3, 0xABCDEF}));
    EXPECT_EQ(record.header.receipt_time, kNow);
    EXPECT_EQ(record.header.event_time.value, kNow.value - 1000);
    EXPECT_EQ(record.header.contract_number, 7u);
    EXPECT_EQ(record.firmware, "2.0.0");
    EXPECT_EQ(record.partition, PartitionId{5});
  }
  v1::Report safety;
  ASSERT_TRUE(safety.ParseFromString(Of(kSafety)[0].payload));
  EXPECT_EQ(safety.speed_kmh(), 50);
  EXPECT_EQ(safety.vehicle_class(), v1::VEHICLE_CLASS_VAN);
  EXPECT_EQ(Count("reports_accepted"), 3u);
  EXPECT_EQ(Count("records.telemetry"), 3u);
  EXPECT_EQ(Count("records.safety"), 1u);
}

TEST_F(BatchProcessorTest, NothingExactReachesAnOpenStream) {
  v1::Report& report = AddReport(0);
  report.set_speed_kmh(50);
  report.set_latitude_deg(kLatitude);
  report.set_longitude_deg(kLongitude);
  report.set_heading_deg(93.5f);
  report.set_odometer_km(kOdometer);
  // Fields of one report may come in pieces, so the unknown one is added behind the known.
  const std::string tomorrow =
      "\xA2\x38\x13"
      "a field of tomorrow";  // 900, 19 bytes
  std::string bytes = batch_.SerializeAsString();
  const std::size_t report_bytes = report.ByteSizeLong();
  const std::string tail = bytes.substr(bytes.size() - report_bytes) + tomorrow;
  ASSERT_LT(tail.size(), 128u);
  bytes.resize(bytes.size() - report_bytes - 1);
  bytes.append(1, static_cast<char>(tail.size())).append(tail);
  ASSERT_TRUE(processor_.Process(vehicle_, AsBytes(bytes), 1).ok());
  std::vector<std::string> exact(5);
  PutLe(exact[0], kLatitude);
  PutLe(exact[1], kLongitude);
  PutLe(exact[2], 93.5f);
  PutLe(exact[3], kOdometer);
  exact[4] = "a field of tomorrow";
  ASSERT_EQ(sealer_.sealed.size(), 2u);
  const std::string sealed = sealer_.sealed[0].plaintext + sealer_.sealed[1].plaintext;
  for (const std::string& canary : exact) {
    EXPECT_NE(sealed.find(canary), std::string::npos) << "the control";
    for (const auto stream : {kSafety, kTelemetry, kSealed}) {
      for (const StoredRecord& record : Of(stream)) {
        EXPECT_EQ(record.payload.find(canary), std::string::npos);
      }
    }
  }
  for (const auto stream : {kSafety, kTelemetry}) {
    v1::Report open;
    ASSERT_TRUE(open.ParseFromString(Of(stream).at(0).payload));
    EXPECT_FALSE(open.has_latitude_deg());
    EXPECT_EQ(CellLevel(open.cell()), 12);
    EXPECT_EQ(open.heading_octant(), 2u);
  }
  v1::Report open;
  ASSERT_TRUE(open.ParseFromString(Of(kTelemetry)[0].payload));
  EXPECT_DOUBLE_EQ(open.odometer_km(), kOdometer + 1000);
  EXPECT_EQ(Drops(Reason::kFieldUnknown), 1u);
}

TEST_F(BatchProcessorTest, TheContentHashDoesNotLetAnyoneTestAGuess) {
  AddReport(0).set_latitude_deg(kLatitude);
  ASSERT_TRUE(Process().ok());
  const std::string raw = batch_.reports(0).SerializeAsString();
  const std::uint64_t stored = Of(kTelemetry)[0].header.content_hash;
  EXPECT_NE(stored, ContentHash(AsBytes(raw)));
  ASSERT_TRUE(Process().ok());
  EXPECT_EQ(Of(kTelemetry)[1].header.content_hash, stored) << "a repeat must be recognised";
}

TEST_F(BatchProcessorTest, ABatchHasOneSealedRecordBoundToItsFirstSealedReport) {
  AddReport(10);
  AddReport(11).set_latitude_deg(kLatitude);
  AddReport(12).set_latitude_deg(kLatitude);
  ASSERT_TRUE(Process().ok());
  ASSERT_EQ(Of(kSealed).size(), 1u);
  const log::RecordHeader& header = Of(kSealed)[0].header;
  EXPECT_EQ(header.kind, log::RecordKind::kData);
  EXPECT_EQ(header.seq, 11u);
  EXPECT_EQ(header.boot, (BootId{3, 0xABCDEF}));
  EXPECT_EQ(Of(kSealed)[0].payload, "envelope 1");
  const FakeSealer::Sealed& sealed = sealer_.sealed.at(0);
  EXPECT_EQ(sealed.binding.vehicle, vehicle_.ref);
  EXPECT_EQ(sealed.binding.first_seq, 11u);
  EXPECT_EQ(sealed.binding.contract_number, 7u);
  EXPECT_EQ(sealed.binding.kind, seal::Binding::Kind::kData);
  const auto entries = seal::ParseEntries(AsBytes(sealed.plaintext));
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[1].seq, 12u);
  // Half a position is none.
  EXPECT_EQ(Drops(Reason::kPositionInvalid), 2u);
}

// Whoever may one day read the unknown fields of a batch does not get its places with them.
TEST_F(BatchProcessorTest, UnknownFieldsAreSealedInAnEnvelopeOfTheirOwnAndToldByNumber) {
  const auto add_unknown = [](google::protobuf::Message& message, int number,
                              const std::string& value) {
    message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(number, value);
  };
  AddReport(10).set_latitude_deg(kLatitude);
  add_unknown(AddReport(11), 900, "12 bytes too");
  v1::Report& both = AddReport(12);
  both.set_longitude_deg(kLongitude);
  add_unknown(both, 900, "nine more");
  add_unknown(*both.add_dtcs(), 77, "");
  ASSERT_TRUE(Process().ok());

  ASSERT_EQ(Of(kSealed).size(), 2u);
  EXPECT_EQ(Of(kSealed)[0].header.flags, 0);
  EXPECT_EQ(Of(kSealed)[1].header.flags, seal::kFlagUnknownFields);
  EXPECT_EQ(Of(kSealed)[1].header.seq, 11u);
  ASSERT_EQ(sealer_.sealed.size(), 2u);
  EXPECT_EQ(sealer_.sealed[1].binding.kind, seal::Binding::Kind::kUnknown);
  EXPECT_EQ(sealer_.sealed[1].binding.first_seq, 11u);
  const auto entries = seal::ParseEntries(AsBytes(sealer_.sealed[1].plaintext));
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].fields,
            "\xa2\x38\x0c"
            "12 bytes too");
  EXPECT_EQ(sealer_.sealed[0].plaintext.find("bytes too"), std::string::npos);

  const auto counts = unknown_.counts();
  using Why = contract::UnknownField::Why;
  const UnknownKey field_900{"", 900, 2, Why::kUndeclared, 16, "2.0.0"};
  ASSERT_EQ(counts.size(), 2u);
  ASSERT_TRUE(counts.contains(field_900));
  EXPECT_EQ(counts.at(field_900).count, 2u);
  EXPECT_EQ(counts.at(field_900).contract_number, 7u);
  EXPECT_EQ(counts.at(field_900).first_seen, kNow);
  EXPECT_TRUE(counts.contains({"140.", 77, 2, Why::kUndeclared, 1, "2.0.0"}));
  EXPECT_EQ(Drops(Reason::kFieldUnknown), 3u);
}

TEST_F(BatchProcessorTest, ACohortIsReadByTheNextContractAndItsRecordsSaySo) {
  // In the next contract a field of the first is gone: tells the two apart.
  namespace pb = google::protobuf;
  PosixDisk disk;
  pb::FileDescriptorSet files;
  ASSERT_TRUE(files.ParseFromString(
      *ReadWholeFile(disk, TELLTALE_BUILD_DIR "/share/telltale/contract.desc")));
  for (pb::FileDescriptorProto& file : *files.mutable_file()) {
    for (pb::DescriptorProto& message : *file.mutable_message_type()) {
      for (pb::FieldDescriptorProto& field : *message.mutable_field()) {
        if (field.name() == "coolant_temperature_c") field.set_number(999);
      }
    }
  }
  auto next = contract::Contract::FromDescriptorSet(files.SerializeAsString());
  ASSERT_TRUE(next.ok());
  Cohort cohort{.per_10000 = 0, .salt = "s", .always = {vehicle_.ref}, .never = {}};
  processor_.UseContracts({{7, ShippedContract()}, NumberedContract{8, *next}, cohort});
  AddReport(0).set_coolant_temperature_c(90);
  ASSERT_TRUE(Process().ok());
  Vehicle other = vehicle_;
  other.ref.bytes[15] ^= 1;
  const std::string bytes = batch_.SerializeAsString();
  ASSERT_TRUE(processor_.Process(other, AsBytes(bytes), 1).ok());

  ASSERT_EQ(Of(kTelemetry).size(), 2u);
  EXPECT_EQ(Of(kTelemetry)[0].header.contract_number, 8u);
  EXPECT_EQ(Of(kTelemetry)[1].header.contract_number, 7u);
  v1::Report open;
  ASSERT_TRUE(open.ParseFromString(Of(kTelemetry)[0].payload));
  EXPECT_FALSE(open.has_coolant_temperature_c());
  ASSERT_TRUE(open.ParseFromString(Of(kTelemetry)[1].payload));
  EXPECT_TRUE(open.has_coolant_temperature_c());
}

TEST_F(BatchProcessorTest, AnInvalidPositionGivesNoCellAndIsCounted) {
  v1::Report& report = AddReport(0);
  report.set_latitude_deg(91);
  report.set_longitude_deg(std::nan(""));
  report.set_heading_deg(400);
  ASSERT_TRUE(Process().ok());
  v1::Report open;
  ASSERT_TRUE(open.ParseFromString(Of(kTelemetry)[0].payload));
  EXPECT_FALSE(open.has_cell());
  EXPECT_FALSE(open.has_heading_octant());
  EXPECT_EQ(Drops(Reason::kPositionInvalid), 1u);
  EXPECT_EQ(Drops(Reason::kOutOfRange), 1u);
  EXPECT_EQ(Of(kSealed).size(), 1u) << "the vault keeps what was sent";
}

TEST_F(BatchProcessorTest, ARefusedReportIsQuarantinedAndItsNeighboursAreNot) {
  AddReport(0).set_speed_kmh(10);
  batch_.add_reports()->set_event_time_us(kNow.value);  // no seq
  AddReport(2).set_speed_kmh(20);
  batch_.add_reports()->set_seq(3);  // no event time
  ASSERT_TRUE(Process().ok());
  EXPECT_EQ(Of(kTelemetry).size(), 2u);
  EXPECT_EQ(Of(kSafety).size(), 2u);
  ASSERT_EQ(Of(kSealed).size(), 2u);
  const StoredRecord& first = Of(kSealed)[0];
  EXPECT_EQ(first.header.kind, log::RecordKind::kQuarantine);
  EXPECT_EQ(first.header.reason, static_cast<std::uint16_t>(Reason::kMissingSeq));
  EXPECT_EQ(first.header.vehicle, vehicle_.ref);
  EXPECT_EQ(Of(kSealed)[1].header.seq, 3u);
  EXPECT_EQ(sealer_.sealed.at(0).binding.kind, seal::Binding::Kind::kQuarantine);
  EXPECT_EQ(sealer_.sealed[0].plaintext, batch_.reports(1).SerializeAsString());
  EXPECT_EQ(Count("reports_accepted"), 2u);
  EXPECT_EQ(Count("reports_quarantined"), 2u);
  EXPECT_EQ(Count("batches_quarantined"), 0u);
  EXPECT_EQ(Drops(Reason::kMissingSeq), 1u);
  EXPECT_EQ(Drops(Reason::kMissingEventTime), 1u);
}

TEST_F(BatchProcessorTest, AMalformedBatchIsOneQuarantineRecordAndNoError) {
  const std::string garbage = "\xFF\xFF\xFFnot a batch";
  const auto commit = processor_.Process(vehicle_, AsBytes(garbage), 1);
  ASSERT_TRUE(commit.ok());
  EXPECT_EQ(commit->value, 1u);
  EXPECT_EQ(Of(kTelemetry).size(), 0u);
  ASSERT_EQ(Of(kSealed).size(), 1u);
  EXPECT_EQ(Of(kSealed)[0].header.reason, static_cast<std::uint16_t>(Reason::kBatchMalformed));
  EXPECT_EQ(sealer_.sealed.at(0).plaintext, garbage);
  EXPECT_EQ(Count("batches_quarantined"), 1u);
  EXPECT_EQ(Count("reports_quarantined"), 0u);
}

TEST_F(BatchProcessorTest, AClockThatRunsAheadIsClampedInEveryStream) {
  v1::Report& report = AddReport(0);
  report.set_event_time_us(kNow.value + kEventAheadMaxUs + 1);
  report.set_speed_kmh(1);
  report.set_latitude_deg(kLatitude);
  AddReport(1).set_event_time_us(kNow.value + kEventAheadMaxUs);
  ASSERT_TRUE(Process().ok());
  for (const auto stream : {kSafety, kTelemetry, kSealed}) {
    EXPECT_EQ(Of(stream)[0].header.event_time.value, kNow.value + kEventAheadMaxUs);
  }
  const auto entries = seal::ParseEntries(AsBytes(sealer_.sealed.at(0).plaintext));
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ((*entries)[0].event_time.value, kNow.value + kEventAheadMaxUs);
  EXPECT_EQ(Drops(Reason::kEventTimeClamped), 1u);
}

TEST_F(BatchProcessorTest, ThePreviousBootStandsInTheFirstTelemetryRecordOnly) {
  batch_.set_previous_boot_counter(2);
  batch_.set_previous_boot_random(77);
  batch_.set_previous_last_seq(4711);
  AddReport(0).set_speed_kmh(1);
  AddReport(1).set_speed_kmh(2);
  ASSERT_TRUE(Process().ok());
  const StoredRecord& first = Of(kTelemetry)[0];
  EXPECT_EQ(first.header.flags, contract::kFlagPreviousBoot);
  ByteReader block{std::string_view(first.payload)};
  EXPECT_EQ(block.Get<std::uint32_t>(), 2u);
  EXPECT_EQ(block.Get<std::uint64_t>(), 77u);
  EXPECT_EQ(block.Get<std::uint64_t>(), 4711u);
  v1::Report open;
  ASSERT_TRUE(open.ParseFromString(first.payload.substr(20)));
  EXPECT_EQ(open.speed_kmh(), 1);
  EXPECT_EQ(Of(kTelemetry)[1].header.flags, 0);
  EXPECT_EQ(Of(kSafety)[0].header.flags, 0);
}

TEST_F(BatchProcessorTest, AnOverloadedLogTakesTheSameBatchLaterAndItCountsOnce) {
  AddReport(0).set_latitude_deg(kLatitude);
  batch_.add_reports();  // refused
  writer_.overloaded_appends = 2;
  for (int i = 0; i < 2; ++i) {
    const auto refused = Process();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kOverloaded);
  }
  EXPECT_EQ(Count("reports_accepted"), 0u);
  ASSERT_TRUE(Process().ok());
  EXPECT_EQ(Of(kTelemetry).size(), 1u);
  EXPECT_EQ(Of(kSealed).size(), 2u);
  EXPECT_EQ(Count("reports_accepted"), 1u);
  EXPECT_EQ(Count("reports_quarantined"), 1u);
  EXPECT_EQ(Drops(Reason::kPositionInvalid), 1u);
}

TEST_F(BatchProcessorTest, WithoutASealNothingIsWritten) {
  AddReport(0).set_latitude_deg(kLatitude);
  sealer_.is_broken = true;
  const auto failed = Process();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  EXPECT_EQ(writer_.appends, 0);
  const std::string garbage = "\xFF";
  EXPECT_FALSE(processor_.Process(vehicle_, AsBytes(garbage), 1).ok());
  EXPECT_EQ(writer_.appends, 0);
}

TEST_F(BatchProcessorTest, ABatchWithoutReportsNeedsNoCommit) {
  const auto commit = Process();
  ASSERT_TRUE(commit.ok());
  EXPECT_EQ(commit->value, 0u);
  EXPECT_EQ(writer_.appends, 0);
}

TEST_F(BatchProcessorTest, APlaceIsNoFirmware) {
  for (const char* name :
       {"52.520008_13.404954", "-71.2345+163.456", "13.404-52.520", "a52.520b13.404"}) {
    batch_.clear_reports();
    AddReport(0);
    batch_.set_firmware(name);
    ASSERT_TRUE(Process().ok());
    EXPECT_EQ(Of(kTelemetry).back().firmware, "") << name;
  }
  for (const char* name :
       {"2.0.0", "2024.44.25.1", "1.0.20260131-2.1.20260131", "v2.2026", "12.5-3.1"}) {
    batch_.clear_reports();
    AddReport(0);
    batch_.set_firmware(name);
    ASSERT_TRUE(Process().ok());
    EXPECT_EQ(Of(kTelemetry).back().firmware, name);
  }
}

TEST_F(BatchProcessorTest, FirmwareThatIsNoNameStaysOutOfTheStream) {
  AddReport(0);
  batch_.set_firmware("WVWZZZ1JZXW000001");  // a VIN is no name of a build
  ASSERT_TRUE(Process().ok());
  EXPECT_EQ(Of(kTelemetry).back().firmware, "");
  batch_.set_firmware("two words");
  ASSERT_TRUE(Process().ok());
  EXPECT_EQ(Of(kTelemetry).back().firmware, "");
  EXPECT_EQ(Drops(Reason::kOutOfRange), 2u);
}

TEST_F(BatchProcessorTest, QosZeroIsWrittenAndCountedApart) {
  AddReport(0);
  ASSERT_TRUE(Process(0).ok());
  ASSERT_TRUE(Process(1).ok());
  EXPECT_EQ(Of(kTelemetry).size(), 2u);
  EXPECT_EQ(Count("reports_accepted_qos0"), 1u);
  EXPECT_EQ(Count("reports_accepted_qos1"), 1u);
}

// One report with everything that a choice may leave out.
class ChoiceTest : public BatchProcessorTest {
 protected:
  void Process(std::uint8_t off) {
    vehicle_.choice_off = off;
    v1::Report& report = AddReport(0);
    report.set_speed_kmh(50);              // safety
    report.set_coolant_temperature_c(90);  // telemetry alone
    report.set_latitude_deg(kLatitude);
    report.set_longitude_deg(kLongitude);
    report.set_heading_deg(90);
    report.set_odometer_km(kOdometer);
    report.GetReflection()->MutableUnknownFields(&report)->AddVarint(900, 1);
    ASSERT_TRUE(BatchProcessorTest::Process().ok());
    ASSERT_EQ(Of(kTelemetry).size(), 1u) << "an arrival counts whatever was chosen";
    ASSERT_TRUE(telemetry_.ParseFromString(Of(kTelemetry)[0].payload));
    EXPECT_EQ(telemetry_.vehicle_class(), v1::VEHICLE_CLASS_VAN);
  }
  v1::Report telemetry_;
};

TEST_F(ChoiceTest, WithAllOnNothingIsLeftOutOrCounted) {
  Process(0);
  EXPECT_EQ(Of(kSealed).size(), 2u);
  EXPECT_TRUE(telemetry_.has_cell() && telemetry_.has_speed_kmh() && telemetry_.has_odometer_km());
  EXPECT_EQ(Drops(Reason::kChoicePreciseOff) + Drops(Reason::kChoiceCellOff) +
                Drops(Reason::kChoiceBehaviourOff),
            0u);
}

TEST_F(ChoiceTest, PreciseOffSealsNothingNotEvenUnknownFieldsAndKeepsTheRest) {
  Process(kPreciseOff);
  EXPECT_EQ(Of(kSealed).size(), 0u);
  EXPECT_TRUE(sealer_.sealed.empty());
  EXPECT_TRUE(unknown_.counts().empty());
  EXPECT_TRUE(telemetry_.has_cell() && telemetry_.has_speed_kmh());
  EXPECT_EQ(Of(kSafety).size(), 1u);
  EXPECT_EQ(Drops(Reason::kChoicePreciseOff), 1u);
  EXPECT_EQ(Drops(Reason::kFieldUnknown), 0u);
}

TEST_F(ChoiceTest, PreciseOffKeepsOfARefusedReportThatItCameButNotItsBytes) {
  vehicle_.choice_off = kPreciseOff;
  batch_.add_reports()->set_latitude_deg(kLatitude);  // no seq
  ASSERT_TRUE(BatchProcessorTest::Process().ok());
  ASSERT_EQ(Of(kSealed).size(), 1u);
  EXPECT_EQ(Of(kSealed)[0].header.reason, static_cast<std::uint16_t>(Reason::kMissingSeq));
  EXPECT_EQ(sealer_.sealed.at(0).plaintext, "");
  EXPECT_EQ(Drops(Reason::kMissingSeq), 1u);
  EXPECT_EQ(Drops(Reason::kChoicePreciseOff), 1u);
}

TEST_F(ChoiceTest, CellOffDerivesNeitherCellNorOctantInAnyStream) {
  Process(kCellOff);
  v1::Report safety;
  ASSERT_TRUE(safety.ParseFromString(Of(kSafety).at(0).payload));
  for (const v1::Report& report : {telemetry_, safety}) {
    EXPECT_FALSE(report.has_cell() || report.has_heading_octant());
    EXPECT_TRUE(report.has_speed_kmh());
  }
  EXPECT_EQ(Of(kSealed).size(), 2u);
  EXPECT_EQ(Drops(Reason::kChoiceCellOff), 1u);
}

TEST_F(ChoiceTest, BehaviourOffLeavesTheArrivalAndTheCellAndNoSafetyRecord) {
  Process(kBehaviourOff);
  EXPECT_FALSE(telemetry_.has_speed_kmh() || telemetry_.has_coolant_temperature_c() ||
               telemetry_.has_odometer_km());
  EXPECT_TRUE(telemetry_.has_cell());
  EXPECT_EQ(Of(kSafety).size(), 0u);
  EXPECT_EQ(Of(kSealed).size(), 2u);
  EXPECT_EQ(Drops(Reason::kChoiceBehaviourOff), 1u);
}

TEST_F(ChoiceTest, WhereTheEnvironmentHasAGroundForItSafetyFieldsAreKeptAllTheSame) {
  BatchProcessor always({.partitions = 64, .cell_level = 12, .safety_always = true},
                        {writer_, sealer_, clock_, counters_, &unknown_},
                        ContentKey::FromSecret("secret"));
  always.UseContracts({{7, ShippedContract()}, {}, {}});
  vehicle_.choice_off = kBehaviourOff;
  AddReport(0).set_speed_kmh(50);
  const std::string bytes = batch_.SerializeAsString();
  ASSERT_TRUE(always.Process(vehicle_, AsBytes(bytes), 1).ok());
  v1::Report safety;
  ASSERT_TRUE(safety.ParseFromString(Of(kSafety).at(0).payload));
  EXPECT_EQ(safety.speed_kmh(), 50);
  ASSERT_TRUE(telemetry_.ParseFromString(Of(kTelemetry).at(0).payload));
  EXPECT_FALSE(telemetry_.has_speed_kmh());
}

}  // namespace
}  // namespace telltale::gateway
