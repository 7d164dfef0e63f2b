#include "vault/query.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "base/checksum.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

constexpr std::size_t kMessageBytes = 256u << 10;  // rows are sent in pieces of about this size
constexpr std::size_t kSaltSize = 16;

Result<std::string> Words(const json& request, const char* key) {
  const auto found = request.find(key);
  std::string text = found != request.end() && found->is_string() ? found->get<std::string>() : "";
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  const bool blank = text.find_first_not_of(' ') == std::string::npos;
  if (blank || !printable || text.size() > kPurposeCharactersMax) {
    return Error{Code::kInvalid, fmt::format("{} is required: 1 to {} printable characters", key,
                                             kPurposeCharactersMax)};
  }
  return text;
}

Result<Micros> Time(const json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_number_integer()) {
    return Error{Code::kInvalid, fmt::format("{} is required: microseconds UTC", key)};
  }
  return Micros{found->get<std::int64_t>()};
}

class RunningDigest {
 public:
  RunningDigest() : context_(EVP_MD_CTX_new()) {
    CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void Add(std::string_view bytes) {
    CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string Hex() {
    std::array<std::uint8_t, 32> digest{};
    CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
    return HexEncode(digest);
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

struct Row {
  Micros event_time;
  BootId boot;
  std::uint64_t seq = 0;
  std::string text;
};

// As requests and the audit log call it.
std::string ClassName(FrameClass frame_class) {
  switch (frame_class) {
    case FrameClass::kQuarantine:
      return "quarantine";
    case FrameClass::kUnknown:
      return "unknown";
    case FrameClass::kData:
    case FrameClass::kRefused:  // never asked for
      break;
  }
  return "data";
}

}  // namespace

Result<QueryRequest> QueryRequest::Parse(const json& request, std::uint32_t uid) {
  QueryRequest query;
  query.uid = uid;
  const auto vehicle = request.find("vehicle_ref");
  if (vehicle == request.end() || !vehicle->is_string()) {
    return Error{Code::kInvalid, "vehicle_ref is required: 32 hex digits"};
  }
  ASSIGN_OR_RETURN(query.vehicle, VehicleRef::FromHex(vehicle->get<std::string>()));
  ASSIGN_OR_RETURN(query.from, Time(request, "from_us"));
  ASSIGN_OR_RETURN(query.to, Time(request, "to_us"));
  if (query.from >= query.to) return Error{Code::kInvalid, "from_us must be before to_us"};
  ASSIGN_OR_RETURN(query.purpose, Words(request, "purpose"));
  ASSIGN_OR_RETURN(query.case_id, Words(request, "case"));
  const auto wanted = request.find("class");
  if (wanted == request.end()) return query;
  for (const FrameClass one : {FrameClass::kData, FrameClass::kQuarantine, FrameClass::kUnknown}) {
    if (*wanted != ClassName(one)) continue;
    query.frame_class = one;
    return query;
  }
  return Error{Code::kInvalid, "class must be data, quarantine or unknown"};
}

struct QueryDoor::Answer {
  const Send& send;
  std::string salt;
  RunningDigest digest;
  std::uint64_t rows = 0;
  std::uint64_t repeats = 0;
  std::uint64_t damaged = 0;
  std::set<std::tuple<BootId, std::uint64_t, std::uint64_t>> seen;  // boot, seq, content

  Status SendRows(const std::vector<Row>& sorted) {
    std::string message;
    std::uint64_t in_message = 0;
    for (const Row& row : sorted) {
      message += message.empty() ? R"({"kind":"rows","rows":[)" : ",";
      message += row.text;
      digest.Add(row.text);
      digest.Add("\n");
      ++in_message;
      if (message.size() < kMessageBytes && &row != &sorted.back()) continue;
      RETURN_IF_ERROR(send(message + "]}"));
      rows += in_message;
      in_message = 0;
      message.clear();
    }
    return Ok();
  }
};

Status QueryDoor::Run(const QueryRequest& request, const Send& send) {
  counters_.Get("queries").Add();
  const auto intent =
      store_.audit().Append("intent", {{"op", AuditText("query")},
                                       {"uid", std::to_string(request.uid)},
                                       {"vehicle_ref", AuditText(request.vehicle.ToHex())},
                                       {"from_us", std::to_string(request.from.value)},
                                       {"to_us", std::to_string(request.to.value)},
                                       {"class", AuditText(ClassName(request.frame_class))},
                                       {"purpose", AuditText(request.purpose)},
                                       {"case", AuditText(request.case_id)}});
  if (!intent.ok()) {
    counters_.Get("refusals").Add();
    return Annotate(intent.error(), "no row leaves without a record of it");
  }
  std::array<std::uint8_t, kSaltSize> salt{};
  random_.Fill(salt);
  Answer answer{send, HexEncode(salt), {}, 0, 0, 0, {}};
  answer.digest.Add(AsText(salt));
  const Status streamed = Stream(request, answer);
  const std::string digest = answer.digest.Hex();
  counters_.Get("rows_sent").Add(answer.rows);
  const auto outcome = store_.audit().Append(
      "outcome",
      {{"intent", std::to_string(*intent)},
       {"uid", std::to_string(request.uid)},
       {"rows", std::to_string(answer.rows)},
       {"digest", AuditText(digest)},
       {"result", AuditText(streamed.ok() ? "complete" : CodeName(streamed.error().code))}});
  RETURN_IF_ERROR(streamed);
  if (!outcome.ok()) return Annotate(outcome.error(), "recording the outcome");
  return send(json{
      {"kind", "end"},
      {"rows", answer.rows},
      {"repeats", answer.repeats},
      {"damaged", answer.damaged},
      {"digest", digest},
      {"salt", answer.salt},
      {"intent",
       *intent}}.dump());
}

Status QueryDoor::Stream(const QueryRequest& request, Answer& answer) {
  ASSIGN_OR_RETURN(const std::vector<FrameRef> refs,
                   store_.Find(request.vehicle, request.frame_class, request.from, request.to));
  std::size_t start = 0;
  while (start < refs.size()) {
    const Hour hour = refs[start].segment->head.hour;
    std::size_t end = start;
    while (end < refs.size() && refs[end].segment->head.hour == hour) ++end;
    RETURN_IF_ERROR(SendHour(request, std::span(refs).subspan(start, end - start), answer));
    start = end;
  }
  return Ok();
}

json QueryDoor::RowOf(const Frame& frame, const FrameEntry& entry) {
  json row{{"event_time", FormatUtc(entry.event_time)},
           {"event_time_us", entry.event_time.value},
           {"receipt_time_us", frame.receipt_time.value},
           {"boot", fmt::format("{}-{:016x}", frame.boot.counter, frame.boot.random)},
           {"seq", entry.seq},
           {"firmware", frame.firmware},
           {"contract", frame.contract_number}};
  if (frame.frame_class != FrameClass::kQuarantine) {
    decoder_.Decode(frame.contract_number, entry.fields, row);
  } else {
    row["reason"] = ReasonName(frame.reason);
    row["wire"] = HexEncode(entry.fields);
  }
  return row;
}

Status QueryDoor::SendHour(const QueryRequest& request, std::span<const FrameRef> refs,
                           Answer& answer) {
  Store::FrameReader reader(store_);
  std::vector<Row> rows;
  for (const FrameRef& ref : refs) {
    const Result<Frame> frame = reader.Read(ref);
    if (!frame.ok()) {
      if (frame.error().code == Code::kNotFound) break;  // its hour has begun
      ++answer.damaged;
      counters_.Get("frames_damaged").Add();
      continue;
    }
    for (const FrameEntry& entry : frame->entries) {
      // The exact edge: the key lives until the hour begins, the reader's right may end before.
      if (!store_.IsReadable(ref.segment->head, entry.basis)) continue;
      if (entry.event_time < request.from || entry.event_time >= request.to) continue;
      const std::uint64_t content = ContentHash(AsBytes(entry.fields));
      if (!answer.seen.insert({frame->boot, entry.seq, content}).second) {
        ++answer.repeats;
        continue;
      }
      if (answer.seen.size() > kRowsMax) {
        return Error{Code::kTooBig,
                     fmt::format("more than {} rows; ask for a shorter interval", kRowsMax)};
      }
      json row = RowOf(*frame, entry);
      rows.push_back({entry.event_time, frame->boot, entry.seq,
                      row.dump(-1, ' ', true, json::error_handler_t::replace)});
    }
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.event_time, a.boot, a.seq, a.text) <
           std::tie(b.event_time, b.boot, b.seq, b.text);
  });
  return answer.SendRows(rows);
}

}  // namespace telltale::vault
