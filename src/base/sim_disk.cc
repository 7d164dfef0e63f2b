#include "base/sim_disk.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"

namespace telltale {
namespace {

constexpr std::size_t kSectorBytes = 512;
constexpr std::uint64_t kUnlimited = UINT64_MAX;

}  // namespace

struct SimDisk::Node {
  std::string content;            // as the running system sees it
  std::string durable;            // as it was at the last sync
  std::set<std::uint64_t> dirty;  // sectors written since
};

// A name that came or went since its folder was last synced: what it stood for before and after.
struct SimDisk::Change {
  std::string path;
  std::shared_ptr<Node> node;  // null = gone
};

struct SimDisk::Core {
  mutable Mutex mutex;
  CondVar changed;
  std::map<std::string, std::shared_ptr<Node>> names GUARDED_BY(mutex);
  std::map<std::string, std::shared_ptr<Node>> durable_names GUARDED_BY(mutex);
  // By folder, in order. A rename is one step: both its changes.
  std::map<std::string, std::vector<std::vector<Change>>> unsynced GUARDED_BY(mutex);
  std::set<std::string> folders GUARDED_BY(mutex);
  std::set<std::string> locks GUARDED_BY(mutex);
  std::uint64_t life GUARDED_BY(mutex) = 0;  // rises at each crash
  std::uint64_t capacity GUARDED_BY(mutex) = kUnlimited;
  std::uint64_t fail_after GUARDED_BY(mutex) = kUnlimited;
  std::uint64_t lose_after GUARDED_BY(mutex) = kUnlimited;  // syncs
  bool fail_reads GUARDED_BY(mutex) = false;
  bool paused GUARDED_BY(mutex) = false;
  std::uint64_t waiting GUARDED_BY(mutex) = 0;
  std::uint64_t bytes_written GUARDED_BY(mutex) = 0;
  std::uint64_t syncs GUARDED_BY(mutex) = 0;

  Status MayChange() REQUIRES(mutex) {
    if (fail_after == kUnlimited) return Ok();
    if (fail_after == 0) return Error{Code::kUnavailable, "the simulated disk has failed"};
    --fail_after;
    return Ok();
  }
  Status Resize(Node& node, std::uint64_t size) REQUIRES(mutex) {
    std::uint64_t used = 0;
    for (const auto& [path, other] : names) used += other->content.size();
    if (size > node.content.size() && used - node.content.size() + size > capacity) {
      return Error{Code::kOverloaded, "the simulated disk is full"};
    }
    // What is cut off comes back as zeros if the file grows again; what is new is zeros anyway.
    for (std::uint64_t s = size / kSectorBytes; s * kSectorBytes < node.content.size(); ++s) {
      node.dirty.insert(s);
    }
    node.content.resize(size);
    return Ok();
  }
  void Step(const std::string& folder, std::vector<Change> changes) REQUIRES(mutex) {
    for (const Change& change : changes) Apply(names, change);
    unsynced[folder].push_back(std::move(changes));
  }
  static void Apply(std::map<std::string, std::shared_ptr<Node>>& to, const Change& change) {
    if (change.node == nullptr) {
      to.erase(change.path);
    } else {
      to[change.path] = change.node;
    }
  }
  static void CrashNode(Node& node, Random& random);
};

class SimFile final : public File {
 public:
  SimFile(std::shared_ptr<SimDisk::Core> core, std::shared_ptr<SimDisk::Node> node,
          std::uint64_t life)
      : core_(std::move(core)), node_(std::move(node)), life_(life) {}

  Result<std::size_t> ReadAt(std::uint64_t at, std::span<std::uint8_t> out) const override {
    MutexLock lock(core_->mutex);
    RETURN_IF_ERROR(Alive());
    if (core_->fail_reads) return Error{Code::kUnavailable, "the simulated disk does not read"};
    if (at >= node_->content.size()) return std::size_t{0};
    const std::size_t size = std::min<std::uint64_t>(out.size(), node_->content.size() - at);
    std::memcpy(out.data(), node_->content.data() + at, size);
    return size;
  }

  Status WriteAt(std::uint64_t at, ByteSpan bytes) override {
    MutexLock lock(core_->mutex);
    RETURN_IF_ERROR(Alive());
    RETURN_IF_ERROR(core_->MayChange());
    if (bytes.empty()) return Ok();
    if (at + bytes.size() > node_->content.size()) {
      RETURN_IF_ERROR(core_->Resize(*node_, at + bytes.size()));
    }
    std::memcpy(node_->content.data() + at, bytes.data(), bytes.size());
    for (std::uint64_t s = at / kSectorBytes; s * kSectorBytes < at + bytes.size(); ++s) {
      node_->dirty.insert(s);
    }
    core_->bytes_written += bytes.size();
    return Ok();
  }

