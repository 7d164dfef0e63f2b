// What is to be told outside: written with what happened, in one transaction, and kept until it was
// told or given up.
#include <fmt/format.h>

#include "control/plane_state.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr const char* kWaiting = "events";
constexpr const char* kDead = "dead-events";
constexpr std::size_t kWaitingMax = 10'000;  // more are dead at once: nobody has listened for long
constexpr std::size_t kDeadMax = 1'000;      // the oldest go, and are counted

std::string KeyOf(std::uint64_t number) { return fmt::format("{:016}", number); }

}  // namespace

Status PlaneState::AddEvent(std::string_view name, const json& rollout) {
  if (!options_.keeps_events) return Ok();
  ASSIGN_OR_RETURN(auto count, db_.Find("counts", kWaiting));
  json counts = count ? std::move(*count) : json{{"next", 1}, {"dropped", 0}};
  const auto number = counts.at("next").get<std::uint64_t>();
  counts["next"] = number + 1;
  RETURN_IF_ERROR(db_.Put("counts", kWaiting, counts));
  const json event = {{"number", number},
                      {"event", name},
                      {"at", FormatUtc(Now())},
                      {"environment", rollout.at("environment")},
                      {"rollout", rollout.at("id")},
                      {"candidate", rollout.at("candidate")},
                      {"stable", rollout.at("stable")},
                      {"stage", rollout.at("stage")},
                      {"phase", rollout.at("phase")},
                      {"gate", rollout.value("gate", json())},
                      {"reason", rollout.at("reason")},
                      {"tries", 0},
                      {"last_error", ""}};
  ASSIGN_OR_RETURN(const auto waiting, db_.List(kWaiting));
  if (waiting.size() >= kWaitingMax) return PutDeadEvent(event);
  return db_.Put(kWaiting, KeyOf(number), event);
}

// Within the caller's transaction.
Status PlaneState::PutDeadEvent(const json& event) {
  RETURN_IF_ERROR(db_.Put(kDead, KeyOf(event.at("number").get<std::uint64_t>()), event));
  ASSIGN_OR_RETURN(const auto dead, db_.List(kDead));
  if (dead.size() <= kDeadMax) return Ok();
  const std::size_t over = dead.size() - kDeadMax;
  for (std::size_t i = 0; i < over; ++i) {
    RETURN_IF_ERROR(db_.Delete(kDead, KeyOf(dead[i].at("number").get<std::uint64_t>())));
  }
  ASSIGN_OR_RETURN(auto counts, db_.Find("counts", kWaiting));
  if (!counts) return Ok();
  (*counts)["dropped"] = counts->at("dropped").get<std::uint64_t>() + over;
  return db_.Put("counts", kWaiting, *counts);
}

Result<std::vector<json>> PlaneState::Events(std::size_t most) {
  if (!IsLeader()) return std::vector<json>();
  ASSIGN_OR_RETURN(auto events, db_.List(kWaiting));
  if (events.size() > most) events.resize(most);
  return events;
}

Status PlaneState::KeepEvent(const json& event, EventFate fate) {
  const std::string key = KeyOf(event.at("number").get<std::uint64_t>());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  if (fate == EventFate::kAgain) {
    RETURN_IF_ERROR(db_.Put(kWaiting, key, event));
    return transaction.Commit();
  }
  RETURN_IF_ERROR(db_.Delete(kWaiting, key));
  if (fate == EventFate::kDead) RETURN_IF_ERROR(PutDeadEvent(event));
  return transaction.Commit();
}

// null where nobody is told.
Result<json> PlaneState::EventsInShort() {
  if (!options_.keeps_events) return json();
  ASSIGN_OR_RETURN(const auto waiting, db_.List(kWaiting));
  ASSIGN_OR_RETURN(const auto dead, db_.List(kDead));
  ASSIGN_OR_RETURN(const auto counts, db_.Find("counts", kWaiting));
  json letters = json::array();
  for (std::size_t i = dead.size() > 20 ? dead.size() - 20 : 0; i < dead.size(); ++i) {
    letters.push_back({{"number", dead[i].at("number")},
                       {"event", dead[i].at("event")},
                       {"rollout", dead[i].at("rollout")},
                       {"at", dead[i].at("at")},
                       {"last_error", dead[i].at("last_error")}});
  }
  return json{{"waiting", waiting.size()},
              {"last_error", waiting.empty() ? json("") : waiting.front().at("last_error")},
              {"dead", dead.size()},
              {"dropped", counts ? counts->at("dropped") : json(0)},
              {"dead_letters", std::move(letters)}};
}

}  // namespace telltale::control
