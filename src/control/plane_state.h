// The plane without threads and without calls to installations: control.db, what was seen of the
// environments last, and every rule. plane.cc locks around it and does the talking.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/control_db.h"
#include "control/gate_watch.h"
#include "control/installation.h"
#include "control/plane.h"
#include "control/rollout_machine.h"

namespace telltale::control {

// An environment as it was seen last.
struct Sight {
  bool is_looked = false;
  std::string reason = "control has not looked yet";  // of the log's side; "" = seen
  std::optional<Contracts> contracts = std::nullopt;
  std::string publisher_reason = "control has not looked yet";
  std::optional<PublisherView> publisher = std::nullopt;
  std::vector<WorkerCost> costs = {};
  // Of a pending rollout's candidate.
  std::string candidate = {};
  std::string contract_digest = {};
  std::string install_reason = "its files are not there yet";
  std::optional<GateSight> gate = std::nullopt;  // of a rollout under an evidence gate
  bool has_stable_path = false;  // it decides about alerts as the release does that is stable there
};

// A config record on its way, and which end hears of it first.
struct Sending {
  ConfigRow row = {};
  bool is_back = false;  // a rollback: the publisher before the log
};

// One call of Plane::Do, its arguments taken apart.
struct Call {
  std::string subject = {};
  std::string operation = {};
  std::string key = {};
  nlohmann::json arguments = nlohmann::json::object();  // without key and body
  nlohmann::json body = nlohmann::json::object();
};

// Signs in the name of the environment's installation.
using Signer = std::function<Result<std::string>(const InForce&)>;

class PlaneState {
 public:
  // Pointers must outlive it.
  struct Options {
    std::string path;  // of control.db
    Clock* clock = nullptr;
    const store::DiskVfs* vfs = nullptr;
    std::string holder = {};
    std::uint32_t platform_uid = 0;
    bool keeps_events = false;
  };
  static Result<std::unique_ptr<PlaneState>> Open(Options options);

  // Whether one of the actor's roles does. kRefused otherwise, kNotFound for no such thing.
  Status Permit(const Operation& operation, const Call& call);

  // Who tried what: at most 20 in 10 s are written down.
  Status NoteRefusal(const Call& call);

  // plane_objects.cc
  Result<nlohmann::json> ListObjects(std::string_view kind);
  Result<nlohmann::json> GetObject(std::string_view kind, const std::string& key);
  Result<nlohmann::json> PutObject(std::string_view kind, const Call& call);
  Result<nlohmann::json> DeleteObject(std::string_view kind, const Call& call);

  // plane_promotion.cc
  Result<nlohmann::json> GetPromotion(const std::string& environment);
  // `is_known`: the release is on the shelf or installed there.
  Result<nlohmann::json> Promote(const Call& call, bool is_known);
  // plane_back.cc: back to the release that was stable; the answer is the rollout's id.
  Result<std::string> Rollback(const Call& call);
  Result<std::string> Halt(const Call& call);
  // The answer has "rollout" where the pin rolled one back.
  Result<nlohmann::json> Pin(const Call& call);
  Result<nlohmann::json> Unpin(const Call& call);
  Result<nlohmann::json> Hold(const Call& call);
  Result<nlohmann::json> Resume(const Call& call);
  // plane_signatures.cc
  Result<nlohmann::json> Approve(const Call& call);
  // A person says of a halt by the gate whether it was a false one; the newest word counts.
  Result<nlohmann::json> JudgeHalt(const Call& call);
  Result<nlohmann::json> BreakGlass(const Call& call);
  Result<nlohmann::json> Reinstate(const Call& call);
  Result<nlohmann::json> PutRehearsal(const Call& call);
  Result<nlohmann::json> ListRehearsals(const std::string& environment);
  Result<nlohmann::json> WithState(nlohmann::json release);  // known or rejected

  // plane_answers.cc
  Result<nlohmann::json> StatusOf();
  Result<nlohmann::json> ListRollouts(const Call& call);
  Result<nlohmann::json> GetRollout(const std::string& id);
  Result<nlohmann::json> Audit(const Call& call);
  Result<nlohmann::json> VerifyAudit() { return db_.VerifyAudit(); }
  Status NoteChange(const Call& call);  // of something outside control.db

  // plane_lease.cc. True: this process leads, and its lease is good for a while.
  Result<bool> Lead();
  bool IsLeader() const;
  Status GiveUpLease();

  // plane_steps.cc
  struct Place {
    std::string key;
    std::string dir;
    std::optional<GateQuestion> gate = std::nullopt;
    std::string rejected = {};        // the newest rollout, which needs a repair draft; "" = none
    std::string pending_candidate;    // to be made ready; "" = none
    std::string pending_stable = {};  // beside which it will run
  };
  Result<std::vector<Place>> Places();
  Result<Place> PlaceOf(const std::string& environment);
  void See(const std::string& environment, Sight sight);
  const Sight& SightOf(const std::string& environment);
  // Takes the steps that may be taken, and says what has to be sent: what the config in force
  // lacks, or what one end has not heard of. Nothing in a standby.
  Result<std::optional<Sending>> Step(const std::string& environment, const Signer& sign);
  Status NoteSent(const ConfigRow& row);