  Status Sync() override {
    MutexLock lock(core_->mutex);
    ++core_->waiting;
    core_->changed.NotifyAll();
    while (core_->paused && life_ == core_->life) core_->changed.Wait(core_->mutex);
    --core_->waiting;
    RETURN_IF_ERROR(Alive());
    RETURN_IF_ERROR(core_->MayChange());
    if (core_->lose_after != kUnlimited && core_->lose_after-- == 0) {
      node_->dirty.clear();
      return Error{Code::kUnavailable, "the simulated disk lost what was to be synced"};
    }
    ++core_->syncs;
    node_->durable.resize(node_->content.size());
    for (const std::uint64_t s : node_->dirty) {
      const std::uint64_t at = s * kSectorBytes;
      if (at >= node_->content.size()) continue;
      const std::size_t size = std::min<std::uint64_t>(kSectorBytes, node_->content.size() - at);
      std::memcpy(node_->durable.data() + at, node_->content.data() + at, size);
    }
    node_->dirty.clear();
    return Ok();
  }

  Result<std::uint64_t> Size() const override {
    MutexLock lock(core_->mutex);
    RETURN_IF_ERROR(Alive());
    return std::uint64_t{node_->content.size()};
  }

  Status Truncate(std::uint64_t size) override {
    MutexLock lock(core_->mutex);
    RETURN_IF_ERROR(Alive());
    RETURN_IF_ERROR(core_->MayChange());
    return core_->Resize(*node_, size);
  }

  Status Preallocate(std::uint64_t size) override {
    MutexLock lock(core_->mutex);
    RETURN_IF_ERROR(Alive());
    RETURN_IF_ERROR(core_->MayChange());
    if (size <= node_->content.size()) return Ok();
    return core_->Resize(*node_, size);
  }

 private:
  Status Alive() const REQUIRES(core_->mutex) {
    if (life_ == core_->life) return Ok();
    return Error{Code::kUnavailable, "the simulated disk lost power"};
  }

  const std::shared_ptr<SimDisk::Core> core_;
  const std::shared_ptr<SimDisk::Node> node_;
  const std::uint64_t life_;
};

class SimLock final : public FileLock {
 public:
  SimLock(std::shared_ptr<SimDisk::Core> core, std::string path, std::uint64_t life)
      : core_(std::move(core)), path_(std::move(path)), life_(life) {}
  ~SimLock() override {
    MutexLock lock(core_->mutex);
    if (life_ == core_->life) core_->locks.erase(path_);
  }

