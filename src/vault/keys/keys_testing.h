// What the tests of this folder share: a provider in memory that fails on command, a disk that
// remembers every file it ever had, and what of it still opens.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/sim_disk.h"
#include "vault/keys/key_tree.h"
#include "vault/keys/root.h"

namespace telltale::vault {

inline VehicleRef VehicleOf(std::uint64_t value) {
  VehicleRef ref;
  ref.bytes.fill(0xA5);
  std::memcpy(ref.bytes.data() + 8, &value, sizeof value);
  return ref;
}
inline HourKeyId Position(std::int64_t hour) { return {RetentionClass::kPosition, Hour{hour}}; }
inline constexpr std::int64_t kSomeHour = 490'008;  // first of its page
inline constexpr std::int64_t kWindowHours = 720;

// Keys outlive a crash of the disk, as those of a token do.
class MemoryProvider final : public KeyProvider {
 public:
  Result<std::string> Create() override {
    if (down || refuse_create) return Error{Code::kUnavailable, "down"};
    if (create_repeats && !keys.empty()) return keys.begin()->first;
    const std::string id = "root-" + std::to_string(++created);
    std::string key(seal::kKeyBytes, '\0');
    random_.Fill({reinterpret_cast<std::uint8_t*>(key.data()), key.size()});
    keys[id] = key;
    return id;
  }
  Result<std::string> Wrap(const std::string& id, const seal::SecretKey& plain,
                           std::string_view context) override {
    if (down) return Error{Code::kUnavailable, "down"};
    if (!keys.contains(id)) return Error{Code::kNotFound, "destroyed"};
    std::string out(seal::kNonceBytes, '\0');
    Sealing how = HowOf(id, context);
    random_.Fill(how.nonce);
    std::copy(how.nonce.begin(), how.nonce.end(), out.begin());
    RETURN_IF_ERROR(SealBytes(how, {plain.data(), plain.size()}, out));
    if (wrap_lies) out[20] ^= 1;
    return out;
  }
  Status Unwrap(const std::string& id, std::string_view wrapped, std::string_view context,
                seal::SecretKey& plain) override {
    if (down) return Error{Code::kUnavailable, "down"};
    if (!keys.contains(id)) return Error{Code::kNotFound, "destroyed"};
    Sealing how = HowOf(id, context);
    std::copy_n(AsBytes(wrapped).begin(), how.nonce.size(), how.nonce.begin());
    return OpenBytes(how, AsBytes(wrapped).subspan(how.nonce.size()), {plain.data(), plain.size()});
  }
  Status Destroy(const std::string& id) override {
    if (down || refuse_destroy) return Error{Code::kUnavailable, "down"};
    if (!destroy_lies) keys.erase(id);
    return Ok();
  }
  Result<std::vector<std::string>> List() override {
    if (down) return Error{Code::kUnavailable, "down"};
    std::vector<std::string> ids;
    for (const auto& [id, key] : keys) ids.push_back(id);
    return ids;
  }
  std::string_view name() const override { return "memory"; }
  std::string_view proof() const override { return "none"; }

  std::map<std::string, std::string> keys;
  int created = 0;
  bool down = false;
  bool refuse_create = false;
  bool refuse_destroy = false;
  bool create_repeats = false;
  bool wrap_lies = false;
  bool destroy_lies = false;

 private:
  Sealing HowOf(const std::string& id, std::string_view context) {
    return {.key = Key(AsBytes(keys[id]).data(), seal::kKeyBytes), .nonce = {}, .bound = context};
  }
  SeededRandom random_{77};
};

// Every content that ever got a name, and folders that do not answer.
class RememberingDisk final : public Disk {
 public:
  explicit RememberingDisk(SimDisk& disk) : disk_(disk) {}
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode,
                                     std::uint32_t permissions) override {
    RETURN_IF_ERROR(Answers(path));
    return disk_.Open(path, mode, permissions);
  }
  Result<std::vector<std::string>> List(const std::string& folder) override {
    RETURN_IF_ERROR(Answers(folder));
    return disk_.List(folder);
  }
  bool Exists(const std::string& path) override { return disk_.Exists(path); }
  Status MakeFolders(const std::string& folder, std::uint32_t permissions) override {
    RETURN_IF_ERROR(Answers(folder));
    return disk_.MakeFolders(folder, permissions);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    RETURN_IF_ERROR(Answers(from));
    const auto content = ReadWholeFile(disk_, from);
    if (content.ok()) ever.insert(*content);
    return disk_.Rename(from, to);
  }
  Status Remove(const std::string& path) override {
    RETURN_IF_ERROR(Answers(path));
    return disk_.Remove(path);
  }
  Status SyncFolder(const std::string& folder) override {
    RETURN_IF_ERROR(Answers(folder));
    return disk_.SyncFolder(folder);
  }

