// From a real log to the store: what opens is stored once, what does not is kept aside sealed.
#include "vault/intake.h"

#include <algorithm>

#include "internal/v1/internal.pb.h"
#include "vault/vault_testing.h"

namespace telltale::vault {
namespace {

class IntakeTest : public VaultTest {
 protected:
  IntakeTest() {
    EXPECT_TRUE(disk_.MakeFolders("/vault/gateways").ok());
    const std::string id = HexEncode(seal::KeyId(gateway_.public_raw));
    EXPECT_TRUE(
        seal::StoreKey(disk_, "/vault/gateways/" + id + ".pub", gateway_.public_raw, false).ok());
    EXPECT_TRUE(gateways_.Reload().ok());
    opener_ = *Opener::Make(vault_.private_raw, gateways_, clock_);
    sealer_ = *seal::Sealer::Make(vault_.public_raw, gateway_.private_raw, clock_);
    log_ = *log::Log::Open(disk_, {.dir = "/log",
                                   .streams = {"sealed"},
                                   .partitions = 4,
                                   .shards = 2,
                                   .segment_bytes = 64u << 10});
    store_ = OpenStore();
  }

  using Kind = seal::Binding::Kind;
  log::RecordHeader HeaderOf(std::uint8_t vehicle, std::uint64_t seq) {
    log::RecordHeader header;
    header.vehicle = VehicleOf(vehicle);
    header.boot = {2, 77};
    header.seq = seq;
    header.event_time = kNow;
    header.receipt_time = kNow;
    header.contract_number = 1;
    return header;
  }
  std::string Envelope(seal::Sealer& sealer, const log::RecordHeader& header,
                       std::string_view plain) {
    std::string out;
    const auto kind = header.kind == log::RecordKind::kQuarantine ? Kind::kQuarantine
                      : header.flags != 0                         ? Kind::kUnknown
                                                                  : Kind::kData;
    EXPECT_TRUE(sealer
                    .Seal({header.vehicle, header.boot, header.seq, header.contract_number, kind},
                          AsBytes(plain), out)
                    .ok());
    return out;
  }
  std::string EntryPlain(std::uint64_t seq, const std::string& fields) {
    std::string plain;
    seal::AppendEntry(plain, {seq, kNow, fields});
    return plain;
  }
  void AppendRecord(const log::RecordHeader& header, std::string_view payload) {
    log::BatchBuilder batch(header.vehicle.PartitionOf(4));
    batch.Add(header, "1.0.0", AsBytes(payload));
    const log::ShardWriter::Staged staged{0, &batch};
    log::ShardWriter& shard = log_->shard(log::ShardOf(batch.partition(), 2));
    ASSERT_TRUE(shard.Append({&staged, 1}).ok());
    ASSERT_TRUE(shard.SyncNow().ok());
  }
  void AppendReport(std::uint8_t vehicle, std::uint64_t seq, const std::string& fields) {
    const log::RecordHeader header = HeaderOf(vehicle, seq);
    AppendRecord(header, Envelope(*sealer_, header, EntryPlain(seq, fields)));
  }
  // Reads what is there and commits.
  void Drain() {
    RecordIntake records(*opener_, *store_, counters_, control_.public_raw);
    Intake intake(disk_, clock_, counters_, records, *store_, {"/log", "/positions", 2});
    while (intake.Step()) {
    }
    intake.CommitNow();
  }
  void Restart() {
    store_.reset();
    store_ = OpenStore();
  }

