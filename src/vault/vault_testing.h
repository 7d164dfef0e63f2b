// What the tests of this module share: a disk that fails, a clock by hand, frames and their bytes.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/sim_disk.h"
#include "store/disk_vfs.h"
#include "vault/vault_folder.h"

namespace telltale::vault {

inline constexpr std::int64_t kDay = 86'400 * 1'000'000ll;
inline constexpr std::uint32_t kWindowDays = 30;
inline constexpr Micros kWindow{kWindowDays * kDay};
// 2025-11-24T16:00:00Z: on the hour, so that edges are easy to say.
inline constexpr Micros kNow{1'764'000'000'000'000};

inline VehicleRef VehicleOf(std::uint8_t value) {
  VehicleRef ref;
  ref.bytes.fill(value);
  return ref;
}

// The wire bytes of latitude_deg (160) as a double: a position as it lies in a report.
inline std::string LatitudeWire(double value) {
  std::string wire("\x81\x0a", 2);  // field 160, 64 bit
  PutLe(wire, value);
  return wire;
}

struct FrameSpec {
  std::uint8_t vehicle = 1;
  std::uint64_t seq = 0;
  Micros event_time = kNow;
  Micros receipt_time = kNow;
  std::string fields = LatitudeWire(48.137154);
};
inline Frame FrameOf(const FrameSpec& spec) {
  Frame frame;
  frame.vehicle = VehicleOf(spec.vehicle);
  frame.boot = {2, 77};
  frame.contract_number = 1;
  frame.receipt_time = spec.receipt_time;
  frame.firmware = "1.0.0";
  frame.entries.push_back({spec.seq, spec.event_time, {}, spec.fields});
  return frame;
}

// Every file below `folder`, by path.
inline void ForEachFile(Disk& disk, const std::string& folder,
                        const std::function<void(const std::string&, const std::string&)>& file) {
  const auto names = disk.List(folder);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    const auto content = ReadWholeFile(disk, path);
    if (content.ok()) {
      file(path, *content);
    } else {
      ForEachFile(disk, path, file);
    }
  }
}
inline int FilesWith(Disk& disk, const std::string& folder, const std::string& bytes) {
  int found = 0;
  ForEachFile(disk, folder, [&](const std::string&, const std::string& content) {
    if (content.find(bytes) != std::string::npos) ++found;
  });
  return found;
}

// An opened vault; stands for its store.
class OpenedVault {
 public:
  OpenedVault() = default;
  explicit OpenedVault(std::unique_ptr<VaultFolder> folder) : folder_(std::move(folder)) {}
  Store* operator->() const { return &folder_->store(); }
  Store& operator*() const { return folder_->store(); }
  VaultFolder& folder() const { return *folder_; }
  void reset() { folder_.reset(); }

 private:
  std::unique_ptr<VaultFolder> folder_;
};

// A vault's folder on a simulated disk. Partitions as the log of the tests has them.
inline Result<OpenedVault> OpenVault(Disk& disk, Clock& clock, Random& random, Counters& counters,
                                     const store::DiskVfs& vfs,
                                     const Windows& windows = Windows::Days(kWindowDays),
                                     std::uint16_t partitions = 4) {
  ASSIGN_OR_RETURN(auto folder, VaultFolder::Open(disk, clock, random, counters, nullptr,
                                                  {.dir = "/vault",
                                                   .windows = windows,
                                                   .partitions = partitions,
                                                   .replicas = {},
                                                   .vfs = &vfs}));
  return OpenedVault(std::move(folder));
}

// Every entry of a vehicle as (seq, bytes), in the order found.
inline std::vector<std::pair<std::uint64_t, std::string>> EntriesOf(
    const Store& store, std::uint8_t vehicle, FrameClass frame_class = FrameClass::kData,
    std::optional<std::uint64_t> hold = std::nullopt) {
  std::vector<std::pair<std::uint64_t, std::string>> entries;
  Store::FrameReader reader(store);
  const auto refs = store.Find(VehicleOf(vehicle), frame_class, Micros{0}, Micros{1ll << 60}, hold);
  EXPECT_TRUE(refs.ok()) << refs.error().ToString();
  if (!refs.ok()) return entries;
  for (const FrameRef& ref : *refs) {
    auto frame = reader.Read(ref);
    if (!frame.ok() || frame->frame_class != frame_class) continue;
    for (const FrameEntry& entry : frame->entries) entries.emplace_back(entry.seq, entry.fields);
  }
  return entries;
}

class VaultTest : public testing::Test {
 protected:
  VaultTest() { EXPECT_TRUE(disk_.MakeFolders("/vault", 0700).ok()); }

  Result<OpenedVault> TryOpen(const Windows& windows = Windows::Days(kWindowDays)) {
    return OpenVault(disk_, clock_, random_, counters_, vfs_, windows);
  }
  OpenedVault OpenStore(const Windows& windows = Windows::Days(kWindowDays)) {
    auto vault = TryOpen(windows);
    EXPECT_TRUE(vault.ok()) << vault.error().ToString();
    return std::move(vault).value();
  }

  SimDisk disk_;
  store::DiskVfs vfs_{disk_};
  ManualClock clock_{kNow};
  SeededRandom random_{11};
  Counters counters_;
};

}  // namespace telltale::vault