  std::set<std::string> ever;
  std::string silent;  // paths that start with it do not answer

 private:
  Status Answers(const std::string& path) const {
    if (silent.empty() || !path.starts_with(silent)) return Ok();
    return Error{Code::kUnavailable, "the folder does not answer"};
  }
  SimDisk& disk_;
};

// Every slot that opens out of `files`, with all root keys that `provider` still has.
inline std::string Reachable(KeyProvider& provider, const std::set<std::string>& files) {
  std::vector<RootBody> roots;
  for (const std::string& file : files) {
    const auto head = RootHead::Parse(AsBytes(file));
    if (!head.ok()) continue;
    seal::SecretKey key;
    if (!provider.Unwrap(head->root_key_id, head->wrapped, head->Context(), key).ok()) continue;
    auto body = OpenRoot(AsBytes(file), *head, KeyOf(key));
    if (body.ok()) roots.push_back(std::move(body).value());
  }
  std::string reached;
  for (const std::string& file : files) {
    const auto head = PageHead::Parse(AsBytes(file));
    if (!head.ok()) continue;
    for (const RootBody& root : roots) {
      for (std::size_t i = 0; i < root.records(); ++i) {
        if (root.record(i).id != head->id) continue;
        Page page(head->id);
        page.generation = head->generation;
        std::copy_n(root.record(i).key, seal::kKeyBytes, page.key());
        if (!OpenPage(AsBytes(file), page).ok()) continue;
        reached += AsText({page.slot(0), page.used * kSlotBytes});
      }
    }
  }
  return reached;
}

inline std::string KeyText(const KeyTree& tree, const HourKeyId& id) {
  seal::SecretKey key;
  return tree.CopyHour(id, key).ok() ? std::string(key.text()) : std::string();
}
inline std::string KeyText(const KeyTree& tree, const VehicleRef& vehicle) {
  seal::SecretKey key;
  return tree.CopyVehicle(vehicle, key).ok() ? std::string(key.text()) : std::string();
}

inline std::vector<std::string> NamesIn(Disk& disk, const std::string& folder) {
  const auto names = disk.List(folder);
  EXPECT_TRUE(names.ok()) << folder;
  return names.ok() ? names.value() : std::vector<std::string>();
}

struct KeyWorld {
  Result<std::unique_ptr<KeyTree>> Open() {
    return KeyTree::Open(disk, random, provider, counters, options);
  }
  std::unique_ptr<KeyTree> MustOpen() {
    auto tree = Open();
    EXPECT_TRUE(tree.ok()) << tree.error().ToString();
    return tree.ok() ? std::move(tree).value() : nullptr;
  }
  // Of the tree's folder, without what is no key file.
  std::vector<std::string> Names(const std::string& folder = "/tree") {
    std::vector<std::string> names = NamesIn(sim, folder);
    std::erase(names, "reserve");
    return names;
  }
  std::string PageName(const std::string& start, const std::string& folder = "/tree") {
    for (const std::string& name : Names(folder)) {
      if (name.starts_with(start)) return folder + "/" + name;
    }
    return "";
  }
  void FlipBit(const std::string& path, std::uint64_t at) {
    auto file = sim.Open(path, OpenMode::kReadWrite);
    ASSERT_TRUE(file.ok()) << path;
    std::uint8_t byte = 0;
    ASSERT_TRUE((*file)->ReadAt(at, {&byte, 1}).ok());
    byte ^= 0x40;
    ASSERT_TRUE((*file)->WriteAt(at, {&byte, 1}).ok());
  }

  SimDisk sim;
  RememberingDisk disk{sim};
  SeededRandom random{5};
  MemoryProvider provider;
  Counters counters;
  KeyTreeOptions options{.folder = "/tree", .replicas = {}};
};

}  // namespace telltale::vault
