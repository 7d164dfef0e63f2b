// Whatever is asked, it is understood whole or refused; what is understood comes out of the book as
// it went in, under the same hash.
#include "base/check.h"
#include "vault/access/request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale;
  using namespace telltale::vault;
  const auto message = nlohmann::json::parse(data, data + size, nullptr, false);
  if (!message.is_object()) return 0;
  const auto request = ParseRequest(message);
  if (!request.ok()) {
    CHECK(!request.error().message.empty());
    return 0;
  }
  CHECK(request->kind != RequestKind::kQuery || request->query.from < request->query.to);
  const auto dump = [](const nlohmann::json& value) {
    return value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  };
  const std::string body = dump(request->Body());
  const auto again = Request::FromBody(nlohmann::json::parse(body), request->query.vehicles);
  CHECK(again.ok());
  CHECK(dump(again->Body()) == body);
  CHECK(again->query.vehicles == request->query.vehicles);
  return 0;
}
