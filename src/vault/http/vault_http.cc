#include "vault/http/vault_http.h"

#include <thread>

#include "vault/http/answer_pipe.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

constexpr std::string_view kPrefix = "/v1/";
constexpr const char* kLines = "application/x-ndjson";

net::HttpResponse ErrorResponse(const Error& error) {
  net::HttpResponse response;
  response.status = net::HttpStatusOf(error.code);
  response.body = ErrorMessage(error) + "\n";
  if (response.status == 503) response.fields = {{"Retry-After", "1"}};
  return response;
}

// One line a row; other messages as they are.
std::string LinesOf(std::string_view message) {
  std::string lines;
  if (AppendNdjson(message, lines)) return lines;
  return std::string(message) + "\n";
}

class PipeSource final : public net::HttpSource {
 public:
  explicit PipeSource(std::shared_ptr<AnswerPipe> pipe) : pipe_(std::move(pipe)) {}
  ~PipeSource() override { pipe_->Cancel(); }

  net::HttpPiece Pull(std::size_t bytes_max, const Wake& wake) override {
    using State = net::HttpPiece::State;
    if (rest_.empty()) {
      const AnswerPipe::Taken taken = pipe_->Take(wake);
      if (taken.message) {
        rest_ = LinesOf(*taken.message);
      } else if (!taken.has_ended) {
        return {.state = State::kNotYet};
      } else {
        // Without its `end` line an answer is incomplete; without the last chunk too.
        return {.state = taken.status.ok() ? State::kEnd : State::kFailed};
      }
    }
    net::HttpPiece piece{.state = State::kMore, .bytes = rest_.substr(0, bytes_max)};
    rest_.erase(0, piece.bytes.size());
    return piece;
  }
  void Cancel() override { pipe_->Cancel(); }

 private:
  const std::shared_ptr<AnswerPipe> pipe_;
  std::string rest_;
};

}  // namespace

VaultHttp::~VaultHttp() {
  MutexLock lock(mutex_);
  while (answers_ > 0) left_.Wait(mutex_);
}

net::HttpRoute VaultHttp::RouteOf(const std::string& path) {
  const bool is_op = path.starts_with(kPrefix) && path.size() > kPrefix.size() &&
                     path.find('/', kPrefix.size()) == std::string::npos;
  net::HttpRoute route;
  route.methods.clear();
  if (is_op) route.methods = {net::HttpMethod::kPost};
  return route;
}

net::HttpAnswer VaultHttp::Serve(const net::HttpRequest& request) {
  access::Caller caller;
  caller.common_name = request.peer.common_name;
  caller.fingerprint = request.peer.certificate_sha256;
  // A stranger is refused before anything he sent is read, and that is recorded.
  if (const Status admitted = door_.Admit(caller); !admitted.ok()) {
    return ErrorResponse(admitted.error());
  }
  json message = json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
  if (!message.is_object()) {
    return ErrorResponse(
        {Code::kInvalid, "the body is a JSON object; the operation is the path's"});
  }
  message["op"] = request.path.substr(kPrefix.size());
  if (!Enter()) {
    return ErrorResponse({Code::kOverloaded, "the vault is answering others; ask again"});
  }
  const auto pipe = std::make_shared<AnswerPipe>();
  std::thread([this, pipe, caller, message = std::move(message)] {
    pipe->End(door_.Handle(caller, message, [&](std::string_view one) { return pipe->Put(one); }));
    Leave();
  }).detach();
  const AnswerPipe::Beginning beginning = pipe->WaitForFirst();
  if (!beginning.message && !beginning.status.ok()) return ErrorResponse(beginning.status.error());
  net::HttpResponse head;
  head.content_type = kLines;
  return {std::move(head), std::make_shared<PipeSource>(pipe)};
}

bool VaultHttp::Enter() {
  MutexLock lock(mutex_);
  if (answers_ >= kHttpAnswersMax) return false;
  ++answers_;
  return true;
}

void VaultHttp::Leave() {
  MutexLock lock(mutex_);
  --answers_;
  left_.NotifyAll();
}

}  // namespace telltale::vault
