#include "control/plane.h"

#include <fmt/format.h>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_core.h"

namespace telltale::control {
namespace {

using nlohmann::json;

std::string DrawnHolder(Random& random) { return fmt::format("{:016x}", random.NextU64()); }

Result<Call> CallOf(const Actor& actor, std::string_view operation, const json& arguments) {
  Call call{.subject = actor.subject, .operation = std::string(operation)};
  if (!arguments.is_object() && !arguments.is_null()) {
    return Error{Code::kInvalid, "the arguments must be a JSON object"};
  }
  if (arguments.is_object()) call.arguments = arguments;
  if (const auto key = call.arguments.find("key"); key != call.arguments.end()) {
    if (!key->is_string()) return Error{Code::kInvalid, "\"key\" must be text"};
    call.key = key->get<std::string>();
    call.arguments.erase(key);
  }
  if (const auto body = call.arguments.find("body"); body != call.arguments.end()) {
    if (!body->is_null()) call.body = std::move(*body);
    call.arguments.erase(body);
  }
  return call;
}

}  // namespace

Result<std::unique_ptr<Plane>> Plane::Open(PlaneOptions options) {
  if (options.disk == nullptr || options.clock == nullptr || options.random == nullptr) {
    return Error{Code::kInvalid, "the plane needs a disk, a clock and randomness"};
  }
  const Paths paths(options.dir);
  const std::string folder = paths.data() + "/control";
  RETURN_IF_ERROR(options.disk->MakeFolders(folder));
  if (options.holder.empty()) options.holder = DrawnHolder(*options.random);
  if (!options.releases) options.releases = MakeStoreShelf(*options.disk, paths);
  if (!options.open_installation) {
    options.open_installation = [disk = options.disk](const std::string& dir) {
      return OpenLocalInstallation(*disk, dir);
    };
  }
  ASSIGN_OR_RETURN(auto state, PlaneState::Open({.path = folder + "/control.db",
                                                 .clock = options.clock,
                                                 .vfs = options.vfs,
                                                 .holder = options.holder,
                                                 .platform_uid = options.platform_uid,
                                                 .keeps_events = options.keeps_events}));
  return std::unique_ptr<Plane>(std::make_unique<PlaneCore>(std::move(options), std::move(state)));
}

PlaneCore::PlaneCore(PlaneOptions options, std::unique_ptr<PlaneState> state)
    : options_(std::move(options)), state_(std::move(state)) {}

PlaneCore::~PlaneCore() {
  MutexLock lock(mutex_);
  // A failure leaves the lease to run out.
  const Status given = state_->GiveUpLease();
  static_cast<void>(given);
}

Result<json> PlaneCore::Do(const Actor& actor, std::string_view operation, const json& arguments) {
  const Operation* known = FindOperation(operation);
  if (known == nullptr) {
    return Error{Code::kNotFound, fmt::format("there is no operation {}", operation)};
  }
  ASSIGN_OR_RETURN(const Call call, CallOf(actor, operation, arguments));
  try {
    {
      MutexLock lock(mutex_);
      const Status permitted = state_->Permit(*known, call);
      if (!permitted.ok() && permitted.error().code == Code::kRefused && known->is_change) {
        RETURN_IF_ERROR(state_->NoteRefusal(call));
      }
      RETURN_IF_ERROR(permitted);
    }
    if (operation.starts_with("release.") || operation.starts_with("blob.")) {
      return AnswerRelease(call);
    }
    if (operation == "ledger" || operation == "live") return AnswerFolder(call);
    if (operation == "cohorts.preview") return Preview(call);
    if (operation == "rollouts.get") return Rollout(call);
    if (operation == "rollouts.report") return Report(call);
    if (operation == "rollouts.gate") return GateOf(call);
    if (operation == "rollouts.repair_draft") return DraftRepair(call.key);
    if (operation == "promotion.put") return Promote(call);
    if (operation == "rollback" || operation == "halt" || operation == "pin.put") {
      return GoBack(call);
    }
    MutexLock lock(mutex_);
    return Answer(call);
  } catch (const json::exception& error) {
    return Error{Code::kInvalid, fmt::format("{}: {}", operation, error.what())};
  }
}

Result<std::vector<json>> PlaneCore::Events(std::size_t most) {
  MutexLock lock(mutex_);
  return state_->Events(most);
}

Status PlaneCore::KeepEvent(const json& event, EventFate fate) {
  MutexLock lock(mutex_);
  return state_->KeepEvent(event, fate);
}

Result<json> PlaneCore::Answer(const Call& call) {
  const auto dot = call.operation.find('.');
  if (dot != std::string::npos && IsObjectKind(call.operation.substr(0, dot))) {
    return AnswerObjects(call);
  }
  if (call.operation == "status") return state_->StatusOf();
  if (call.operation == "promotion.get") return state_->GetPromotion(call.key);
  if (call.operation == "pin.get") return state_->GetObject("pins", call.key);
  if (call.operation == "rollouts.list") return state_->ListRollouts(call);
  if (call.operation == "rehearsals.list") return state_->ListRehearsals(call.key);
  if (call.operation == "audit") return state_->Audit(call);
  if (call.operation == "audit.verify") return state_->VerifyAudit();
  return AnswerChange(call);
}

Result<json> PlaneCore::AnswerObjects(const Call& call) {
  const auto dot = call.operation.find('.');
  const std::string kind = call.operation.substr(0, dot);
  const std::string verb = call.operation.substr(dot + 1);
  if (verb == "list") return state_->ListObjects(kind);
  if (verb == "get") return state_->GetObject(kind, call.key);
  if (verb == "put") return state_->PutObject(kind, call);
  return state_->DeleteObject(kind, call);
}

Result<json> PlaneCore::AnswerChange(const Call& call) {
  if (call.operation == "hold") return state_->Hold(call);
  if (call.operation == "resume") return state_->Resume(call);
  if (call.operation == "pin.delete") return state_->Unpin(call);
  if (call.operation == "approve") return state_->Approve(call);
  if (call.operation == "judge_halt") return state_->JudgeHalt(call);
  if (call.operation == "break_glass") return state_->BreakGlass(call);
  if (call.operation == "reinstate") return state_->Reinstate(call);
  if (call.operation == "rehearsals.put") return state_->PutRehearsal(call);
  return Error{Code::kNotFound, "there is no operation " + call.operation};
}

}  // namespace telltale::control