  seal::KeyPair vault_ = *seal::MakeX25519();
  seal::KeyPair gateway_ = *seal::MakeEd25519();
  seal::KeyPair control_ = *seal::MakeEd25519();
  GatewayKeys gateways_{disk_, "/vault/gateways"};
  std::unique_ptr<Opener> opener_;
  std::unique_ptr<seal::Sealer> sealer_;
  std::unique_ptr<log::Log> log_;
  OpenedVault store_;
};

TEST_F(IntakeTest, EverySealedRecordIsStoredOnceAlsoAcrossRestarts) {
  for (std::uint8_t vehicle = 1; vehicle <= 4; ++vehicle) AppendReport(vehicle, 1, "one");
  Drain();
  Restart();
  for (std::uint8_t vehicle = 1; vehicle <= 4; ++vehicle) AppendReport(vehicle, 2, "two");
  Drain();
  Drain();
  for (std::uint8_t vehicle = 1; vehicle <= 4; ++vehicle) {
    EXPECT_EQ(EntriesOf(*store_, vehicle),
              (std::vector<std::pair<std::uint64_t, std::string>>{{1, "one"}, {2, "two"}}));
  }
  EXPECT_EQ(counters_.Get("frames_stored").value(), 8u);
}

TEST_F(IntakeTest, ItsPlaceInTheStreamIsReleasedOnlyAfterTheFramesAreDurable) {
  AppendReport(1, 1, "one");
  const auto shard = log::ShardOf(VehicleOf(1).PartitionOf(4), 2);
  RecordIntake records(*opener_, *store_, counters_, "");
  Intake intake(disk_, clock_, counters_, records, *store_, {"/log", "/positions", 2});
  ASSERT_TRUE(intake.Step());
  EXPECT_FALSE(log::LoadPosition(disk_, "/positions", "vault", "sealed", shard).ok());
  intake.CommitNow();
  const auto place = log::LoadPosition(disk_, "/positions", "vault", "sealed", shard);
  ASSERT_TRUE(place.ok());
  EXPECT_EQ(place->next[VehicleOf(1).PartitionOf(4).value], Offset{1});
}

TEST_F(IntakeTest, AnEnvelopeOfAnUnknownGatewayIsKeptAsideSealedAndCounted) {
  const seal::KeyPair stranger = *seal::MakeEd25519();
  const auto sealer = *seal::Sealer::Make(vault_.public_raw, stranger.private_raw, clock_);
  const log::RecordHeader header = HeaderOf(1, 1);
  const std::string envelope = Envelope(*sealer, header, EntryPlain(1, "one"));
  AppendRecord(header, envelope);
  AppendReport(1, 2, "two");
  Drain();
  EXPECT_EQ(counters_.Drops("vault", Reason::kSignatureInvalid).value(), 1u);
  EXPECT_EQ(EntriesOf(*store_, 1).size(), 1u);
  const auto refused = EntriesOf(*store_, 1, FrameClass::kRefused);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].second, envelope) << "as it came, unopened";
}

TEST_F(IntakeTest, AnAlteredOrMovedEnvelopeIsCountedAsUnopenable) {
  const log::RecordHeader header = HeaderOf(1, 1);
  std::string envelope = Envelope(*sealer_, header, EntryPlain(1, "one"));
  AppendRecord(HeaderOf(2, 1), envelope);
  envelope.back() = static_cast<char>(envelope.back() ^ 1);
  AppendRecord(header, envelope);
  AppendRecord(header, "no envelope at all");
  const std::string cut_inside = Envelope(*sealer_, header, EntryPlain(1, "one").substr(0, 9));
  AppendRecord(header, cut_inside);
  Drain();
  EXPECT_EQ(counters_.Drops("vault", Reason::kUnsealFailed).value(), 4u);
  EXPECT_TRUE(EntriesOf(*store_, 1).empty());
}

TEST_F(IntakeTest, QuarantinedBytesLieInTheirOwnSegmentsAndAreCountedByReason) {
  log::RecordHeader header = HeaderOf(1, 0);
  header.kind = log::RecordKind::kQuarantine;
  header.reason = static_cast<std::uint16_t>(Reason::kMissingSeq);
  header.event_time = Micros{0};
  AppendRecord(header, Envelope(*sealer_, header, "raw refused bytes"));
  Drain();
  EXPECT_TRUE(EntriesOf(*store_, 1).empty());
  const auto kept = EntriesOf(*store_, 1, FrameClass::kQuarantine);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].second, "raw refused bytes");
  EXPECT_EQ(counters_.Get("quarantined.missing_seq").value(), 1u);
}

TEST_F(IntakeTest, UnknownFieldsLieInSegmentsOfTheirOwn) {
  log::RecordHeader header = HeaderOf(1, 3);
  AppendRecord(header, Envelope(*sealer_, header, EntryPlain(3, "place")));
  header.flags = 0x02;
  AppendRecord(header, Envelope(*sealer_, header, EntryPlain(3, "nobody knows")));
  Drain();
  const auto places = EntriesOf(*store_, 1);
  const auto unknown = EntriesOf(*store_, 1, FrameClass::kUnknown);
  ASSERT_EQ(places.size(), 1u);
  ASSERT_EQ(unknown.size(), 1u);
  EXPECT_EQ(places[0].second, "place");
  EXPECT_EQ(unknown[0].second, "nobody knows");
  EXPECT_EQ(counters_.Get("entries_opened").value(), 2u);
}

