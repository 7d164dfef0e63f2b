#include "gateway/registry_client.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "base/local_socket.h"
#include "base/stop.h"
#include "internal/v1/local.pb.h"

namespace telltale::gateway {
namespace {

using internal::v1::RegistryMessage;
using internal::v1::RegistryRequest;
using internal::v1::VehicleRow;
using std::chrono::milliseconds;

constexpr milliseconds kPatience{50};  // how often a blocked thread looks at is_stopping_
constexpr milliseconds kAnswerWithin{3000};
constexpr std::size_t kTakenPerMessage = 5'000;  // well within a frame

std::uint8_t OffBy(const internal::v1::Choice& choice, std::uint8_t by_default) {
  std::uint8_t off = by_default;
  const auto apply = [&off](bool is_set, bool is_on, std::uint8_t bit) {
    if (!is_set) return;
    off = static_cast<std::uint8_t>(is_on ? off & ~bit : off | bit);
  };
  apply(choice.has_precise(), choice.precise(), kPreciseOff);
  apply(choice.has_cell(), choice.cell(), kCellOff);
  apply(choice.has_behaviour(), choice.behaviour(), kBehaviourOff);
  return off;
}

Result<Vehicle> VehicleOf(const VehicleRow& row, std::uint8_t off_by_default) {
  Vehicle vehicle;
  if (row.vehicle_ref().size() != vehicle.ref.bytes.size()) {
    return Error{Code::kCorrupt, "the registry sent a reference of the wrong size"};
  }
  std::copy(row.vehicle_ref().begin(), row.vehicle_ref().end(), vehicle.ref.bytes.begin());
  vehicle.vehicle_class = row.vehicle_class();
  vehicle.odometer_offset_km = row.odometer_offset_km();
  vehicle.choice_number = row.choice().number();
  vehicle.choice_off = OffBy(row.choice(), off_by_default);
  vehicle.is_choice_in_force = row.choice().in_force();
  return vehicle;
}

Error Away() {
  return Error{Code::kUnavailable, "the registry does not answer; vehicles it has told of go on"};
}

}  // namespace

RegistryClient::RegistryClient(Options options, Counters& counters, TakenChoices* taken)
    : options_(std::move(options)),
      taken_(taken),
      rows_(counters.Get("registry_rows_received")),
      added_(counters.Get("vehicles_added_unknown")),
      lost_(counters.Get("registry_connections_lost")) {}

RegistryClient::~RegistryClient() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    asked_.NotifyAll();
  }
  if (follower_.joinable()) follower_.join();
  if (answerer_.joinable()) answerer_.join();
}

void RegistryClient::Start(std::function<void(VehicleRef, const Vehicle&)> on_change) {
  on_change_ = std::move(on_change);
  follower_ = std::thread([this] { FollowMap(); });
  answerer_ = std::thread([this] { AnswerQuestions(); });
}

std::optional<Vehicle> RegistryClient::Find(const std::string& vin) const {
  MutexLock lock(mutex_);
  const auto found = by_vin_.find(vin);
  if (found == by_vin_.end()) return std::nullopt;
  return found->second;
}

void RegistryClient::Resolve(std::string vin, std::function<void(Result<Vehicle>)> done) {
  {
    MutexLock lock(mutex_);
    if (questions_.size() < kResolvesWaitingMax) {
      questions_.push_back({std::move(vin), std::move(done)});
      asked_.NotifyOne();
      return;
    }
  }
  done(Error{Code::kOverloaded, "too many new vehicles at once; retry later"});
}

void RegistryClient::FollowMap() {
  bool was_up = true;
  while (!is_stopping_ && !StopRequested()) {
    const std::uint64_t before = rows_.value();
    FollowOnce();
    if (is_stopping_) return;
    const bool was_answered = rows_.value() > before;
    if (was_up || was_answered) {
      lost_.Add();
      spdlog::warn("gateway: the registry is away; known vehicles go on, new ones are put off");
    }
    was_up = was_answered;
    WaitForStop(kPatience);
  }
}

void RegistryClient::FollowOnce() {
  auto connection = LocalConnection::Connect(options_.socket_path);
  if (!connection.ok()) return;
  RegistryRequest request;
  request.mutable_subscribe();
  if (!connection->Send(request.SerializeAsString()).ok()) return;
  {
    // What was erased while nobody told this process is not in the map that comes now.
    MutexLock lock(mutex_);
    unnamed_.clear();
    for (const auto& [vin, vehicle] : by_vin_) unnamed_.insert(vin);
  }
  while (!is_stopping_) {
    TellTaken();
    auto frame = connection->Receive(kPatience);
    if (!frame.ok()) return;
    if (!frame->has_value()) continue;
    if (const Status taken = TakeRows(**frame, nullptr, nullptr); !taken.ok()) {
      spdlog::error("gateway: registry: {}", taken.error().ToString());
      return;
    }
  }
}