 private:
  const std::shared_ptr<SimDisk::Core> core_;
  const std::string path_;
  const std::uint64_t life_;
};

SimDisk::SimDisk() : core_(std::make_shared<Core>()) {}
SimDisk::~SimDisk() = default;

Result<std::unique_ptr<File>> SimDisk::Open(const std::string& path, OpenMode mode,
                                            std::uint32_t /*permissions*/) {
  MutexLock lock(core_->mutex);
  const auto found = core_->names.find(path);
  const bool exists = found != core_->names.end();
  if (exists && mode == OpenMode::kCreate) return Error{Code::kExists, path + " exists"};
  if (!exists && (mode == OpenMode::kRead || mode == OpenMode::kReadWrite)) {
    return Error{Code::kNotFound, "no file " + path};
  }
  if (exists) {
    return std::unique_ptr<File>(std::make_unique<SimFile>(core_, found->second, core_->life));
  }
  if (!core_->folders.contains(ParentFolder(path))) {
    return Error{Code::kNotFound, "no folder for " + path};
  }
  RETURN_IF_ERROR(core_->MayChange());
  auto node = std::make_shared<Node>();
  core_->Step(ParentFolder(path), {{path, node}});
  return std::unique_ptr<File>(std::make_unique<SimFile>(core_, node, core_->life));
}

Result<std::vector<std::string>> SimDisk::List(const std::string& folder) {
  MutexLock lock(core_->mutex);
  if (!core_->folders.contains(folder)) return Error{Code::kNotFound, "no folder " + folder};
  std::vector<std::string> found;
  for (const auto& [path, node] : core_->names) {
    if (ParentFolder(path) == folder) found.push_back(path.substr(folder.size() + 1));
  }
  for (const std::string& path : core_->folders) {
    if (path != "/" && path != folder && ParentFolder(path) == folder) {
      found.push_back(path.substr(folder.size() + 1));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool SimDisk::Exists(const std::string& path) {
  MutexLock lock(core_->mutex);
  return core_->names.contains(path) || core_->folders.contains(path);
}

// Folders survive a crash at once: what may be lost is what lies in them.
Status SimDisk::MakeFolders(const std::string& folder, std::uint32_t /*permissions*/) {
  MutexLock lock(core_->mutex);
  RETURN_IF_ERROR(core_->MayChange());
  for (std::string at = folder; at != "/" && at != "."; at = ParentFolder(at)) {
    core_->folders.insert(at);
  }
  core_->folders.insert("/");
  return Ok();
}

Status SimDisk::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(core_->mutex);
  RETURN_IF_ERROR(core_->MayChange());
  const auto found = core_->names.find(from);
  if (found == core_->names.end()) return Error{Code::kNotFound, "no file " + from};
  core_->Step(ParentFolder(to), {{to, found->second}, {from, nullptr}});
  return Ok();
}

Status SimDisk::Remove(const std::string& path) {
  MutexLock lock(core_->mutex);
  RETURN_IF_ERROR(core_->MayChange());
  if (!core_->names.contains(path)) return Error{Code::kNotFound, "no file " + path};
  core_->Step(ParentFolder(path), {{path, nullptr}});
  return Ok();
}

Status SimDisk::SyncFolder(const std::string& folder) {
  MutexLock lock(core_->mutex);
  if (!core_->folders.contains(folder) && folder != "/" && folder != ".") {
    return Error{Code::kNotFound, "no folder " + folder};
  }
  RETURN_IF_ERROR(core_->MayChange());
  for (const auto& step : core_->unsynced[folder]) {
    for (const Change& change : step) Core::Apply(core_->durable_names, change);
  }
  core_->unsynced.erase(folder);
  return Ok();
}

Result<std::unique_ptr<FileLock>> SimDisk::TryLock(const std::string& path) {
  MutexLock lock(core_->mutex);
  if (!core_->locks.insert(path).second) {
    return Error{Code::kUnavailable, path + " is held by another process; stop it"};
  }
  return std::unique_ptr<FileLock>(std::make_unique<SimLock>(core_, path, core_->life));
}

void SimDisk::Core::CrashNode(Node& node, Random& random) {
  // The size is one of the two; with dirty sectors beyond it there is nothing to keep.
  std::string after = node.durable;
  if (node.content.size() != node.durable.size() && random.Below(2) == 0) {
    after.resize(node.content.size());
  }
  for (const std::uint64_t sector : node.dirty) {
    const std::uint64_t at = sector * kSectorBytes;
    if (at >= after.size() || at >= node.content.size()) continue;
    std::size_t size =
        std::min({std::uint64_t{kSectorBytes}, after.size() - at, node.content.size() - at});
    const std::uint64_t fate = random.Below(8);
    if (fate < 3) continue;                        // lost
    if (fate == 3) size = random.Below(size + 1);  // torn
    std::memcpy(after.data() + at, node.content.data() + at, size);
  }
  node.content = after;
  node.durable = std::move(after);
  node.dirty.clear();
}

void SimDisk::Crash(std::uint64_t seed) {
  SeededRandom random(seed);
  MutexLock lock(core_->mutex);
  for (const auto& [folder, steps] : core_->unsynced) {
    const std::uint64_t kept = random.Below(steps.size() + 1);
    for (std::uint64_t i = 0; i < kept; ++i) {
      for (const Change& change : steps[i]) Core::Apply(core_->durable_names, change);
    }
  }
  core_->unsynced.clear();
  core_->names = core_->durable_names;
  std::set<Node*> done;  // in the order of names, so that a seed means the same every time
  for (const auto& [path, node] : core_->names) {
    if (done.insert(node.get()).second) Core::CrashNode(*node, random);
  }
  core_->locks.clear();
  core_->paused = false;
  core_->fail_after = kUnlimited;
  ++core_->life;
  core_->changed.NotifyAll();
}

void SimDisk::SetCapacity(std::uint64_t bytes) {
  MutexLock lock(core_->mutex);
  core_->capacity = bytes;
}

void SimDisk::FailAfter(std::uint64_t calls) {
  MutexLock lock(core_->mutex);
  core_->fail_after = calls;
}

void SimDisk::FailNever() { FailAfter(kUnlimited); }

void SimDisk::LoseAtSync(std::uint64_t calls) {
  MutexLock lock(core_->mutex);
  core_->lose_after = calls;
}

void SimDisk::FailReads(bool fail) {
  MutexLock lock(core_->mutex);
  core_->fail_reads = fail;
}

void SimDisk::PauseSyncs() {
  MutexLock lock(core_->mutex);
  core_->paused = true;
}

void SimDisk::ResumeSyncs() {
  MutexLock lock(core_->mutex);
  core_->paused = false;
  core_->changed.NotifyAll();
}

void SimDisk::WaitForPausedSync() {
  MutexLock lock(core_->mutex);
  while (core_->waiting == 0) core_->changed.Wait(core_->mutex);
}

std::uint64_t SimDisk::bytes_written() const {
  MutexLock lock(core_->mutex);
  return core_->bytes_written;
}

std::uint64_t SimDisk::syncs() const {
  MutexLock lock(core_->mutex);
  return core_->syncs;
}

}  // namespace telltale
