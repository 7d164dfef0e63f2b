#include "app/subject_vault.h"

#include <optional>

#include "base/local_socket.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kAnswerTimeout{60'000};

Code CodeOf(const std::string& name) {
  for (const Code code : {Code::kInvalid, Code::kNotFound, Code::kExists, Code::kTooBig,
                          Code::kOverloaded, Code::kRefused, Code::kCorrupt, Code::kUnsupported}) {
    if (name == CodeName(code)) return code;
  }
  return Code::kUnavailable;
}

// Of a key that may be absent or of another type.
std::string TextOr(const json& from, const char* key, const std::string& otherwise) {
  const auto found = from.find(key);
  return found != from.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

}  // namespace

Result<json> VaultSocket::Ask(const json& request,
                              const std::function<void(const json&)>& message) {
  auto connection = LocalConnection::Connect(path_);
  if (!connection.ok()) {
    return Error{Code::kUnavailable, "the vault does not answer; is `telltale serve` running?"};
  }
  // A refused user is answered before the request is read: that the request could not be sent is
  // then no news.
  (void)connection->Send(request.dump(-1, ' ', false, json::error_handler_t::replace));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<std::string> frame, connection->Receive(kAnswerTimeout));
    if (!frame) return Error{Code::kUnavailable, "the vault took too long to answer"};
    json answer = json::parse(*frame, nullptr, false);
    if (!answer.is_object()) {
      return Error{Code::kUnavailable, "the vault's answer cannot be read"};
    }
    const std::string kind = TextOr(answer, "kind", "");
    if (kind == "end") return answer;
    if (kind == "error") {
      return Error{CodeOf(TextOr(answer, "code", "")),
                   TextOr(answer, "message", "the vault refused")};
    }
    message(answer);
  }
}

}  // namespace telltale::app
