#include "vault/service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "base/stop.h"

namespace telltale::vault {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kRequestTimeout{5000};
constexpr milliseconds kAcceptPause{200};
constexpr milliseconds kEndTimeout{500};
constexpr Micros kRefusalWindow = Micros::Seconds(10);
constexpr std::uint64_t kRefusalsRecorded = 20;  // of one uid in that time
constexpr std::size_t kEntriesPerMessage = 500;
constexpr std::uint64_t kEntriesMax = 100'000;

std::string ErrorMessage(const Error& error) {
  return json{{"kind", "error"}, {"code", CodeName(error.code)}, {"message", error.message}}.dump(
      -1, ' ', true, json::error_handler_t::replace);
}

std::uint64_t NumberOr(const json& request, const char* key, std::uint64_t otherwise) {
  const auto found = request.find(key);
  return found != request.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                               : otherwise;
}

}  // namespace

Service::Service(Store& store, QueryDoor& door, Clock& clock, Counters& counters,
                 std::vector<std::uint32_t> allowed_uids)
    : store_(store),
      door_(door),
      clock_(clock),
      counters_(counters),
      allowed_uids_(std::move(allowed_uids)) {}

bool Service::IsAllowed(std::uint32_t uid) const {
  return std::find(allowed_uids_.begin(), allowed_uids_.end(), uid) != allowed_uids_.end();
}

void Service::RecordRefusal(std::uint32_t uid, const std::string& reason) {
  counters_.Get("refusals").Add();
  AuditFields fields{{"uid", std::to_string(uid)}, {"reason", AuditText(reason)}};
  {
    MutexLock lock(mutex_);
    Refusals& refusals = refusals_[uid];
    const Micros now = clock_.NowMonotonic();
    if (refusals.recorded == 0 || now - refusals.since >= kRefusalWindow) {
      if (refusals.left_out > 0) {
        fields.emplace_back("repeated", std::to_string(refusals.left_out));
      }
      refusals = {now, 0, 0};
    }
    if (refusals.recorded >= kRefusalsRecorded) {
      ++refusals.left_out;
      return;
    }
    ++refusals.recorded;
  }
  const auto written = store_.audit().Append("refusal", fields);
  if (!written.ok()) spdlog::error("vault: {}", written.error().ToString());
}

void Service::Serve(LocalConnection& connection) {
  const std::uint32_t uid = connection.PeerUid();
  const Send send = [&](std::string_view message) { return connection.Send(message); };
  if (!IsAllowed(uid)) {
    RecordRefusal(uid, "uid_not_allowed");
    (void)send(ErrorMessage({Code::kRefused,
                             "your user may not ask the vault; vault.allowed_uids in "
                             "telltale.yaml names who may. The attempt is recorded."}));
    return;
  }
  const auto frame = connection.Receive(kRequestTimeout);
  if (!frame.ok() || !frame->has_value()) return;
  const Status answered = Answer(**frame, uid, send);
  if (answered.ok()) return;
  spdlog::warn("vault: a request ended with {}", CodeName(answered.error().code));
  (void)send(ErrorMessage(answered.error()));
}

Status Service::Answer(const std::string& frame, std::uint32_t uid, const Send& send) {
  const json request = json::parse(frame, nullptr, false);
  if (!request.is_object()) return Error{Code::kInvalid, "a request is a JSON object"};
  const auto op = request.find("op");
  if (op == request.end() || !op->is_string()) {
    return Error{Code::kInvalid, "op is required: query, audit or status"};
  }
  if (*op == "query") {
    const auto query = QueryRequest::Parse(request, uid);
    if (!query.ok()) {
      RecordRefusal(uid, "request_incomplete");
      return query.error();
    }
    return door_.Run(*query, send);
  }
  if (*op == "audit") return ListAudit(request, send);
  if (*op != "status") return Error{Code::kInvalid, "op must be query, audit or status"};
  json status{{"kind", "end"}};
  status["counters"] = json::parse(counters_.ToJson(), nullptr, false);
  status["audit_problem"] = store_.audit().problem();
  return send(status.dump());
}

Status Service::ListAudit(const json& request, const Send& send) {
  const std::uint64_t from = NumberOr(request, "from", 1);
  const std::uint64_t limit = std::min(NumberOr(request, "limit", kEntriesMax), kEntriesMax);
  json entries = json::array();
  std::uint64_t count = 0;
  Status sent;
  const auto flush = [&] {
    if (entries.empty() || !sent.ok()) return;
    sent = send(json{{"kind", "entries"}, {"entries", entries}}.dump(
        -1, ' ', true, json::error_handler_t::replace));
    entries = json::array();
  };
  const auto check = store_.audit().List(from, limit, [&](std::string_view line) {
    entries.push_back(std::string(line));
    ++count;
    if (entries.size() >= kEntriesPerMessage) flush();
  });
  if (!check.ok()) return check.error();
  flush();
  RETURN_IF_ERROR(sent);
  return send(json{{"kind", "end"},
                   {"count", count},
                   {"entries_total", check->head.entries},
                   {"hash", check->head.hash},
                   {"verified", check->problem.empty()},
                   {"problem", check->problem}}
                  .dump(-1, ' ', true, json::error_handler_t::replace));
}

Status Service::Run(std::shared_ptr<Service> service, LocalListener listener) {
  while (!StopRequested()) {
    auto accepted = listener.Accept(kAcceptPause);
    if (!accepted.ok()) {
      spdlog::warn("vault: {}", accepted.error().ToString());
      if (WaitForStop(kAcceptPause)) break;
      continue;
    }
    if (!accepted->has_value()) continue;
    if (!service->Enter()) {
      (void)(*accepted)->Send(
          ErrorMessage({Code::kOverloaded, "the vault is answering others; ask again"}));
      continue;
    }
    std::thread([service, connection = std::move(**accepted)]() mutable {
      service->Serve(connection);
      service->Leave();
    }).detach();
  }
  service->WaitUntilIdle(kEndTimeout);
  return Ok();
}

bool Service::Enter() {
  MutexLock lock(mutex_);
  if (connections_ >= kConnectionsMax) return false;
  ++connections_;
  return true;
}

void Service::Leave() {
  MutexLock lock(mutex_);
  --connections_;
  idle_.notify_all();
}

void Service::WaitUntilIdle(milliseconds timeout) {
  MutexLock lock(mutex_);
  while (connections_ > 0) {
    if (idle_.wait_for(mutex_, timeout) == std::cv_status::timeout) return;
  }
}

}  // namespace telltale::vault
