// The one way in: recorded before a row leaves, exact at the edge, shut when it cannot be recorded.
#include "vault/query.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "seal/seal.h"
#include "telltale/v1/telemetry.pb.h"
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
  static QueryRequest Asking() {
    QueryRequest request;
    request.vehicle = VehicleOf(1);
    request.from = kNow - Micros{kDay};
    request.to = kNow + Micros{kDay};
    request.purpose = "crash reconstruction";
    request.case_id = "C-17";
    request.uid = 1000;
    return request;
  }
  // Every message sent; `status` is Run()'s.
  std::vector<json> Ask(const QueryRequest& request, Status* status = nullptr) {
    std::vector<json> messages;
    const Status ran = Door().Run(request, [&](std::string_view message) {
      messages.push_back(json::parse(message));
      return Ok();
    });
    if (status != nullptr) {
      *status = ran;
    } else {
      EXPECT_TRUE(ran.ok()) << ran.error().ToString();
    }
    return messages;
  }
  std::vector<json> RowsOf(const QueryRequest& request) {
    std::vector<json> rows;
    for (const json& message : Ask(request)) {
      for (const json& row : message.value("rows", json::array())) {
        if (message["kind"] == "rows") rows.push_back(row);
      }
    }
    return rows;
  }
  QueryDoor Door() { return {*store_, decoder_, clock_, random_, counters_}; }
  std::vector<json> AuditEntries() {
    std::vector<json> entries;
    EXPECT_TRUE(
        store_->audit()
            .List(1, 1000,
                  [&](std::string_view line) { entries.push_back(json::parse(line.substr(65))); })
            .ok());
    return entries;
  }

  OpenedVault store_;
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

TEST_F(QueryTest, IntentAndOutcomeAreRecordedWithoutAnyCoordinate) {
  Keep({.fields = ReportFields(48.1371541, 11.5761240)});
  std::size_t entries_at_first_row = 0;
  ASSERT_TRUE(Door()
                  .Run(Asking(),
                       [&](std::string_view message) {
                         if (message.starts_with(R"({"kind":"rows")")) {
                           entries_at_first_row = AuditEntries().size();
                         }
                         return Ok();
                       })
                  .ok());
  EXPECT_EQ(entries_at_first_row, 1u) << "the intent is there before the first row leaves";
  const auto entries = AuditEntries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0]["event"], "intent");
  EXPECT_EQ(entries[0]["purpose"], "crash reconstruction");
  EXPECT_EQ(entries[0]["case"], "C-17");
  EXPECT_EQ(entries[0]["uid"], 1000);
  EXPECT_EQ(entries[0]["vehicle_ref"], VehicleOf(1).ToHex());
  EXPECT_EQ(entries[1]["event"], "outcome");
  EXPECT_EQ(entries[1]["rows"], 1);
  EXPECT_EQ(entries[1]["intent"], 1);
  const std::string text = *ReadWholeFile(disk_, "/vault/audit/audit.log");
  for (const char* place : {"48.137", "11.576", "latitude"}) {
    EXPECT_EQ(text.find(place), std::string::npos);
  }
}

TEST_F(QueryTest, TheDigestIsOfTheRowsAsSentUnderASaltOnlyTheAskerHas) {
  Keep({.fields = ReportFields(1, 2)});
  Keep({.seq = 1, .fields = ReportFields(1, 3)});
  const auto messages = Ask(Asking());
  const json& end = messages.back();
  std::string text = *HexDecode(end["salt"].get<std::string>());
  for (const json& row : messages[0]["rows"]) text += row.dump() + "\n";
  EXPECT_EQ(end["digest"], HexEncode(seal::Sha256(text)));
  const std::string log = *ReadWholeFile(disk_, "/vault/audit/audit.log");
  EXPECT_EQ(log.find(end["salt"].get<std::string>()), std::string::npos);
  EXPECT_NE(log.find(end["digest"].get<std::string>()), std::string::npos);
}

TEST_F(QueryTest, WhenTheAuditLogCannotBeWrittenNoRowLeaves) {
  Keep({.fields = ReportFields(1, 2)});
  const auto refused = [&] {
    Status status;
    const auto messages = Ask(Asking(), &status);
    return !status.ok() && messages.empty();
  };
  disk_.FailAfter(0);  // read-only
  EXPECT_TRUE(refused());
  disk_.FailNever();
  disk_.SetCapacity(1);  // full
  EXPECT_TRUE(refused());
  disk_.SetCapacity(1u << 30);
  EXPECT_FALSE(refused());
  ASSERT_TRUE(disk_.Remove("/vault/audit/audit.log").ok());  // gone, then replaced
  EXPECT_TRUE(refused());
  ASSERT_TRUE(WriteFileDurably(disk_, "/vault/audit/audit.log", "").ok());
  EXPECT_TRUE(refused());
}

