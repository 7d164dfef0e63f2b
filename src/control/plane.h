// What should run where, how it gets there, and who wanted it: the control plane below its HTTP
// door. Each JSON shape is in docs/control.md, the database in docs/formats/control-db.md, the
// phases of a rollout in rollout_machine.h.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/disk.h"
#include "base/random.h"
#include "base/result.h"
#include "control/installation.h"
#include "control/release_shelf.h"

namespace telltale::store {
class DiskVfs;
}  // namespace telltale::store

namespace telltale::control {

// Who asks, as the door found out: "cn:<common name>", "token:<name>" or "local:<uid>".
struct Actor {
  std::string subject;
};

// A gap in what control may see for itself; the program fills it. Argument: an environment's
// folder. Not set: the operation is kUnsupported, the report goes without.
using FolderReader = std::function<Result<nlohmann::json>(const std::string& environment_dir)>;

// What the lake of the environment in this folder found of a rollout's candidate; it never fails.
using LakeReader = std::function<nlohmann::json(
    const std::string& environment_dir, const std::string& release, const std::string& salt)>;

struct PlaneOptions {
  std::string dir;  // the installation that control lives in: <dir>/data/control/control.db
  Disk* disk = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  const store::DiskVfs* vfs = nullptr;  // where control.db lies; null = the operating system's disk
  std::string holder = {};              // this process's name in the lease; "" = drawn
  std::uint32_t platform_uid = 0;       // beside root, the uid whose "local:" may everything
  InstallationOpener open_installation = {};    // not set: OpenLocalInstallation
  std::unique_ptr<ReleaseShelf> releases = {};  // not set: MakeStoreShelf
  FolderReader vehicles = {};  // [{"vehicle_ref", "model", "vehicle_class", "firmware"}]
  FolderReader ledger = {};    // {"items": […]}: docs/control.md, ledger
  FolderReader live = {};      // docs/control.md, live
  LakeReader lake = {};        // docs/control.md, lake; not set: null
  bool keeps_events = false;   // somebody tells them: Events()
};

// Told; to be tried again; given up, and kept among the dead letters.
enum class EventFate { kTold, kAgain, kDead };

// What an operation touches: a binding for some environments alone does for these and for kAny.
enum class Scope { kAny, kEnvironment, kRollout, kEverything };

// One row of the table of operations: its name in Do, and the roles of which one is needed.
struct Operation {
  std::string_view name;                    // "environments.put"
  std::span<const std::string_view> roles;  // any of these
  Scope scope = Scope::kAny;
  bool is_change = false;
};
std::span<const Operation> Operations();
const Operation* FindOperation(std::string_view name);  // or null

// Thread-safe; any thread. Every change is durable in control.db, with its entry in the audit
// chain, when Do returns. A standby answers and takes wishes too: they are rows of the database,
// and the leader's Tick acts on them. Only `rollback` also speaks to the installation at once, and
// only where this process is the leader; else the leader's next Tick does.
class Plane {
 public:
  virtual ~Plane() = default;

  //   kCorrupt, kUnsupported, kUnavailable  of control.db
  //   kInvalid                              an option is missing
  static Result<std::unique_ptr<Plane>> Open(PlaneOptions options);

  // `arguments`: {"key": what stands in the path, further path keys and the query's members,
  // "body": the request's body}. The answer is docs/control.md's.
  //   kInvalid      a member is unknown, missing or out of its range (the message says which)
  //   kNotFound     no such operation, object, release or rollout
  //   kExists       it is so already, or something that needs it away is there
  //   kRefused      not in one of the actor's roles; or a rule: pinned, frozen, protected, rejected
  //   kUnavailable  the leader, an installation or the database cannot serve now
  //   kUnsupported  a seam of PlaneOptions is not set
  virtual Result<nlohmann::json> Do(const Actor& actor, std::string_view operation,
                                    const nlohmann::json& arguments) = 0;

  // The leader's work, every 250 ms: the lease, the phases, config records on their way. Does
  // nothing in a standby but try the lease. What cannot be reached is pending in the answers and
  // tried again; an error is of the database alone.
  virtual Status Tick() = 0;

  // What is to be told outside, oldest first (docs/control.md, webhook), with how often it was
  // tried. Only where PlaneOptions::keeps_events.
  virtual Result<std::vector<nlohmann::json>> Events(std::size_t most) {
    static_cast<void>(most);
    return std::vector<nlohmann::json>();
  }
  // What became of one of them; `event` as it was given, with what is to be remembered of it.
  virtual Status KeepEvent(const nlohmann::json& event, EventFate fate) {
    static_cast<void>(event);
    static_cast<void>(fate);
    return Ok();
  }
};

}  // namespace telltale::control
