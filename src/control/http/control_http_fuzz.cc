// Whatever the request: an answer with a status, never a crash. The first byte chooses the method;
// then the target up to the first line feed, then the body.
#include "base/check.h"
#include "control/http/control_http.h"
#include "net/http_target.h"

namespace {

using namespace telltale;

class Echo final : public control::Plane {
 public:
  Result<nlohmann::json> Do(const control::Actor&, std::string_view,
                            const nlohmann::json& arguments) override {
    const auto body = arguments.find("body");
    if (body != arguments.end() && body->is_binary()) return *body;
    CHECK(!arguments.dump().empty());  // throws where a text is not UTF-8
    return arguments;
  }
  Status Tick() override { return Ok(); }
};

control::ControlHttp& Door() {
  static Echo plane;
  static control::TokenBook tokens;
  static const ManualClock clock(Micros{1});
  static const auto door = control::ControlHttp::Make(plane, tokens, clock);
  tokens.SetLocal("t", "local:1");
  CHECK(door.ok());
  return **door;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  constexpr net::HttpMethod kMethods[] = {net::HttpMethod::kGet, net::HttpMethod::kPost,
                                          net::HttpMethod::kPut, net::HttpMethod::kDelete};
  const std::string text(data + 1, data + size);
  const std::size_t line = text.find('\n');
  auto request = net::ParseTarget(std::string_view(text).substr(0, line));
  if (!request) return 0;
  request->method = kMethods[data[0] % 4];
  request->bearer = "t";
  if (line != std::string::npos) request->body = text.substr(line + 1);
  if (Door().RouteOf(request->path).methods.empty()) return 0;
  const net::HttpAnswer answer = Door().Serve(*request);
  CHECK(answer.response.status >= 200 && answer.response.status <= 599);
  return 0;
}