TEST_F(QueryTest, ARowIsReadableToTheExactEdgeAndNotAfter) {
  const Micros event = kNow + Micros{1234567};
  clock_.JumpUtc(Micros{2'000'000});
  Keep({.event_time = event, .receipt_time = event, .fields = ReportFields(1, 2)});
  QueryRequest request = Asking();
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
  QueryRequest request = Asking();
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
  const auto messages = Ask(Asking());
  EXPECT_EQ(messages.back()["rows"], 2);
  EXPECT_EQ(messages.back()["repeats"], 1);
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

TEST_F(QueryTest, APeerThatHangsUpIsInTheOutcome) {
  Keep({.fields = ReportFields(1, 2)});
  const Status ran = Door().Run(Asking(), [](std::string_view) {
    return Status(Error{Code::kUnavailable, "the peer hung up"});
  });
  EXPECT_FALSE(ran.ok());
  const auto entries = AuditEntries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1]["result"], "unavailable");
  EXPECT_EQ(entries[1]["rows"], 0);
}

TEST_F(QueryTest, ARequestWithoutPurposeCaseVehicleOrIntervalIsRefused) {
  const json whole{{"op", "query"},       {"vehicle_ref", VehicleOf(1).ToHex()},
                   {"from_us", 1},        {"to_us", 2},
                   {"purpose", "repair"}, {"case", "C"}};
  ASSERT_TRUE(QueryRequest::Parse(whole, 1).ok());
  const std::vector<std::pair<std::string, json>> bad = {
      {"purpose", ""},      {"purpose", "  "},  {"purpose", std::string(201, 'x')},
      {"purpose", "a\nb"},  {"purpose", 7},     {"case", ""},
      {"case", nullptr},    {"from_us", 2},     {"to_us", "now"},
      {"vehicle_ref", "x"}, {"vehicle_ref", 1}, {"class", "refused"}};
  for (const auto& [key, value] : bad) {
    json request = whole;
    request[key] = value;
    EXPECT_EQ(QueryRequest::Parse(request, 1).error().code, Code::kInvalid) << key << value;
    request.erase(key);
    if (key != "class") {
      EXPECT_FALSE(QueryRequest::Parse(request, 1).ok()) << "without " << key;
    }
  }
}

class ServiceTest : public QueryTest {
 protected:
  // The service's messages to one request, over a real socket pair.
  std::vector<json> Talk(const std::vector<std::uint32_t>& allowed, const std::string& request) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    QueryDoor door = Door();
    Service service(*store_, door, clock_, counters_, allowed);
    std::vector<json> messages;
    {
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
    }
    return messages;
  }
  static std::string Request(const std::string& purpose) {
    return json{{"op", "query"},      {"vehicle_ref", VehicleOf(1).ToHex()},
                {"from_us", 0},       {"to_us", (kNow + Micros{kDay}).value},
                {"purpose", purpose}, {"case", "C-1"}}
        .dump();
  }
};

TEST_F(ServiceTest, AUserWhoIsNotNamedGetsNothingAndTheAttemptIsRecorded) {
  Keep({.fields = ReportFields(1, 2)});
  const auto messages = Talk({geteuid() + 1}, Request("repair"));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0]["kind"], "error");
  EXPECT_EQ(messages[0]["code"], "refused");
  const auto entries = AuditEntries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0]["event"], "refusal");
  EXPECT_EQ(entries[0]["uid"], geteuid());
  EXPECT_EQ(entries[0]["reason"], "uid_not_allowed");
}

TEST_F(ServiceTest, AskingWithoutEndDoesNotFillTheDiskAndTheRestIsCounted) {
  QueryDoor door = Door();
  Service service(*store_, door, clock_, counters_, {});
  const auto ask = [&] {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    LocalConnection asker(ends[0]);
    LocalConnection served(ends[1]);
    service.Serve(served);
  };
  for (int i = 0; i < 50; ++i) ask();
  EXPECT_EQ(AuditEntries().size(), 20u);
  clock_.Advance(Micros::Seconds(11));
  ask();
  const auto entries = AuditEntries();
  ASSERT_EQ(entries.size(), 21u);
  EXPECT_EQ(entries.back()["repeated"], 30);
  EXPECT_EQ(counters_.Get("refusals").value(), 51u);
}

TEST_F(ServiceTest, ANamedUserGetsRowsAndAnEnd) {
  Keep({.fields = ReportFields(1, 2)});
  const auto messages = Talk({geteuid()}, Request("repair"));
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0]["rows"][0]["fields"]["longitude_deg"], 2.0);
  EXPECT_EQ(messages[1]["kind"], "end");
  EXPECT_EQ(messages[1]["rows"], 1);
}

TEST_F(ServiceTest, AnIncompleteRequestIsRefusedAndRecorded) {
  const auto messages = Talk({geteuid()}, Request(""));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0]["code"], "invalid");
  EXPECT_EQ(AuditEntries().at(0)["event"], "refusal");
}

TEST_F(ServiceTest, NonsenseGetsAnAnswerAndNothingElse) {
  for (const char* nonsense : {"", "{", "[]", "{\"op\":1}", "{\"op\":\"place\"}", "\xff\xfe"}) {
    const auto messages = Talk({geteuid()}, nonsense);
    ASSERT_EQ(messages.size(), 1u) << nonsense;
    EXPECT_EQ(messages[0]["kind"], "error");
  }
}

TEST_F(ServiceTest, TheAuditLogIsListedWithItsCheck) {
  (void)Talk({geteuid()}, Request("repair"));
  const auto messages = Talk({geteuid()}, R"({"op":"audit"})");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0]["entries"].size(), 2u);
  EXPECT_EQ(messages[1]["verified"], true);
  EXPECT_EQ(messages[1]["entries_total"], 2);
}

}  // namespace
}  // namespace telltale::vault
