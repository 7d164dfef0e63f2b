// An installation that keeps to the rules of docs/decisions/0009 in memory, and a plane over it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/sim_disk.h"
#include "control/config_record.h"
#include "control/folder_shelf_testing.h"
#include "control/plane.h"
#include "control/release.h"
#include "seal/seal.h"
#include "store/disk_vfs.h"

namespace telltale::control {

inline constexpr std::int64_t kStart_s = 1'796'000'000;

template <typename T>
T Must(Result<T> result) {
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().ToString());
  CHECK(result.ok());
  return std::move(result).value();
}

// What outlives a plane: an environment's log and publisher.
struct World {
  explicit World(std::string contract, std::string stable) : key(Must(seal::MakeEd25519())) {
    const InForce first{.config_seq = ConfigSeq{1},
                        .environment = "world",
                        .contract_number = 1,
                        .contract_digest = std::move(contract),
                        .stable_release = stable,
                        .created_at = Micros::Seconds(kStart_s),
                        .next_contract = std::nullopt};
    log[1] = Must(SignConfig(first, key));
    ordered = first;
  }

  InForce Newest() const { return Must(VerifyConfig(log.rbegin()->second, key.public_raw)); }

  // As gateway/config_store does.
  Status Append(std::string_view bytes) {
    if (is_log_down) return Error{Code::kUnavailable, "the log's owner is down"};
    const InForce config = Must(VerifyConfig(bytes, key.public_raw));
    const auto kept = log.find(config.config_seq.value);
    if (kept != log.end() && kept->second != bytes) return Error{Code::kRefused, "other bytes"};
    if (config.leader_epoch > 0 && config.leader_epoch < epoch_max) {
      return Error{Code::kRefused, "a deposed leader's"};
    }
    epoch_max = std::max(epoch_max, config.leader_epoch);
    log[config.config_seq.value] = bytes;
    return Ok();
  }

  // As the publisher does.
  Status Take(std::string_view bytes) {
    if (is_publisher_down) return Error{Code::kUnavailable, "the publisher is down"};
    const InForce config = Must(VerifyConfig(bytes, key.public_raw));
    if (config.config_seq <= ordered.config_seq) return Ok();
    if (config.leader_epoch < ordered.leader_epoch) return Error{Code::kRefused, "deposed"};
    ordered = config;
    ++orders;
    return Ok();
  }

  PublisherView View() const {
    PublisherView view{.config_seq = ordered.config_seq};
    for (std::uint32_t i = 0; i < partitions; ++i) {
      PartitionView one{.partition = i};
      std::uint32_t from = 0;
      if (ordered.rollout && ordered.rollout->authority_lots > 0) {
        from = ordered.rollout->authority_lots;
        one.lanes.push_back(
            {.lot_from = 0, .lot_to = from, .release = ordered.SpeakerOfCandidate()});
      }
      one.lanes.push_back(
          {.lot_from = from, .lot_to = kLots, .release = ordered.SpeakerOfStable()});
      if (i == stuck) one.pending = "journal_stopped";
      if (ordered.rollout && is_warm) {
        one.marks.push_back({.release = ordered.rollout->candidate,
                             .log_time = Micros::Seconds(100'000),
                             .config_seq = ordered.config_seq,
                             .lots = ordered.rollout->shadow_lots});
      }
      view.partitions.push_back(std::move(one));
    }
    return view;
  }

  seal::KeyPair key;
  std::map<std::uint64_t, std::string> log;
  std::uint64_t epoch_max = 0;
  InForce ordered = {};
  std::uint32_t partitions = 4;
  std::uint32_t stuck = UINT32_MAX;
  bool is_warm = true;
  bool is_log_down = false;
  bool is_publisher_down = false;
  int orders = 0;
  std::vector<WorkerCost> costs = {};
  std::string gate_settings = {};  // for the observer
  std::string evidence = {};       // its; "" = none yet
};

class WorldInstallation final : public Installation {
 public:
  explicit WorldInstallation(World& world) : world_(world) {}
  Result<Contracts> InForceNow() override {
    Contracts contracts{
        .in_force = world_.Newest(), .ever = {}, .leader_epoch_max = world_.epoch_max};
    contracts.ever[contracts.in_force.contract_number] = contracts.in_force.contract_digest;
    return contracts;
  }
  Result<std::string> Sign(const InForce& config) override {
    return SignConfig(config, world_.key);
  }
  Status AppendToLog(std::string_view bytes) override { return world_.Append(bytes); }
  Result<PublisherView> Order(std::string_view bytes) override {
    RETURN_IF_ERROR(world_.Take(bytes));
    return world_.View();
  }
  Result<PublisherView> AskPublisher() override {
    if (world_.is_publisher_down) return Error{Code::kUnavailable, "the publisher is down"};
    return world_.View();
  }
  std::vector<WorkerCost> WorkerCosts() override { return world_.costs; }
  Result<std::string> GateEvidence(const std::string& rollout) override {
    if (world_.evidence.empty()) return Error{Code::kNotFound, "none of " + rollout};
    return world_.evidence;
  }
  Status WriteGateSettings(const std::string& rollout, std::string_view settings) override {
    CHECK(!rollout.empty());
    world_.gate_settings = settings;
    return Ok();
  }

 private:
  World& world_;
};

// Environments "staging" (/staging) and "prod" (/prod, after staging), releases on the shelf:
// "features" and "more-features" have stable's safety path.
class PlaneTest : public ::testing::Test {
 protected:
  using json = nlohmann::json;

