// Rows out of the store through the door: exact at the edge, each once, and over a real socket.
#include "vault/query.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "seal/seal.h"
#include "store/disk_vfs.h"
#include "telltale/v1/telemetry.pb.h"
#include "vault/access/local_parts.h"
#include "vault/service.h"
#include "vault/vault_testing.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

class QueryTest : public VaultTest {
 protected:
  QueryTest() {
    PosixDisk real;
    const auto descriptor = ReadWholeFile(real, TELLTALE_CONTRACT_DESC);
    EXPECT_TRUE(descriptor.ok());
    const std::string digest = HexEncode(seal::Sha256(*descriptor));
    EXPECT_TRUE(disk_.MakeFolders("/contracts").ok());
    EXPECT_TRUE(WriteFileDurably(disk_, "/contracts/" + digest + ".desc", *descriptor).ok());
    store_ = OpenStore();
    store_->NoteContract(1, {1, digest});
  }

  static std::string ReportFields(double latitude, double longitude) {
    telltale::v1::Report report;
    report.set_latitude_deg(latitude);
    report.set_longitude_deg(longitude);
    report.set_heading_deg(12.3f);
    report.set_odometer_km(45678.9);
    std::string wire = report.SerializeAsString();
    wire += std::string("\xa0\x38\x2a", 3);  // field 900, varint 42: not in the contract
    return wire;
  }
  void Keep(const FrameSpec& spec) {
    ASSERT_TRUE(store_->Put(FrameOf(spec)).ok());
    ASSERT_TRUE(store_->Commit({}).ok());
  }
  static RowQuery Asking() {
    return {VehicleOf(1), kNow - Micros{kDay}, kNow + Micros{kDay}, "data"};
  }
  std::vector<json> RowsOf(const RowQuery& query, RowStats* stats = nullptr) {
    std::vector<json> rows;
    RowStats own;
    const Status ran = StoreRows(*store_, decoder_, clock_, counters_)
                           .Rows(query, stats != nullptr ? *stats : own, [&](json row) {
                             rows.push_back(std::move(row));
                             return Ok();
                           });
    EXPECT_TRUE(ran.ok()) << ran.error().ToString();
    return rows;
  }
  std::vector<json> AuditEntries() {
    std::vector<json> entries;
    EXPECT_TRUE(
        store_->audit()
            .List(1, 1000,
                  [&](std::string_view line) { entries.push_back(json::parse(line.substr(65))); })
            .ok());
    return entries;
  }

  std::unique_ptr<Store> store_;
  Decoder decoder_{disk_, "/contracts",
                   [this](std::uint32_t number) { return store_->ContractDigest(number); }};
};

TEST_F(QueryTest, TheExactValuesComeBackByNameAndTheUnknownAsHex) {
  Keep({.seq = 7, .fields = ReportFields(48.13715412345, -0.1)});
  const auto rows = RowsOf(Asking());
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["fields"]["latitude_deg"].get<double>(), 48.13715412345);
  EXPECT_EQ(rows[0]["fields"]["longitude_deg"].get<double>(), -0.1);
  EXPECT_EQ(rows[0]["fields"]["heading_deg"].dump(), "12.3");
  EXPECT_EQ(rows[0]["fields"]["odometer_km"].get<double>(), 45678.9);
  EXPECT_EQ(rows[0]["unknown"], "a0382a");
  EXPECT_EQ(rows[0]["seq"], 7);
  EXPECT_EQ(rows[0]["boot"], "2-000000000000004d");
  EXPECT_EQ(rows[0]["event_time"], FormatUtc(kNow));
}

TEST_F(QueryTest, WithoutTheContractsDescriptorTheBytesComeAsTheyAre) {
  Frame frame = FrameOf({.fields = "\x01\x02"});
  frame.contract_number = 9;
  ASSERT_TRUE(store_->Put(std::move(frame)).ok());
  ASSERT_TRUE(store_->Commit({}).ok());
  const auto rows = RowsOf(Asking());
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["wire"], "0102");
}

TEST_F(QueryTest, ARowIsReadableToTheExactEdgeAndNotAfter) {
  const Micros event = kNow + Micros{1234567};
  clock_.JumpUtc(Micros{2'000'000});
  Keep({.event_time = event, .receipt_time = event, .fields = ReportFields(1, 2)});
  RowQuery request = Asking();
  // The vault slept through the hour's start: the key is still there, the reader's right is not.
  clock_.JumpUtc(event + kWindow - Micros{1} - clock_.NowUtc());
  EXPECT_EQ(RowsOf(request).size(), 1u);
  clock_.JumpUtc(Micros{1});
  EXPECT_EQ(RowsOf(request).size(), 0u);
}

TEST_F(QueryTest, TheIntervalIsByEventTimeFromInclusiveToExclusive) {
  for (std::uint64_t i = 0; i < 5; ++i) {
    Keep({.seq = i,
          .event_time = kNow - Micros::Seconds(3600 * static_cast<std::int64_t>(i)),
          .fields = ReportFields(1, static_cast<double>(i))});
  }
  RowQuery request = Asking();
  request.from = kNow - Micros::Seconds(3 * 3600);
  request.to = kNow;
  std::vector<std::uint64_t> seqs;
  for (const json& row : RowsOf(request)) seqs.push_back(row["seq"]);
  EXPECT_EQ(seqs, (std::vector<std::uint64_t>{3, 2, 1})) << "oldest first";
}

TEST_F(QueryTest, ARepeatIsLeftOutAndAConflictIsKept) {
  Keep({.seq = 1, .fields = ReportFields(1, 2)});
  Keep({.seq = 1, .fields = ReportFields(1, 2)});
  Keep({.seq = 1, .fields = ReportFields(1, 3)});
  RowStats stats;
  EXPECT_EQ(RowsOf(Asking(), &stats).size(), 2u);
  EXPECT_EQ(stats.repeats, 1u);
}

