// The talking: looking at installations, and config records on their way.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_core.h"
#include "control/release.h"

namespace telltale::control {
namespace {

using nlohmann::json;

// After a call that failed: it may have cost its whole timeout.
constexpr Micros kAgain = Micros::Seconds(1);

bool IsBehind(const PartitionView& partition, const std::string& speaker) {
  return !partition.pending.empty() ||
         std::any_of(partition.lanes.begin(), partition.lanes.end(),
                     [&](const auto& lane) { return lane.release != speaker; });
}

// Of who was asked to go back before it looked around.
Sight FirstSight(Installation& installation) {
  Sight sight{.is_looked = true, .reason = "", .publisher_reason = ""};
  auto contracts = installation.InForceNow();
  auto publisher = installation.AskPublisher();
  if (contracts.ok()) sight.contracts = std::move(*contracts);
  if (!contracts.ok()) sight.reason = contracts.error().ToString();
  if (publisher.ok()) sight.publisher = std::move(*publisher);
  if (!publisher.ok()) sight.publisher_reason = publisher.error().ToString();
  return sight;
}

}  // namespace

Status PlaneCore::Tick() {
  MutexLock tick(tick_mutex_);
  std::vector<PlaneState::Place> places;
  {
    MutexLock lock(mutex_);
    RETURN_IF_ERROR(state_->Lead());
    ASSIGN_OR_RETURN(places, state_->Places());
  }
  std::erase_if(links_, [&](const auto& link) {
    return std::none_of(places.begin(), places.end(),
                        [&](const auto& place) { return place.key == link.first; });
  });
  Status worst = Ok();
  for (const PlaneState::Place& place : places) {
    try {
      if (const Status done = TickPlace(place); !done.ok() && worst.ok()) worst = done;
    } catch (const json::exception& error) {
      worst = Error{Code::kCorrupt, fmt::format("control.db, {}: {}", place.key, error.what())};
    }
    // Installations that do not answer must not cost the lease.
    MutexLock lock(mutex_);
    RETURN_IF_ERROR(state_->Lead());
  }
  return worst;
}

Status PlaneCore::TickPlace(const PlaneState::Place& place) {
  Link& link = links_[place.key];
  if (link.dir != place.dir) link = Link{.dir = place.dir};
  Sight sight = Look(place, link);
  std::optional<Call> halt;
  {
    MutexLock lock(mutex_);
    state_->See(place.key, std::move(sight));
    if (!link.installation) return Ok();
    ASSIGN_OR_RETURN(halt, state_->GateHalts(place.key));
  }
  if (halt) {
    const auto back = GoBack(*halt);
    if (!back.ok() && back.error().code != Code::kExists) return back.error();
  }
  const Micros now = options_.clock->NowMonotonic();
  if (!place.rejected.empty() && link.drafted != place.rejected && now >= link.draft_again) {
    link.draft_again = now + kAgain;
    const auto draft = DraftRepair(place.rejected);
    if (draft.ok() && draft->at("complete") == json(true)) link.drafted = place.rejected;
  }
  std::optional<Sending> sending;
  {
    MutexLock lock(mutex_);
    auto stepped = state_->Step(
        place.key, [&](const InForce& config) { return link.installation->Sign(config); });
    if (!stepped.ok()) return stepped.error();
    sending = std::move(*stepped);
  }
  if (sending) return Send(std::move(*sending), link);
  // Whatever could not be sent is wanted no more.
  link.append_reason.clear();
  link.order_reason.clear();
  return Ok();
}

Sight PlaneCore::Look(const PlaneState::Place& place, Link& link) {
  Sight sight{.is_looked = true};
  sight.reason = "";
  if (!link.installation) {
    auto opened = options_.open_installation(place.dir);
    if (!opened.ok()) {
      sight.reason = opened.error().ToString();
      sight.publisher_reason = sight.reason;
      return sight;
    }
    link.installation = std::move(*opened);
  }
  auto contracts = link.installation->InForceNow();
  if (contracts.ok()) {
    sight.contracts = std::move(*contracts);
    sight.reason = link.append_reason;
  } else {
    sight.reason = contracts.error().ToString();
  }
  sight.costs = link.installation->WorkerCosts();
  AskPublisher(link);
  sight.publisher = link.publisher;
  sight.publisher_reason =
      link.publisher_reason.empty() ? link.order_reason : link.publisher_reason;
  if (!place.pending_candidate.empty()) MakeReady(place, link, sight);
  if (place.gate && sight.contracts) {
    GateQuestion question = *place.gate;
    question.names.environment = sight.contracts->in_force.environment;
    sight.gate = link.gate.Look(*options_.disk, Paths(place.dir), *link.installation, question,
                                options_.clock->NowUtc());
  }
  return sight;
}

void PlaneCore::AskPublisher(Link& link) {
  if (options_.clock->NowMonotonic() < link.ask_again) return;
  auto view = link.installation->AskPublisher();
  if (view.ok()) {
    link.publisher = std::move(*view);
    link.publisher_reason.clear();
    return;
  }
  link.publisher_reason = view.error().ToString();
  link.ask_again = options_.clock->NowMonotonic() + kAgain;
}

// Whether the candidate decides about alerts as stable does. What cannot be compared runs twice.
bool PlaneCore::HasStablePath(const PlaneState::Place& place, const Components& candidate) {
  const auto manifest = ReadWholeFile(
      *options_.disk, Paths(place.dir).releases() + "/" + place.pending_stable + "/manifest.json");
  const auto stable = manifest.ok() ? ParseManifest(*manifest) : manifest.error();
  if (!stable.ok()) return false;
  const auto is_same = [&](const char* name) {
    const auto was = stable->find(name);
    const auto is = candidate.find(name);
    return was != stable->end() && is != candidate.end() && was->second == is->second;
  };
  if (!is_same("rules") || !is_same("engine")) return false;
  if (is_same("contract")) return true;
  const auto diff = options_.releases->Diff(place.pending_stable, place.pending_candidate);
  return diff.ok() && diff->contains("dual_run") && !diff->at("dual_run").value("safety", true);
}

// The candidate's files, once; and which contract it was made for.
void PlaneCore::MakeReady(const PlaneState::Place& place, Link& link, Sight& sight) {
  const std::string& candidate = place.pending_candidate;
  const Paths paths(place.dir);
  const std::string manifest_path = paths.releases() + "/" + candidate + "/manifest.json";
  sight.candidate = candidate;
  if (link.installed != candidate) {
    const Status installed = options_.releases->InstallInto(paths, candidate);
    if (!installed.ok() && !options_.disk->Exists(manifest_path)) {
      sight.install_reason = installed.error().ToString();
      return;
    }
  }
  const auto manifest = ReadWholeFile(*options_.disk, manifest_path);
  const auto components = manifest.ok() ? ParseManifest(*manifest) : manifest.error();
  if (!components.ok()) {
    sight.install_reason = components.error().ToString();
    return;
  }
  link.installed = candidate;
  sight.install_reason.clear();
  const auto contract = components->find("contract");
  if (contract != components->end()) sight.contract_digest = contract->second;
  const std::string pair = place.pending_stable + " " + candidate;
  if (std::exchange(link.compared, pair) != pair) {
    link.has_stable_path = HasStablePath(place, *components);
  }
  sight.has_stable_path = link.has_stable_path;
}

void PlaneCore::SendToLog(ConfigRow& row, Link& link) {
  if (row.is_sent_to_log || options_.clock->NowMonotonic() < link.append_again) return;
  const Status appended = link.installation->AppendToLog(row.signed_bytes);
  row.is_sent_to_log = appended.ok();
  link.append_reason = appended.ok() ? "" : appended.error().ToString();
  if (!appended.ok()) link.append_again = options_.clock->NowMonotonic() + kAgain;
}

void PlaneCore::SendToPublisher(ConfigRow& row, Link& link) {
  if (row.is_sent_to_publisher || options_.clock->NowMonotonic() < link.ask_again) return;
  auto view = link.installation->Order(row.signed_bytes);
  row.is_sent_to_publisher = view.ok();
  link.order_reason = view.ok() ? "" : view.error().ToString();
  if (view.ok()) {
    link.publisher = std::move(*view);
  } else {
    link.ask_again = options_.clock->NowMonotonic() + kAgain;
  }
}

// Forward the log hears of it first, so that no authority moves that a replay would not know of.
// Back the publisher does, since nothing may keep it.
Status PlaneCore::Send(Sending sending, Link& link) {
  ConfigRow& row = sending.row;
  if (sending.is_back) SendToPublisher(row, link);
  SendToLog(row, link);
  if (!sending.is_back && row.is_sent_to_log) SendToPublisher(row, link);
  MutexLock lock(mutex_);
  return state_->NoteSent(row);
}

Result<json> PlaneCore::GoBack(const Call& call) {
  const Micros decided_at = options_.clock->NowUtc();
  std::string rollout;
  json pin;
  {
    MutexLock lock(mutex_);
    if (call.operation == "pin.put") {
      ASSIGN_OR_RETURN(pin, state_->Pin(call));
      if (!pin.contains("rollout")) return pin;
      rollout = pin["rollout"];
    } else {
      ASSIGN_OR_RETURN(rollout,
                       call.operation == "halt" ? state_->Halt(call) : state_->Rollback(call));
    }
  }
  ASSIGN_OR_RETURN(json answer, Fence(rollout, decided_at));
  if (pin.is_null()) return answer;
  pin["rollback"] = std::move(answer);
  return pin;
}

// The decision stands. Tells the publisher at once, and the log with the next tick.
Result<json> PlaneCore::Fence(const std::string& rollout, Micros decided_at) {
  json answer = {{"decided_at", FormatUtc(decided_at)},
                 {"decided_at_us", decided_at.value},
                 {"fenced_at", ""},
                 {"fenced_at_us", 0},
                 {"partitions", {{"flipped", 0}, {"pending", 0}}},
                 {"pending", json::array()},
                 {"reason", ""}};
  std::string environment, speaker;
  PlaneState::Place place;
  {
    MutexLock lock(mutex_);
    ASSIGN_OR_RETURN(answer["rollout"], state_->GetRollout(rollout));
    environment = answer["rollout"].at("environment");
    speaker = answer["rollout"].at("stable_speaker");
    if (speaker.empty()) speaker = answer["rollout"].at("stable");
    ASSIGN_OR_RETURN(place, state_->PlaceOf(environment));
    ASSIGN_OR_RETURN(const bool leads, state_->Lead());
    if (!leads) answer["reason"] = "another control leads: it sends it";
  }
  if (!answer["reason"].get_ref<const std::string&>().empty()) return answer;
  // Its own connection: the ticking thread's may be waiting for someone.
  auto installation = options_.open_installation(place.dir);
  std::optional<Sending> sending;
  if (installation.ok()) {
    MutexLock lock(mutex_);
    if (!state_->SightOf(environment).contracts) {
      state_->See(environment, FirstSight(**installation));
    }
    auto stepped = state_->Step(
        environment, [&](const InForce& config) { return (*installation)->Sign(config); });
    if (!stepped.ok()) return stepped.error();
    sending = std::move(*stepped);
  }
  if (!installation.ok() || (sending && sending->row.is_sent_to_publisher)) sending.reset();
  auto view = !installation.ok() ? Result<PublisherView>(installation.error())
              : sending          ? (*installation)->Order(sending->row.signed_bytes)
                                 : (*installation)->AskPublisher();
  const Micros fenced_at = options_.clock->NowUtc();
  if (!view.ok()) {
    answer["reason"] = view.error().ToString();
    return answer;
  }
  answer["fenced_at"] = FormatUtc(fenced_at);
  answer["fenced_at_us"] = fenced_at.value;
  std::size_t behind = 0;
  for (const PartitionView& partition : view->partitions) {
    if (!IsBehind(partition, speaker)) continue;
    ++behind;
    answer["pending"].push_back(
        {{"partition", partition.partition}, {"reason", partition.pending}});
  }
  answer["partitions"] = {{"flipped", view->partitions.size() - behind}, {"pending", behind}};
  if (!sending) return answer;
  sending->row.is_sent_to_publisher = true;
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(state_->NoteSent(sending->row));
  return answer;
}

}  // namespace telltale::control