  PlaneTest() : clock_(Micros::Seconds(kStart_s)), vfs_(disk_) {
    contract_ = HexEncode(seal::Sha256("contract"));
    auto shelf = MakeFolderShelf(disk_, Paths("/control"));
    for (const std::string text : {"stable", "good", "bad"}) releases_[text] = Push(*shelf, text);
    for (const std::string text : {"features", "more-features"}) {
      releases_[text] = Push(*shelf, "stable", {{"features", text}});
    }
    for (const std::string dir : {"/staging", "/prod"}) {
      EXPECT_TRUE(shelf->InstallInto(Paths(dir), releases_["stable"]).ok());
      worlds_.emplace(dir, std::make_unique<World>(contract_, releases_["stable"]));
    }
    Open();
    Put("policies", "demo", Policy("demo"));
    Put("policies", "standard", Policy("standard"));
    Put("environments", "staging", {{"kind", "staging"}, {"dir", "/staging"}, {"policy", "demo"}});
    Put("environments", "prod",
        {{"kind", "prod"}, {"dir", "/prod"}, {"upstream", "staging"}, {"policy", "standard"}});
    for (const char* name : {"anna", "ben", "cleo"}) {
      Put("role-bindings", name,
          {{"subject", std::string("cn:") + name},
           {"role", std::string(name) == "anna" ? "deployer" : "approver"}});
    }
    Must(Tick());
  }

  std::string Push(ReleaseShelf& shelf, const std::string& rules,
                   std::map<std::string, std::string> parts = {}) {
    parts.merge(std::map<std::string, std::string>{
        {"contract", "contract"}, {"engine", "engine"}, {"rules", rules}});
    Components components;
    for (const auto& [name, bytes] : parts) {
      components[name] = HexEncode(seal::Sha256(bytes));
      EXPECT_TRUE(shelf.PutBlob(components[name], bytes).ok());
    }
    const std::string manifest = CanonicalManifest(components);
    Must(shelf.Put(ReleaseId(manifest), {{"manifest", manifest}}));
    return ReleaseId(manifest);
  }

  static json Policy(const std::string& kind) {
    return {{"kind", kind},
            {"warm_up_s", 10},
            {"rollback_window_s", 60},
            {"stages",
             {{{"per_10000", 100}, {"shadow_s", 10}, {"soak_s", 10}, {"approvals", 1}},
              {{"per_10000", 10'000}, {"shadow_s", 10}, {"soak_s", 10}}}}};
  }

  PlaneOptions Options(const std::string& holder) {
    PlaneOptions options{.dir = "/control", .disk = &disk_, .clock = &clock_, .random = &random_};
    options.vfs = &vfs_;
    options.holder = holder;
    options.releases = MakeFolderShelf(disk_, Paths("/control"));
    options.lake = [this](const std::string& dir, const std::string& release,
                          const std::string& salt) {
      lake_asked_ = dir + " " + release + " " + salt;
      return lake_;
    };
    options.ledger = [this](const std::string&) -> Result<json> {
      return json{{"items",
                   {{{"partition", 0},
                     {"release", releases_["bad"]},
                     {"rollout", "staging-1"},
                     {"lot_from", 0},
                     {"lot_to", 101},
                     {"authority_epoch", 2},
                     {"from_offset", 40},
                     {"to_offset", 90},
                     {"config_seq", 4}}}}};
    };
    options.open_installation =
        [this](const std::string& dir) -> Result<std::unique_ptr<Installation>> {
      return std::unique_ptr<Installation>(std::make_unique<WorldInstallation>(*worlds_.at(dir)));
    };
    return options;
  }
  void Open() { plane_ = Must(Plane::Open(Options("first"))); }

  Result<json> Do(const std::string& who, std::string_view operation, const std::string& key,
                  json body = json::object()) {
    return plane_->Do({who}, operation, {{"key", key}, {"body", std::move(body)}});
  }
  json Put(const std::string& kind, const std::string& key, json body) {
    return Must(Do("local:0", kind + ".put", key, std::move(body)));
  }
  Result<bool> Tick(int times = 1) {
    for (int i = 0; i < times; ++i) {
      clock_.Advance(Micros{250'000});
      RETURN_IF_ERROR(plane_->Tick());
    }
    return true;
  }
  World& Of(const std::string& environment) { return *worlds_.at("/" + environment); }
  json Promote(const std::string& environment, const std::string& release) {
    return Must(Do("cn:anna", "promotion.put", environment, {{"release", releases_[release]}}));
  }
  json RolloutOf(const std::string& environment) {
    return Must(plane_->Do({"local:0"}, "status", {}))
        .at("environments")
        .at(environment == "prod" ? 0 : 1)
        .at("rollout");
  }
  std::string PhaseOfNow(const std::string& environment) {
    return RolloutOf(environment).at("phase");
  }
  // Ticks until the phase, for at most ten minutes of the clock.
  bool Reaches(const std::string& environment, const std::string& phase) {
    for (int i = 0; i < 2400; ++i) {
      if (PhaseOfNow(environment) == phase) return true;
      Must(Tick());
    }
    return false;
  }
  Code RefusalOf(const Result<json>& result) {
    CHECK(!result.ok());
    return result.error().code;
  }

  SimDisk disk_;
  ManualClock clock_;
  SeededRandom random_{7};
  store::DiskVfs vfs_;
  std::string contract_;
  std::map<std::string, std::string> releases_;
  std::map<std::string, std::unique_ptr<World>> worlds_;
  std::unique_ptr<Plane> plane_;
  std::string lake_asked_;
  json lake_ = {{"features", nullptr}, {"telemetry", nullptr}};
};

}  // namespace telltale::control