TEST_F(QueryTest, QuestionsAreAnsweredWhileFramesArriveAndHoursEnd) {
  std::atomic<bool> done{false};
  std::thread asking([&] {
    std::size_t before = 0;
    while (!done) {
      const std::size_t now = RowsOf(Asking()).size();
      EXPECT_GE(now, before) << "what was answered once is answered again";
      before = now;
    }
  });
  for (std::uint64_t seq = 0; seq < 100; ++seq) Keep({.seq = seq, .fields = ReportFields(1, 2)});
  done = true;
  asking.join();
  EXPECT_EQ(RowsOf(Asking()).size(), 100u);
  std::thread asking_on([&] {
    for (int i = 0; i < 20; ++i) {
      EXPECT_LE(RowsOf(Asking()).size(), 100u);
    }
  });
  clock_.JumpUtc(kWindow);
  EXPECT_TRUE(store_->Expire().ok());
  asking_on.join();
  EXPECT_TRUE(RowsOf(Asking()).empty());
}

class ServiceTest : public QueryTest {
 protected:
  // The service's messages to one request, over a real socket pair, under a first policy for `uid`.
  std::vector<json> Talk(std::uint32_t uid, const std::string& request) {
    if (door_ == nullptr) OpenDoor(uid);
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Service service(*door_);
    std::vector<json> messages;
    LocalConnection asker(ends[0]);
    EXPECT_TRUE(asker.Send(request).ok());
    {
      LocalConnection served(ends[1]);
      service.Serve(served);
    }
    while (true) {
      const auto frame = asker.Receive(std::chrono::milliseconds(1000));
      if (!frame.ok() || !frame->has_value()) break;
      messages.push_back(json::parse(**frame));
    }
    return messages;
  }
  void OpenDoor(std::uint32_t uid) {
    ASSERT_TRUE(WriteFileDurably(disk_, "/policy.yaml", access::FirstPolicy({uid}, "dev")).ok());
    auto door = AccessDoor::Open(
        {disk_, clock_, random_, counters_, store_->audit(), rows_, tags_, export_keys_, actions_},
        {.folder = "/vault",
         .policy_file = "/policy.yaml",
         .environment_kind = "dev",
         .window = kWindow,
         .vfs = &vfs_});
    ASSERT_TRUE(door.ok()) << door.error().ToString();
    door_ = std::move(door).value();
  }
  static std::string Request(const std::string& case_id) {
    return json{{"op", "query"},
                {"vehicles", {VehicleOf(1).ToHex()}},
                {"from_us", (kNow - Micros{kDay}).value},
                {"to_us", (kNow + Micros{kDay}).value},
                {"purpose", "crash_reconstruction"},
                {"case", case_id}}
        .dump();
  }

  store::DiskVfs vfs_{disk_};
  StoreRows rows_{*store_, decoder_, clock_, counters_};
  RefTags tags_;
  MemoryExportKeys export_keys_{random_};
  NoActions actions_;
  std::unique_ptr<AccessDoor> door_;
};

TEST_F(ServiceTest, AUserWhoIsNotNamedGetsNothingAndTheAttemptIsRecorded) {
  Keep({.fields = ReportFields(1, 2)});
  const auto messages = Talk(geteuid() + 1, Request("C-1"));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0]["kind"], "error");
  EXPECT_EQ(messages[0]["code"], "refused");
  EXPECT_EQ(AuditEntries().back()["event"], "refusal");
  EXPECT_EQ(AuditEntries().back()["uid"], geteuid());
  EXPECT_EQ(AuditEntries().back()["reason"], "nobody");
}

TEST_F(ServiceTest, ANamedUserGetsRowsAndAnEndAndTheLogHasNoPlace) {
  Keep({.fields = ReportFields(48.1371541, 11.5761240)});
  const auto messages = Talk(geteuid(), Request("C-1"));
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0]["rows"][0]["fields"]["longitude_deg"], 11.5761240);
  EXPECT_EQ(messages[1]["kind"], "end");
  EXPECT_EQ(messages[1]["rows"], 1);
  const std::string text = *ReadWholeFile(disk_, "/vault/audit/audit.log");
  for (const std::string& word : {std::string("48.137"), std::string("11.576"),
                                  std::string("latitude"), VehicleOf(1).ToHex()}) {
    EXPECT_EQ(text.find(word), std::string::npos);
  }
}

TEST_F(ServiceTest, AnIncompleteRequestAndNonsenseGetAnAnswerAndNothingElse) {
  EXPECT_EQ(Talk(geteuid(), Request(""))[0]["code"], "invalid");
  EXPECT_EQ(AuditEntries().back()["event"], "refusal");
  for (const char* nonsense : {"", "{", "[]", "{\"op\":1}", "{\"op\":\"place\"}", "\xff\xfe"}) {
    const auto messages = Talk(geteuid(), nonsense);
    ASSERT_EQ(messages.size(), 1u) << nonsense;
    EXPECT_EQ(messages[0]["kind"], "error");
  }
}

TEST_F(ServiceTest, TheAuditLogIsListedWithItsCheck) {
  (void)Talk(geteuid(), Request("C-1"));
  const auto messages = Talk(geteuid(), R"({"op":"audit"})");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0]["entries"].size(), 4u) << "policy, intent, vehicle, outcome";
  EXPECT_EQ(messages[1]["verified"], true);
  EXPECT_EQ(messages[1]["entries_total"], 4);
}

}  // namespace
}  // namespace telltale::vault
