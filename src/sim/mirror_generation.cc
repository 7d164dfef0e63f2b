#include "sim/mirror_generation.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <nlohmann/json.hpp>

#include "base/check.h"

namespace telltale::sim {
namespace {

using nlohmann::json;

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kKeyBytes = 32;
constexpr std::uint64_t kFileBytesMax = 4096;
constexpr std::uint32_t kSecretMode = 0600;
constexpr std::uint64_t kDistanceMaxM = 1'000'000'000;
// What a VIN is made of.
constexpr std::string_view kLetters = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789";
constexpr std::string_view kPrefix = "TTM";
constexpr std::size_t kVinBytes = 17;

using Digest = std::array<std::uint8_t, 32>;

Digest Keyed(const std::string& key, std::string_view purpose, const VehicleRef& vehicle) {
  std::string text(purpose);
  text.push_back('\0');
  text.append(AsText(vehicle.bytes));
  Digest digest{};
  unsigned int size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
             &size) != nullptr);
  CHECK(size == digest.size());
  return digest;
}

Result<MirrorGeneration> Parse(const std::string& text, const std::string& path) {
  const Error broken{Code::kCorrupt, path + " holds no mirror generation"};
  const json file = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!file.is_object()) return broken;
  const auto number = [&](const char* name) -> std::int64_t {
    const auto found = file.find(name);
    return found != file.end() && found->is_number_integer() ? found->get<std::int64_t>() : -1;
  };
  const std::int64_t min_reader = number("min_reader");
  if (min_reader < 0) return broken;
  if (min_reader > kVersion) {
    return Error{Code::kUnsupported,
                 fmt::format("{} needs a reader of version {}; this telltale reads up to {}", path,
                             min_reader, kVersion)};
  }
  const auto key = file.find("key");
  if (key == file.end() || !key->is_string()) return broken;
  auto bytes = HexDecode(key->get<std::string>());
  MirrorGeneration generation;
  if (!bytes.ok() || bytes->size() != kKeyBytes) return broken;
  if (number("number") < 1 || number("began_at_us") < 0 || number("ends_at_us") < 0) return broken;
  if (number("sessions") < 0 || number("sessions") > UINT16_MAX) return broken;
  generation.key = std::move(bytes).value();
  generation.number = static_cast<std::uint64_t>(number("number"));
  generation.began_at = Micros{number("began_at_us")};
  generation.ends_at = Micros{number("ends_at_us")};
  generation.sessions = static_cast<std::uint32_t>(number("sessions"));
  return generation;
}

Status Keep(Disk& disk, const std::string& path, const MirrorGeneration& generation) {
  const nlohmann::ordered_json file = {{"version", kVersion},
                                       {"min_reader", kVersion},
                                       {"number", generation.number},
                                       {"key", HexEncode(generation.key)},
                                       {"began_at_us", generation.began_at.value},
                                       {"ends_at_us", generation.ends_at.value},
                                       {"sessions", generation.sessions}};
  return WriteFileDurably(disk, path, file.dump(2) + "\n", kSecretMode);
}

}  // namespace

Result<MirrorGeneration> TakeGeneration(Disk& disk, const std::string& path, Random& random,
                                        Micros now, std::uint32_t hours) {
  MirrorGeneration generation;
  const auto text = ReadWholeFile(disk, path, kFileBytesMax);
  if (text.ok()) {
    ASSIGN_OR_RETURN(generation, Parse(*text, path));
  } else if (text.error().code != Code::kNotFound) {
    return text.error();
  }
  // Sessions have 16 bits of a boot counter (mirror_car.h).
  const bool is_over = now >= generation.ends_at || generation.sessions >= UINT16_MAX - 1;
  if (generation.number == 0 || is_over) {
    const Micros length = Micros::Seconds(std::int64_t{hours} * 3600);
    generation.key.assign(kKeyBytes, '\0');
    random.Fill({reinterpret_cast<std::uint8_t*>(generation.key.data()), kKeyBytes});
    generation.number += 1;
    generation.began_at = now;
    generation.ends_at = now + length;
    generation.sessions = 0;
  }
  generation.sessions += 1;
  RETURN_IF_ERROR(Keep(disk, path, generation));
  return generation;
}

std::string PseudonymOf(const std::string& key, const VehicleRef& vehicle) {
  const Digest digest = Keyed(key, "name", vehicle);
  std::string vin(kPrefix);
  // Seven characters of each half: 33^7 are 36 bits, a half has 64.
  for (const std::size_t half : {std::size_t{0}, std::size_t{8}}) {
    auto rest = GetLe<std::uint64_t>(digest.data() + half);
    for (std::size_t i = 0; i < (kVinBytes - kPrefix.size()) / 2; ++i) {
      vin.push_back(kLetters[rest % kLetters.size()]);
      rest /= kLetters.size();
    }
  }
  return vin;
}

double PseudonymDistanceKm(const std::string& key, const VehicleRef& vehicle) {
  const Digest digest = Keyed(key, "distance", vehicle);
  const auto draw = GetLe<std::uint64_t>(digest.data());
  return static_cast<double>(draw % (kDistanceMaxM + 1)) / 1000.0;
}

}  // namespace telltale::sim