TEST_F(IntakeTest, OnlyConfigRecordsSignedByControlNameAContract) {
  const auto config_of = [&](std::uint32_t number, const std::string& digest,
                             const seal::KeyPair& signer) {
    internal::v1::ConfigRecord config;
    config.set_config_seq(number);
    config.set_contract_number(number);
    config.set_contract_digest(digest);
    config.mutable_next_contract()->set_number(number + 10);
    config.mutable_next_contract()->set_digest(digest + " next");
    internal::v1::SignedConfig envelope;
    envelope.set_record(config.SerializeAsString());
    envelope.set_signature(*seal::SignEd25519(signer.private_raw, envelope.record()));
    envelope.set_key_id(seal::KeyId(signer.public_raw));
    log::RecordHeader header;
    header.kind = log::RecordKind::kConfig;
    header.vehicle = VehicleOf(1);
    header.receipt_time = kNow;
    AppendRecord(header, envelope.SerializeAsString());
  };
  config_of(1, "aa", control_);
  config_of(2, "bb", *seal::MakeEd25519());
  Drain();
  Restart();
  EXPECT_EQ(*store_->ContractDigest(1), "aa") << "remembered when the stream has let it go";
  EXPECT_EQ(*store_->ContractDigest(11), "aa next") << "some vehicles are read by it";
  EXPECT_FALSE(store_->ContractDigest(2).ok());
  EXPECT_FALSE(store_->ContractDigest(12).ok());
  EXPECT_EQ(counters_.Get("config_records_refused").value(), 1u);
}

TEST_F(IntakeTest, AKindOfANewerBuildStopsItsShardBeforeItAndCostsNothing) {
  AppendReport(1, 1, "one");
  log::RecordHeader newer = HeaderOf(1, 2);
  newer.kind = static_cast<log::RecordKind>(9);
  AppendRecord(newer, "of a newer build");
  AppendReport(1, 3, "three");
  for (int start = 0; start < 3; ++start) {
    Drain();
    EXPECT_EQ(EntriesOf(*store_, 1).size(), 1u);
    Restart();
  }
  EXPECT_EQ(counters_.Get("shards_stopped").value(), 3u);
}

TEST_F(IntakeTest, ADiskThatFailsForAWhileCostsNothing) {
  AppendReport(1, 1, "one");
  RecordIntake records(*opener_, *store_, counters_, "");
  Intake intake(disk_, clock_, counters_, records, *store_, {"/log", "/positions", 2});
  disk_.FailAfter(0);
  for (int i = 0; i < 5; ++i) {
    while (intake.Step()) {
    }
    intake.CommitNow();
    clock_.Advance(Micros::Seconds(2));
  }
  EXPECT_GE(counters_.Get("rollbacks").value(), 2u);
  disk_.FailNever();
  while (intake.Step()) {
  }
  intake.CommitNow();
  EXPECT_EQ(EntriesOf(*store_, 1).size(), 1u);
}

TEST_F(IntakeTest, AShardThatTheDiskDoesNotGiveIsReadOnByItselfWhenItDoes) {
  AppendReport(1, 1, "one");
  RecordIntake records(*opener_, *store_, counters_, "");
  Intake intake(disk_, clock_, counters_, records, *store_, {"/log", "/positions", 2});
  while (intake.Step()) {
  }
  AppendReport(1, 2, "two");
  disk_.FailReads(true);
  for (int i = 0; i < 100; ++i) {
    (void)intake.Step();
    clock_.Advance(Micros{100'000});
  }
  const std::uint64_t failures = counters_.Get("read_failures").value();
  EXPECT_GE(failures, 2u);
  EXPECT_LE(failures, 16u) << "tries get rarer";
  disk_.FailReads(false);
  clock_.Advance(Micros::Seconds(10));
  while (intake.Step()) {
  }
  intake.CommitNow();
  EXPECT_EQ(EntriesOf(*store_, 1).size(), 2u);
  EXPECT_EQ(counters_.Get("shards_stopped").value(), 0u);
}

TEST_F(IntakeTest, AShardWhoseNextRecordsWereRemovedStopsAndSaysSo) {
  AppendReport(1, 1, "one");
  Drain();
  for (std::uint64_t seq = 2; seq < 200; ++seq) AppendReport(1, seq, std::string(900, 'f'));
  for (const std::string shard : {"shard-0", "shard-1"}) {
    const std::string segment = "/log/sealed/" + shard + "/0000000000000000000";
    if (!disk_.Exists(segment + "2.seg")) continue;
    ASSERT_TRUE(disk_.Remove(segment + "1.seg").ok());
  }
  Restart();
  Drain();
  EXPECT_EQ(counters_.Get("shards_stopped").value(), 1u);
  EXPECT_EQ(counters_.Get("shards_expired").value(), 1u);
}

}  // namespace
}  // namespace telltale::vault