  // plane_gate.cc
  // What the gate of kind evidence asks of the environment's open rollout; nullopt: it has none.
  Result<std::optional<GateQuestion>> QuestionOf(const nlohmann::json& rollout);
  // The gate has seen what halts: the call of `halt` in its name. nullopt in a standby.
  Result<std::optional<Call>> GateHalts(const std::string& environment);
  Result<nlohmann::json> GateAnswer(const std::string& rollout);

  // plane_events.cc
  Result<std::vector<nlohmann::json>> Events(std::size_t most);
  Status KeepEvent(const nlohmann::json& event, EventFate fate);

 private:
  PlaneState(Options options, ControlDb db)
      : options_(std::move(options)), clock_(*options_.clock), db_(std::move(db)) {}
  Micros Now() const { return clock_.NowUtc(); }
  Result<nlohmann::json> MustFind(std::string_view kind, const std::string& key);
  Result<std::uint64_t> Note(const Call& call, const std::string& environment);
  Result<std::vector<nlohmann::json>> BindingsOf(const std::string& subject);
  Status CheckNames(std::string_view kind, const nlohmann::json& object);
  Status CheckEnvironment(const nlohmann::json& object);
  Status CheckUnused(std::string_view kind, const std::string& key);

  Result<std::string> EffectiveStable(const std::string& environment);
  // Whose worker computes the safety path for it; "" = nobody knows yet.
  Result<std::string> SpeakerOfStable(const std::string& environment);
  Status CheckPromotable(const std::string& environment, const std::string& release);
  Result<nlohmann::json> NewRollout(const Call& call, const nlohmann::json& environment,
                                    const nlohmann::json& policy, const std::string& release);
  Status SaveRollout(const nlohmann::json& rollout);
  void Enter(nlohmann::json& rollout, Phase phase, std::size_t stage, const std::string& subject,
             const std::string& note);
  Result<nlohmann::json> PromotionAnswer(const nlohmann::json& promotion);
  Result<nlohmann::json> OpenRollout(const std::string& environment);
  Result<std::optional<nlohmann::json>> ActivePin(const std::string& environment);
  Status EndRollout(nlohmann::json& rollout, Phase phase, const Call& call);

  Result<RolloutView> ViewOf(const nlohmann::json& rollout);
  Status ViewObjects(const nlohmann::json& rollout, RolloutView& view);
  Status ViewBreakGlass(const nlohmann::json& rollout, RolloutView& view);
  Status ViewGate(const nlohmann::json& rollout, RolloutView& view);
  // What was seen of this rollout under the gate as it is now; or null.
  Result<const GateSight*> GateSightOf(const nlohmann::json& rollout);
  Result<std::optional<nlohmann::json>> EvidenceGateOf(const nlohmann::json& stages);
  Status CheckOneEvidenceGate(const nlohmann::json& stages);
  Status CheckNewEvidence(const std::string& gate);
  // nullptr: there is none before, or after.
  Status ChangeGate(const std::string& key, const nlohmann::json* before,
                    const nlohmann::json* after);
  // What an approval with this comment confirms of a cohort too small for bounds; null: nothing.
  // `shown`: what its author saw, of the same members, or null.
  //   kRefused  something is to be confirmed and nothing was shown
  //   kExists   it is worse than what was shown, or of another gate
  Result<nlohmann::json> ConfirmationOf(const nlohmann::json& rollout, const std::string& comment,
                                        const nlohmann::json& shown);
  // Within the caller's transaction.
  Status AddEvent(std::string_view name, const nlohmann::json& rollout);
  Status PutDeadEvent(const nlohmann::json& event);
  Result<nlohmann::json> EventsInShort();
  Status NoteGate(nlohmann::json& rollout);
  Result<nlohmann::json> GateInShort(const nlohmann::json& rollout);
  Status ViewConfig(const nlohmann::json& rollout, RolloutView& view);
  Result<std::string> UpstreamMissing(const nlohmann::json& rollout);
  Result<bool> IsRehearsed(const nlohmann::json& rollout);
  Result<std::int64_t> EvidenceFrom(const std::string& release);
  Result<nlohmann::json> RolloutAnswer(nlohmann::json rollout);
  Result<nlohmann::json> EnvironmentStatus(const nlohmann::json& environment);

  Status StepRollout(nlohmann::json& rollout);
  Result<std::optional<Sending>> ToSend(nlohmann::json& rollout, const Signer& sign);
  Result<ConfigRow> MakeConfig(nlohmann::json& rollout, const Wanted& wanted, const Signer& sign,
                               const std::optional<ConfigRow>& newest);
  Status CheckLease();
  Status RaiseEpoch(std::uint64_t above);

  const Options options_;
  Clock& clock_;
  ControlDb db_;
  std::map<std::string, Sight> sights_;
  Lease lease_;  // as it was written last by this process
  bool is_leader_ = false;
  Micros refusals_since_;  // monotonic
  int refusals_ = 0;
  Micros renewed_;  // monotonic
};

// Of a stored rollout (plane_view.cc).
Phase PhaseIn(const nlohmann::json& rollout);
RolloutPlace PlaceIn(const nlohmann::json& rollout);
// What control wants in a config record, to be compared.
std::string ContentOf(const std::string& rollout, const Wanted& wanted);
std::string ContentOf(const InForce& in_force);

}  // namespace telltale::control
