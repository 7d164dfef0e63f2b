// The key tree with a fleet of 10 million: memory, opening, new vehicles, lookups, destructions.
// usage: key_tree_bench FOLDER [VEHICLES]   (FOLDER is made; 500 MB of disk)
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/disk.h"
#include "vault/keys/file_provider.h"
#include "vault/keys/key_tree.h"

namespace telltale::vault {
namespace {

class Watch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

VehicleRef VehicleNumber(std::uint64_t number) {
  VehicleRef ref;
  SeededRandom(number * 0x2545F4914F6CDD1Dull + 1).Fill(ref.bytes);
  return ref;
}

double ResidentMb() {
  PosixDisk disk;
  const auto file = disk.Open("/proc/self/statm", OpenMode::kRead, 0);
  std::string text(64, '\0');
  if (!file.ok() || !(*file)->ReadAt(0, {reinterpret_cast<std::uint8_t*>(text.data()), 64}).ok()) {
    return 0;
  }
  return std::strtod(text.c_str() + text.find(' '), nullptr) * 4096 / 1e6;
}

struct Bench {
  Result<std::unique_ptr<KeyTree>> Open() {
    ASSIGN_OR_RETURN(provider, FileProvider::Open(disk, folder + "/root-keys", random));
    return KeyTree::Open(disk, random, *provider, counters,
                         {.folder = folder + "/tree", .replicas = {}});
  }
  Status Run(std::uint64_t vehicles);
  Status Fill(KeyTree& tree, std::uint64_t vehicles);
  Status Destroy(KeyTree& tree, std::uint64_t vehicles);

  std::string folder;
  PosixDisk disk;
  SystemRandom random;
  Counters counters;
  std::unique_ptr<FileProvider> provider;
};

Status Bench::Fill(KeyTree& tree, std::uint64_t vehicles) {
  Watch ensuring;
  for (std::uint64_t i = 0; i < vehicles; ++i) {
    RETURN_IF_ERROR(tree.EnsureVehicle(VehicleNumber(i)));
  }
  std::printf("ensure     %8.0f vehicles/s\n", static_cast<double>(vehicles) / ensuring.Seconds());
  Watch flushing;
  RETURN_IF_ERROR(tree.Flush());
  std::printf("flush      %8.2f s, all pages\n", flushing.Seconds());
  Watch hours;
  for (std::int64_t hour = 0; hour < 62 * 24; ++hour) {
    for (const RetentionClass one : kWindowClasses) {
      RETURN_IF_ERROR(tree.EnsureHour({one, Hour{490'000 + hour}}, Hour{500'000}));
    }
  }
  RETURN_IF_ERROR(tree.Flush());
  std::printf("hours      %8.2f s, 62 days of 5 classes\n", hours.Seconds());
  return Ok();
}

Status Bench::Destroy(KeyTree& tree, std::uint64_t vehicles) {
  const std::vector<HourKeyId> hour = {{RetentionClass::kPosition, Hour{490'000}}};
  Watch one_hour;
  RETURN_IF_ERROR(tree.Destroy(hour, {}));
  std::printf("destroy    %8.1f ms, an hour\n", one_hour.Seconds() * 1e3);
  const std::vector<VehicleRef> one = {VehicleNumber(vehicles / 2)};
  Watch one_vehicle;
  RETURN_IF_ERROR(tree.Destroy({}, one));
  std::printf("destroy    %8.1f ms, a vehicle\n", one_vehicle.Seconds() * 1e3);
  std::vector<VehicleRef> batch;
  for (std::uint64_t i = 0; i < 100; ++i) batch.push_back(VehicleNumber(i * (vehicles / 100)));
  Watch hundred;
  RETURN_IF_ERROR(tree.Destroy({}, batch));
  std::printf("destroy    %8.1f ms, 100 vehicles over as many pages\n", hundred.Seconds() * 1e3);
  Watch adding;
  RETURN_IF_ERROR(tree.EnsureVehicle(VehicleNumber(vehicles + 1)));
  RETURN_IF_ERROR(tree.Flush());
  std::printf("flush      %8.1f ms, one new vehicle\n", adding.Seconds() * 1e3);
  return Ok();
}

Status Bench::Run(std::uint64_t vehicles) {
  const double before = ResidentMb();
  {
    ASSIGN_OR_RETURN(const auto tree, Open());
    RETURN_IF_ERROR(Fill(*tree, vehicles));
    RETURN_IF_ERROR(Destroy(*tree, vehicles));
  }
  Watch opening;
  ASSIGN_OR_RETURN(const auto tree, Open());
  std::printf("open       %8.2f s\n", opening.Seconds());
  std::printf("memory     %8.0f MB resident, %.1f bytes a vehicle, locked: %s\n", ResidentMb(),
              (ResidentMb() - before) * 1e6 / static_cast<double>(vehicles),
              tree->locked() ? "yes" : "no");
  constexpr std::uint64_t kLookups = 1'000'000;
  Watch looking;
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < kLookups; ++i) {
    seal::SecretKey key;
    found += tree->CopyVehicle(VehicleNumber(i * 7919 % vehicles), key).ok() ? 1 : 0;
  }
  std::printf("lookup     %8.0f /s (%llu found)\n",
              static_cast<double>(kLookups) / looking.Seconds(),
              static_cast<unsigned long long>(found));
  return Ok();
}

}  // namespace
}  // namespace telltale::vault

int main(int count, char** words) {
  if (count < 2) {
    std::fprintf(stderr, "usage: key_tree_bench FOLDER [VEHICLES]\n");
    return 2;
  }
  telltale::vault::Bench bench;
  bench.folder = words[1];
  const std::uint64_t vehicles = count > 2 ? std::strtoull(words[2], nullptr, 10) : 10'000'000;
  const telltale::Status done = bench.Run(vehicles);
  if (!done.ok()) std::fprintf(stderr, "%s\n", done.error().ToString().c_str());
  return done.ok() ? 0 : 1;
}
