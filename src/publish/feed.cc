#include "publish/feed.h"

#include "net/http_target.h"

namespace telltale::publish {

net::HttpResponse Feed::Handle(const net::HttpRequest& request) {
  if (request.path == "/healthz") return {200, "text/plain", "ok\n"};
  if (request.path != "/v1/alerts") {
    return {404, "text/plain", "there is /v1/alerts, /v1/alerts/feed and /healthz\n"};
  }
  std::uint64_t limit = 100;
  if (const auto given = request.query.find("limit"); given != request.query.end()) {
    const auto number = net::ParseNumber(given->second);
    if (!number || *number < 1 || *number > kAlertsListedMax) {
      return {400, "text/plain", "limit is a whole number from 1 to 1000\n"};
    }
    limit = *number;
  }
  auto list = store_.ListJson(static_cast<std::size_t>(limit));
  if (!list.ok()) return {503, "text/plain", "the alert store cannot be read\n"};
  return {200, "application/json", std::move(list).value()};
}

Result<std::vector<net::StreamEvent>> Feed::EventsAfter(std::uint64_t after,
                                                        std::size_t bytes_max) {
  ASSIGN_OR_RETURN(auto changes, store_.ChangesAfter(after, bytes_max));
  std::vector<net::StreamEvent> events;
  events.reserve(changes.size());
  for (AlertChange& change : changes) events.push_back({change.number, std::move(change.data)});
  return events;
}

}  // namespace telltale::publish
