#include "registry/server.h"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <deque>
#include <set>
#include <thread>

#include "base/local_socket.h"
#include "base/mutex.h"
#include "base/stop.h"
#include "registry/wire.h"

namespace telltale::registry {
namespace {

using namespace std::chrono_literals;

// How soon a thread notices that it should end.
constexpr auto kPoll = 100ms;
constexpr auto kEndGrace = 1s;
// How long a change may wait before subscribers hear of it. Who asked has the reply already.
constexpr auto kChangesPoll = 20ms;

struct Subscriber {
  std::deque<std::string> changed_vins;
  std::set<std::string> queued;  // what is in changed_vins: one entry per vehicle is enough
  bool overflowed = false;
};

Status SendMessage(LocalConnection& peer, const wire::RegistryMessage& message) {
  return peer.Send(message.SerializeAsString());
}

}  // namespace

struct Server::Core : std::enable_shared_from_this<Server::Core> {
  Core(Registry opened, LocalListener bound, Counters& counted)
      : listener(std::move(bound)), counters(counted), registry(std::move(opened)) {}

  void Accept();
  void Serve(LocalConnection peer);
  Status ServeOne(LocalConnection& peer, const std::string& frame);
  Status ServeSubscriber(LocalConnection& peer);
  Status SendMap(LocalConnection& peer);
  Status SendChanges(LocalConnection& peer, Subscriber& subscriber);
  wire::RegistryMessage Resolve(const wire::RegistryRequest::Resolve& request);
  wire::RegistryMessage Import(const wire::RegistryRequest::Import& request);
  wire::RegistryMessage Lookup(const wire::RegistryRequest::Lookup& request);
  wire::RegistryMessage Erase(const wire::RegistryRequest::Erase& request);
  wire::RegistryMessage SetChoice(const wire::RegistryRequest::SetChoice& request,
                                  std::uint32_t uid);
  wire::RegistryMessage ShowChoice(const wire::RegistryRequest::Lookup& request);
  wire::RegistryMessage TakenChoices(const wire::RegistryRequest::TakenChoices& request);
  Result<Vehicle> Find(const wire::RegistryRequest::Lookup& request) REQUIRES(mutex);
  void Announce(const std::string& vin) REQUIRES(mutex);
  bool Stopping() {
    MutexLock lock(mutex);
    return stopping;
  }

  LocalListener listener;  // accept thread only
  Counters& counters;
  std::thread accept_thread;

