#include "gate/observer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "gate/bytes_of.h"
#include "gate/tally.h"

namespace telltale::gate {
namespace {

constexpr std::uint64_t kSettingsBytesMax = 1u << 20;
constexpr std::int64_t kEvidenceRest = 10;  // times as long as writing took
constexpr Micros kWindowMin = Micros::Seconds(300);
constexpr double kUsInSecond = 1e6;

}  // namespace

Status Observer::Start() {
  parts_.surroundings.Begin();
  RETURN_IF_ERROR(parts_.disk.MakeFolders(options_.folder));
  ASSIGN_OR_RETURN([[maybe_unused]] const bool changed, erased_.Refresh());
  ASSIGN_OR_RETURN(holds_, parts_.surroundings.HoldsOf(options_.stable));
  ASSIGN_OR_RETURN(const auto holds, parts_.surroundings.HoldsOf(options_.rollout.candidate));
  for (const auto& [rule, hold] : holds) {
    Micros& longer = holds_[rule];
    longer = std::max(longer, hold);
  }
  rules_.clear();
  for (const auto& [rule, hold] : holds_) rules_.push_back(rule);
  ASSIGN_OR_RETURN(auto components, parts_.surroundings.ComponentsOf(options_.rollout.candidate));
  rules_digest_ = components["rules"];
  bool has_changed = false;
  RETURN_IF_ERROR(LookAtSettings(has_changed));
  Begin(Micros{INT64_MIN});
  const Status restored = Restore();
  if (restored.ok() || restored.error().code == Code::kNotFound) return Ok();
  // Nothing is lost by it: the streams are read again.
  spdlog::warn("gate: {}: {}; the streams are read again", options_.rollout.id,
               restored.error().ToString());
  Begin(Micros{INT64_MIN});
  return Ok();
}

void Observer::Begin(Micros not_before) {
  Micros window = kWindowMin;
  for (const auto& [rule, hold] : holds_) window = std::max(window, hold);
  comparison_ = std::make_unique<Comparison>(
      parts_.disk, ComparisonOptions{.journals = options_.journals,
                                     .stable = options_.stable_speaker,
                                     .candidate = options_.rollout.candidate,
                                     .shards = options_.shards,
                                     .partitions = options_.partitions,
                                     .pairing = {.rollout = options_.rollout,
                                                 .holds = holds_,
                                                 .lateness = options_.lateness,
                                                 .not_before = not_before,
                                                 .erased = &erased_}});
  ingest_ = std::make_unique<Ingest>(parts_.streams, options_.shards, options_.partitions,
                                     options_.rollout.began);
  invariants_ = std::make_unique<Invariants>(window);
  looks_ = std::make_unique<Looks>();
  opened_at_ = parts_.clock.NowMonotonic();
}

// What was counted holds for these alone.
std::string Observer::Binding() const {
  return options_.environment + "\n" + options_.rollout.id + "\n" + options_.stable + "\n" +
         options_.rollout.candidate + "\n" + settings_digest_ + "\n" +
         std::to_string(options_.lateness.value);
}

// Given by who decides; without them evidence names no gate, and no gate takes it.
Status Observer::LookAtSettings(bool& has_changed) {
  const auto text =
      ReadWholeFile(parts_.disk, options_.folder + "/settings.json", kSettingsBytesMax);
  if (!text.ok()) return text.error().code == Code::kNotFound ? Ok() : Status(text.error());
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  auto settings = json.is_discarded() ? Result<GateSettings>(Error{Code::kInvalid, "no JSON"})
                                      : SettingsFromJson(json);
  if (!settings.ok()) {
    parts_.counters.Get("settings_refused").Add();
    return Ok();  // those before stay, and so does their digest
  }
  std::string digest = GateDigest(*settings);
  has_changed = digest != settings_digest_;
  settings_ = std::move(*settings);
  settings_digest_ = std::move(digest);
  return Ok();
}

void Observer::SetRollout(const contract::Rollout& rollout) {
  options_.rollout = rollout;
  comparison_->pairing().SetRollout(rollout);
}

Result<bool> Observer::RunOnce() {
  bool more = comparison_->Read(kTurnRecordsMax);
  more |= ingest_->Read(comparison_->pairing(), erased_, kTurnRecordsMax);
  has_caught_up_ = has_caught_up_ || !more;
  const Micros now = parts_.clock.NowMonotonic();
  if (now - looked_at_ >= kLookPace) {
    looked_at_ = now;
    RETURN_IF_ERROR(LookAround());
  }
  const Status saved = must_save_ ? SaveState() : Ok();
  if (has_caught_up_ && now - told_at_ >= kEvidencePace) RETURN_IF_ERROR(WriteEvidence());
  RETURN_IF_ERROR(saved);
  if (now - saved_at_ >= kStatePace) RETURN_IF_ERROR(SaveState());
  return more;
}

Status Observer::LookAround() {
  bool has_changed = false;
  RETURN_IF_ERROR(LookAtSettings(has_changed));
  if (has_changed) {
    spdlog::info("gate: {}: another gate: what was counted is void", options_.rollout.id);
    Begin(comparison_->pairing().NewestLogTime() + Micros{1});
    told_at_ = Micros{INT64_MIN / 2};
  }
  ASSIGN_OR_RETURN(const bool was_erased, erased_.Refresh());
  if (was_erased) {
    comparison_->pairing().Forget(erased_);
    ingest_->Forget(erased_);
    invariants_->Forget(erased_);
    RETURN_IF_ERROR(SaveState());
    RETURN_IF_ERROR(WriteEvidence());
  }
  Sights sights = parts_.surroundings.Look(options_.stable_speaker, options_.rollout.candidate);
  // The alert store may tell of who was erased since.
  std::erase_if(sights.authority.vehicles,
                [this](const VehicleRef& one) { return erased_.Contains(one); });
  const Micros at = parts_.clock.NowUtc();
  if (sights.workers[0].is_told && sights.workers[1].is_told) counters_at_ = at;
  const Micros now = parts_.clock.NowMonotonic();
  LookAtBlocks(sights, now);
  const GateSettings* const settings = settings_digest_.empty() ? nullptr : &settings_;
  if (invariants_->Look(*comparison_, sights, settings, now, at)) {
    must_save_ = true;
    told_at_ = Micros{INT64_MIN / 2};
  }
  Count();
  return Ok();
}

void Observer::LookAtBlocks(const Sights& sights, Micros now) {
  const ExposureTally& tally = ingest_->tally();
  looks_->Look(
      {.comparison = *comparison_,
       .sights = sights,
       .now = now,
       .vehicles = {static_cast<std::int64_t>(tally.vehicles().size()), tally.compared()}});
}

double Observer::ScaleOf(std::string_view metric) const {
  for (const MetricSettings& one : settings_.metrics) {
    if (one.name == metric && one.scale > 0) return one.scale;
  }
  return 1;
}

void Observer::Count() {
  // Sizes: what is there now.
  const auto set = [this](const char* name, std::uint64_t value) {
    Counter& counter = parts_.counters.Get(name);
    counter.Add(value - counter.value());
  };
  std::uint64_t stopped = 0;
  for (const JournalSight& one : comparison_->sights()) stopped += one.stopped.empty() ? 0 : 1;
  set("journals_stopped", stopped);
  set("vehicles", ingest_->tally().vehicles().size());
  set("overflows", (comparison_->pairing().overflow().empty() ? 0 : 1) +
                       (ingest_->tally().overflow().empty() ? 0 : 1));
  set("reports_unreadable", ingest_->unreadable());
}

gate::Evidence Observer::Evidence() const {
  gate::Evidence evidence;
  evidence.basis = {.environment = options_.environment,
                    .rollout = options_.rollout.id,
                    .candidate = options_.rollout.candidate,
                    .stable = options_.stable,
                    .gate_digest = settings_digest_,
                    .as_of_us = parts_.clock.NowUtc().value};
  evidence.invariants = invariants_->Evidence();
  FillTally(
      {.comparison = *comparison_,
       .ingest = *ingest_,
       .rules = rules_,
       .rules_digest = rules_digest_,
       .is_silence_known = parts_.clock.NowMonotonic() - opened_at_ > kSilentAfter,
       .settle_driving_us =
           static_cast<std::int64_t>(static_cast<double>(settings_.settle_driving_s) * kUsInSecond),
       .model_of =
           [this](const VehicleRef& vehicle) { return parts_.surroundings.ModelOf(vehicle); }},
      evidence);
  evidence.blocks = looks_->Blocks([this](std::string_view metric) { return ScaleOf(metric); });
  if (counters_at_) {
    evidence.sources.push_back({.name = "counters", .newest_us = counters_at_->value});
  }
  return evidence;
}

Status Observer::WriteEvidence() {
  const Micros began = parts_.clock.NowMonotonic();
  told_at_ = began;  // also when it fails
  const std::string text = EvidenceText(Evidence());
  RETURN_IF_ERROR(WriteFileDurably(parts_.disk, options_.folder + "/evidence.json", text, 0640));
  // Of a large fleet it takes a while: then it comes less often, so that reading goes on.
  const Micros took = parts_.clock.NowMonotonic() - began;
  told_at_ = began + Micros{took.value * kEvidenceRest};
  parts_.counters.Get("evidence_written").Add();
  return Ok();
}

Status Observer::SaveState() {
  saved_at_ = parts_.clock.NowMonotonic();
  std::string body;
  comparison_->Encode(body);
  ingest_->Encode(body);
  invariants_->Encode(body);
  looks_->Encode(body);
  RETURN_IF_ERROR(WriteFileDurably(parts_.disk, options_.folder + "/state",
                                   EncodeState(Binding(), body), 0640));
  must_save_ = false;
  parts_.counters.Get("states_saved").Add();
  return Ok();
}

Status Observer::Restore() {
  ASSIGN_OR_RETURN(const std::string file,
                   ReadWholeFile(parts_.disk, options_.folder + "/state", kStateBytesMax));
  ASSIGN_OR_RETURN(const State state, DecodeState(file));
  ByteReader in(state.body);
  RETURN_IF_ERROR(comparison_->Restore(in));
  RETURN_IF_ERROR(ingest_->Restore(in));
  RETURN_IF_ERROR(invariants_->Restore(in));
  RETURN_IF_ERROR(looks_->Restore(in));
  if (in.remaining() != 0) return Error{Code::kCorrupt, "gate state: more than it says"};
  if (state.binding != Binding()) Begin(comparison_->pairing().NewestLogTime() + Micros{1});
  comparison_->pairing().Forget(erased_);
  ingest_->Forget(erased_);
  invariants_->Forget(erased_);
  return Ok();
}

}  // namespace telltale::gate