// What the registry did not confirm is told again at the next turn; saying it twice changes
// nothing.
void RegistryClient::TellTaken() {
  if (taken_ == nullptr) return;
  if (telling_.empty()) telling_ = taken_->Take(kTakenPerMessage);
  if (telling_.empty()) return;
  if (!teller_) {
    auto made = LocalConnection::Connect(options_.socket_path);
    if (!made.ok()) return;
    teller_.emplace(std::move(made).value());
  }
  RegistryRequest request;
  for (const TakenChoice& one : telling_) {
    auto& taken = *request.mutable_taken_choices()->add_taken();
    taken.set_vehicle_ref(one.vehicle.bytes.data(), one.vehicle.bytes.size());
    taken.set_choice_number(one.number);
    taken.set_partition(one.partition.value);
    taken.set_safety_offset(one.safety.value);
    taken.set_telemetry_offset(one.telemetry.value);
    taken.set_sealed_offset(one.sealed.value);
  }
  RegistryMessage answer;
  const bool is_sent = teller_->Send(request.SerializeAsString()).ok();
  const auto frame = teller_->Receive(is_sent ? kAnswerWithin : milliseconds{0});
  if (!is_sent || !frame.ok() || !frame->has_value() || !answer.ParseFromString(**frame)) {
    return teller_.reset();  // a late reply must not answer the next message
  }
  const bool was_refused = std::exchange(is_taken_refused_, answer.has_failure());
  if (!answer.has_failure()) return telling_.clear();
  if (!was_refused) {
    spdlog::warn("gateway: registry: choices in force: {}", answer.failure().message());
  }
}

Status RegistryClient::TakeRows(const std::string& frame, const std::string* wanted,
                                std::optional<Vehicle>* found) {
  RegistryMessage message;
  if (!message.ParseFromString(frame)) {
    return Error{Code::kCorrupt, "the registry sent something that is no RegistryMessage"};
  }
  if (message.has_failure()) return Error{Code::kUnavailable, message.failure().message()};
  if (message.rows().added()) added_.Add();
  for (const VehicleRow& row : message.rows().rows()) {
    ASSIGN_OR_RETURN(const Vehicle vehicle, VehicleOf(row, options_.off_by_default));
    if (wanted != nullptr && row.vin() == *wanted) *found = vehicle;
    rows_.Add();
    std::optional<VehicleRef> former;
    {
      MutexLock lock(mutex_);
      const auto [at, is_new] = by_vin_.try_emplace(row.vin(), vehicle);
      if (!is_new) former = at->second.ref;
      at->second = vehicle;
      unnamed_.erase(row.vin());
    }
    const bool is_told = former || vehicle.choice_number > 0;
    if (is_told && on_change_) on_change_(former.value_or(vehicle.ref), vehicle);
  }
  for (const std::string& vin : message.rows().removed_vins()) ForgetVin(vin);
  // Of the map alone: an answer to a question says nothing of the others.
  if (wanted != nullptr || !message.rows().complete()) return Ok();
  std::unordered_set<std::string> gone;
  {
    MutexLock lock(mutex_);
    gone.swap(unnamed_);
  }
  for (const std::string& vin : gone) ForgetVin(vin);
  return Ok();
}

// Its connections end: their car comes back by itself and gets another reference.
void RegistryClient::ForgetVin(const std::string& vin) {
  std::optional<VehicleRef> former;
  {
    MutexLock lock(mutex_);
    const auto at = by_vin_.find(vin);
    if (at == by_vin_.end()) return;
    former = at->second.ref;
    by_vin_.erase(at);
  }
  if (on_change_) on_change_(*former, Vehicle{});
}

// One connection for questions, made when needed and kept while it works.
class RegistryClient::Line {
 public:
  Line(RegistryClient& client) : client_(client) {}

  Result<Vehicle> Ask(const std::string& vin) {
    if (const auto known = client_.Find(vin)) return *known;  // arrived while this one waited
    if (connection_) {
      // Kept from an earlier question; the registry may have been started again since.
      auto answer = AskOnce(vin);
      if (answer.ok()) return answer;
    }
    auto made = LocalConnection::Connect(client_.options_.socket_path);
    if (!made.ok()) return Away();
    connection_.emplace(std::move(made).value());
    auto answer = AskOnce(vin);
    if (!answer.ok()) connection_.reset();  // a late reply must not answer the next question
    return answer;
  }

 private:
  Result<Vehicle> AskOnce(const std::string& vin) {
    RegistryRequest request;
    request.mutable_resolve()->set_vin(vin);
    RETURN_IF_ERROR(connection_->Send(request.SerializeAsString()));
    for (milliseconds waited{0}; waited < kAnswerWithin && !client_.is_stopping_;
         waited += kPatience) {
      ASSIGN_OR_RETURN(const auto frame, connection_->Receive(kPatience));
      if (!frame) continue;
      std::optional<Vehicle> found;
      RETURN_IF_ERROR(client_.TakeRows(*frame, &vin, &found));
      if (found) return *found;
      return Error{Code::kCorrupt, "the registry's reply lacks the vehicle that was asked for"};
    }
    return Away();
  }

  RegistryClient& client_;
  std::optional<LocalConnection> connection_;
};

void RegistryClient::AnswerQuestions() {
  Line line(*this);
  while (true) {
    Question question;
    {
      MutexLock lock(mutex_);
      while (questions_.empty() && !is_stopping_) asked_.Wait(mutex_);
      if (is_stopping_) return;
      question = std::move(questions_.front());
      questions_.pop_front();
    }
    auto answer = line.Ask(question.vin);
    if (is_stopping_) return;
    question.done(std::move(answer));
  }
}

}  // namespace telltale::gateway