  Mutex mutex;
  std::condition_variable_any connection_ended;  // our own CondVar waits without a timeout
  Registry registry GUARDED_BY(mutex);
  std::set<Subscriber*> subscribers GUARDED_BY(mutex);
  std::size_t connections GUARDED_BY(mutex) = 0;
  bool stopping GUARDED_BY(mutex) = false;
};

Result<std::unique_ptr<Server>> Server::Start(Registry registry, const std::string& socket_path,
                                              Counters& counters) {
  ASSIGN_OR_RETURN(LocalListener listener, LocalListener::Listen(socket_path, 0660));
  auto core = std::make_shared<Core>(std::move(registry), std::move(listener), counters);
  core->accept_thread = std::thread([core_pointer = core.get()] { core_pointer->Accept(); });
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

Server::~Server() {
  {
    MutexLock lock(core_->mutex);
    core_->stopping = true;
  }
  core_->accept_thread.join();
  MutexLock lock(core_->mutex);
  const bool ended = core_->connection_ended.wait_for(
      core_->mutex, kEndGrace, [this]() REQUIRES(core_->mutex) { return core_->connections == 0; });
  if (!ended) spdlog::warn("registry: a connection does not end; leaving it");
}

void Server::Core::Accept() {
  Counter& refused = counters.Get("registry.connections_refused");
  while (!Stopping()) {
    auto accepted = listener.Accept(kPoll);
    if (!accepted.ok()) {
      spdlog::error("registry: {}", accepted.error().message);
      WaitForStop(kPoll);  // too many open files, say: not as fast as we can
      continue;
    }
    if (!accepted->has_value()) continue;
    {
      MutexLock lock(mutex);
      if (connections >= kConnectionsMax) {
        refused.Add();
        continue;
      }
      ++connections;
    }
    // The thread shares the core, so that one stuck in a send may be left behind.
    std::thread([core = shared_from_this(), peer = std::move(**accepted)]() mutable {
      core->Serve(std::move(peer));
    }).detach();
  }
}

void Server::Core::Serve(LocalConnection peer) {
  while (!Stopping()) {
    auto frame = peer.Receive(kPoll);
    if (!frame.ok()) break;  // hung up, or no frame of ours
    if (!frame->has_value()) continue;
    if (!ServeOne(peer, **frame).ok()) break;
  }
  MutexLock lock(mutex);
  --connections;
  connection_ended.notify_all();
}

Status Server::Core::ServeOne(LocalConnection& peer, const std::string& frame) {
  wire::RegistryRequest request;
  if (!request.ParseFromString(frame)) {
    RETURN_IF_ERROR(
        SendMessage(peer, FailureMessage(Error{Code::kInvalid, "not a RegistryRequest"})));
    return Error{Code::kInvalid, "not a RegistryRequest"};
  }
  switch (request.request_case()) {
    case wire::RegistryRequest::kSubscribe:
      return ServeSubscriber(peer);
    case wire::RegistryRequest::kResolve:
      return SendMessage(peer, Resolve(request.resolve()));
    case wire::RegistryRequest::kImport:
      return SendMessage(peer, Import(request.import()));
    case wire::RegistryRequest::kLookup:
      return SendMessage(peer, Lookup(request.lookup()));
    case wire::RegistryRequest::kErase:
      return SendMessage(peer, Erase(request.erase()));
    case wire::RegistryRequest::kSetChoice:
      return SendMessage(peer, SetChoice(request.set_choice(), peer.PeerUid()));
    case wire::RegistryRequest::kShowChoice:
      return SendMessage(peer, ShowChoice(request.show_choice()));
    case wire::RegistryRequest::kTakenChoices:
      return SendMessage(peer, TakenChoices(request.taken_choices()));
    case wire::RegistryRequest::REQUEST_NOT_SET:
      break;
  }
  return SendMessage(
      peer, FailureMessage(Error{Code::kUnsupported, "a request this registry does not know"}));
}

void Server::Core::Announce(const std::string& vin) {
  for (Subscriber* subscriber : subscribers) {
    if (subscriber->changed_vins.size() >= kPendingChangesMax) subscriber->overflowed = true;
    if (subscriber->overflowed || !subscriber->queued.insert(vin).second) continue;
    subscriber->changed_vins.push_back(vin);
  }
}

wire::RegistryMessage Server::Core::Resolve(const wire::RegistryRequest::Resolve& request) {
  counters.Get("registry.resolves").Add();
  MutexLock lock(mutex);
  const auto resolved = registry.Resolve(request.vin());
  if (!resolved.ok()) return FailureMessage(resolved.error());
  if (resolved->added) {
    counters.Get("registry.unknown_added").Add();
    Announce(resolved->vehicle.entry.vin);
  }
  wire::RegistryMessage message;
  ToWire(resolved->vehicle, *message.mutable_rows()->add_rows());
  message.mutable_rows()->set_added(resolved->added);
  return message;
}

wire::RegistryMessage Server::Core::Import(const wire::RegistryRequest::Import& request) {
  std::vector<VehicleEntry> entries;
  entries.reserve(static_cast<std::size_t>(request.rows_size()));
  for (const wire::VehicleRow& row : request.rows()) entries.push_back(EntryFromWire(row));
  MutexLock lock(mutex);
  const auto imported = registry.Import(entries);
  if (!imported.ok()) return FailureMessage(imported.error());
  counters.Get("registry.imported").Add(imported->changed.size());
  for (const Vehicle& vehicle : imported->changed) Announce(vehicle.entry.vin);
  wire::RegistryMessage message;
  message.mutable_imported()->set_added(imported->added);
  message.mutable_imported()->set_updated(imported->updated);
  message.mutable_imported()->set_unchanged(imported->unchanged);
  return message;
}

Result<Vehicle> Server::Core::Find(const wire::RegistryRequest::Lookup& request) {
  if (!request.vin().empty() && request.ownership_epoch() != 0) {
    return registry.FindByVin(request.vin(), request.ownership_epoch());
  }
  if (!request.vin().empty()) return registry.FindByVin(request.vin());
  ASSIGN_OR_RETURN(const VehicleRef ref, VehicleRef::FromHex(HexEncode(request.vehicle_ref())));
  return registry.FindByRef(ref);
}

wire::RegistryMessage Server::Core::Lookup(const wire::RegistryRequest::Lookup& request) {
  MutexLock lock(mutex);
  const auto vehicle = Find(request);
  if (!vehicle.ok()) return FailureMessage(vehicle.error());
  wire::RegistryMessage message;
  ToWire(*vehicle, *message.mutable_rows()->add_rows());
  return message;
}

wire::RegistryMessage Server::Core::Erase(const wire::RegistryRequest::Erase& request) {
  const auto ref = VehicleRef::FromHex(HexEncode(request.vehicle_ref()));
  if (!ref.ok()) return FailureMessage(ref.error());
  MutexLock lock(mutex);
  // Before it is tried: if only the last step fails, the row is gone all the same.
  const auto before = registry.FindByRef(*ref);
  const auto erased = registry.Erase(*ref);
  if (before.ok()) Announce(before->entry.vin);
  if (!erased.ok()) return FailureMessage(erased.error());
  if (erased->rows > 0) counters.Get("registry.erased").Add();
  wire::RegistryMessage message;
  message.mutable_erased()->set_rows(erased->rows);
  return message;
}

wire::RegistryMessage Server::Core::SetChoice(const wire::RegistryRequest::SetChoice& request,
                                              std::uint32_t uid) {
  MutexLock lock(mutex);
  const auto vehicle = Find(request.vehicle());
  if (!vehicle.ok()) return FailureMessage(vehicle.error());
  const auto state = registry.SetChoice(vehicle->vehicle_ref, FromWire(request), uid);
  if (!state.ok()) return FailureMessage(state.error());
  if (state->choice.number != vehicle->choice.number) {
    counters.Get("registry.choices_changed").Add();
    Announce(vehicle->entry.vin);
  }
  return ToWire(*state);
}

wire::RegistryMessage Server::Core::ShowChoice(const wire::RegistryRequest::Lookup& request) {
  MutexLock lock(mutex);
  const auto vehicle = Find(request);
  if (!vehicle.ok()) return FailureMessage(vehicle.error());
  const auto state = registry.ShowChoice(vehicle->vehicle_ref);
  return state.ok() ? ToWire(*state) : FailureMessage(state.error());
}

wire::RegistryMessage Server::Core::TakenChoices(
    const wire::RegistryRequest::TakenChoices& request) {
  std::vector<ChoiceInForce> taken;
  for (const wire::ChoiceInForce& one : request.taken()) {
    auto read = FromWire(one);
    if (!read.ok()) return FailureMessage(read.error());
    taken.push_back(*read);
  }
  MutexLock lock(mutex);
  const Status recorded = registry.RecordTaken(taken);
  if (!recorded.ok()) return FailureMessage(recorded.error());
  counters.Get("registry.choices_in_force").Add(taken.size());
  for (const ChoiceInForce& one : taken) {  // so that it is not told again
    const auto vehicle = registry.FindByRef(one.vehicle);
    if (vehicle.ok()) Announce(vehicle->entry.vin);
  }
  wire::RegistryMessage message;
  message.mutable_imported();
  return message;
}

Status Server::Core::ServeSubscriber(LocalConnection& peer) {
  Subscriber subscriber;
  {
    // From here on every change is queued: none falls between the map and the changes.
    MutexLock lock(mutex);
    subscribers.insert(&subscriber);
  }
  Status result = SendMap(peer);
  while (result.ok()) {
    result = SendChanges(peer, subscriber);
    if (!result.ok()) break;
    // A subscriber has nothing to say: anything but a timeout is its end.
    const auto hung_up = peer.Receive(kChangesPoll);
    if (!hung_up.ok() || hung_up->has_value()) break;
  }
  MutexLock lock(mutex);
  subscribers.erase(&subscriber);
  return Error{Code::kUnavailable, "the subscription ended"};
}

Status Server::Core::SendMap(LocalConnection& peer) {
  std::int64_t last_id = 0;
  while (true) {
    wire::RegistryMessage message;
    {
      MutexLock lock(mutex);
      if (stopping) return Error{Code::kUnavailable, "stopping"};
      ASSIGN_OR_RETURN(const Registry::Page page, registry.List(last_id, kRowsPerPage));
      for (const Vehicle& vehicle : page.vehicles) {
        ToWire(vehicle, *message.mutable_rows()->add_rows());
      }
      message.mutable_rows()->set_complete(page.complete);
      last_id = page.last_id;
    }
    RETURN_IF_ERROR(SendMessage(peer, message));
    if (message.rows().complete()) return Ok();
  }
}

Status Server::Core::SendChanges(LocalConnection& peer, Subscriber& subscriber) {
  wire::RegistryMessage message;
  {
    MutexLock lock(mutex);
    if (stopping || subscriber.overflowed)
      return Error{Code::kUnavailable, "the subscription ends"};
    while (!subscriber.changed_vins.empty() &&
           message.rows().rows_size() < static_cast<int>(kRowsPerPage)) {
      const std::string vin = std::move(subscriber.changed_vins.front());
      subscriber.changed_vins.pop_front();
      subscriber.queued.erase(vin);
      const auto vehicle = registry.FindByVin(vin);
      if (!vehicle.ok() && vehicle.error().code == Code::kNotFound) {
        message.mutable_rows()->add_removed_vins(vin);
        continue;
      }
      if (!vehicle.ok()) return vehicle.error();
      ToWire(*vehicle, *message.mutable_rows()->add_rows());
    }
  }
  if (message.rows().rows_size() == 0 && message.rows().removed_vins_size() == 0) return Ok();
  message.mutable_rows()->set_complete(true);
  return SendMessage(peer, message);
}

}  // namespace telltale::registry
