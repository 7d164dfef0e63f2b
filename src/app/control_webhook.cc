#include "app/control_webhook.h"

#include <fmt/format.h>
#include <openssl/hmac.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::size_t kAtOnce = 8;
constexpr std::size_t kSecretBytesMin = 16;
constexpr std::chrono::milliseconds kTimeout{3000};

// What control keeps for itself is not told.
std::string BodyOf(json event) {
  for (const char* own : {"tries", "last_error", "again_at_us"}) event.erase(own);
  return event.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Where the path of the URL begins.
std::size_t PathAt(const std::string& url) {
  const std::size_t host = url.find("://");
  return host == std::string::npos ? url.size() : std::min(url.find('/', host + 3), url.size());
}

}  // namespace

std::string WebhookSignature(std::string_view secret, std::int64_t timestamp_s,
                             std::string_view body) {
  const std::string text = fmt::format("{}.{}", timestamp_s, body);
  std::array<std::uint8_t, 32> digest{};
  unsigned size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  CHECK(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes, text.size(),
             digest.data(), &size) != nullptr);
  CHECK(size == digest.size());
  return "sha256=" + HexEncode(digest);
}

Result<std::string> ControlWebhook::Secret() {
  auto text = ReadWholeFile(parts_.disk, options_.secret_file, 4096);
  if (!text.ok()) return text.error();
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (text->size() >= kSecretBytesMin) return std::move(*text);
  return Error{Code::kInvalid,
               fmt::format("the secret in control.webhook_secret_file has less than {} bytes",
                           kSecretBytesMin)};
}

Status ControlWebhook::Tell(const json& event) {
  ASSIGN_OR_RETURN(const std::string secret, Secret());
  const std::int64_t timestamp_s = parts_.clock.NowUtc().value / 1'000'000;
  net::HttpQuestion question{.method = net::HttpMethod::kPost, .body = BodyOf(event)};
  const std::size_t path_at = PathAt(options_.url);
  question.target = path_at < options_.url.size() ? options_.url.substr(path_at) : "/";
  question.headers = {
      {"Telltale-Event", event.at("event")},
      {"Telltale-Delivery", std::to_string(event.at("number").get<std::uint64_t>())},
      {"Telltale-Timestamp", std::to_string(timestamp_s)},
      {"Telltale-Signature", WebhookSignature(secret, timestamp_s, question.body)}};
  ASSIGN_OR_RETURN(
      const net::HttpResponse answer,
      parts_.ask({.url = options_.url.substr(0, path_at), .ca = options_.ca, .timeout = kTimeout},
                 question));
  if (answer.status >= 200 && answer.status < 300) return Ok();
  return Error{Code::kUnavailable, fmt::format("the receiver answers {}", answer.status)};
}

// Whether the next one may be told.
bool ControlWebhook::Settle(json event, const Status& told) {
  control::EventFate fate = control::EventFate::kTold;
  if (told.ok()) {
    parts_.counters.Get("webhook_told").Add();
  } else {
    parts_.counters.Get("webhook_failures").Add();
    const int tries = event.value("tries", 0) + 1;
    const Micros pause =
        std::min(Micros::Seconds(std::int64_t{1} << std::min(tries - 1, 20)), kWebhookPauseMax);
    event["tries"] = tries;
    event["last_error"] = told.error().ToString();
    event["again_at_us"] = (parts_.clock.NowUtc() + pause).value;
    fate = tries >= kWebhookTriesMax ? control::EventFate::kDead : control::EventFate::kAgain;
  }
  if (fate == control::EventFate::kDead) {
    parts_.counters.Get("webhook_dead").Add();
    spdlog::error("control: webhook: event {} is given up after {} tries",
                  event.at("number").get<std::uint64_t>(), kWebhookTriesMax);
  }
  const std::string trouble = told.ok() ? "" : told.error().ToString();
  if (trouble != trouble_ && !trouble.empty()) spdlog::warn("control: webhook: {}", trouble);
  trouble_ = trouble;
  const Status kept = parts_.plane.KeepEvent(event, fate);
  return kept.ok() && fate != control::EventFate::kAgain;
}

void ControlWebhook::Look() {
  const auto events = parts_.plane.Events(kAtOnce);
  if (!events.ok()) return;
  Counter& waiting = parts_.counters.Get("webhook_waiting");
  waiting.Add(events->size() - waiting.value());
  for (const json& event : *events) {
    // A clock that was set back must not put it off for ever.
    const std::int64_t wait_us =
        event.value("again_at_us", std::int64_t{0}) - parts_.clock.NowUtc().value;
    if (wait_us > 0 && wait_us <= kWebhookPauseMax.value) return;
    if (!Settle(event, Tell(event))) return;
  }
}

}  // namespace telltale::app
