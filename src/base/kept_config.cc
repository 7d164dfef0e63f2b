#include "base/kept_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace telltale {
namespace {

constexpr std::size_t kDigits = 20;

// nullopt: another file, such as one that is being written.
std::optional<ConfigSeq> SeqOf(const std::string& name) {
  std::uint64_t seq = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), seq);
  if (name.size() != kDigits || error != std::errc() || end != name.data() + name.size()) {
    return std::nullopt;
  }
  return ConfigSeq{seq};
}

}  // namespace

std::string KeptConfigFolder(const Paths& paths) { return paths.log() + "/config"; }

Result<std::optional<ConfigSeq>> NewestKeptConfigSeq(Disk& disk, const std::string& folder) {
  std::optional<ConfigSeq> newest;
  const auto names = disk.List(folder);
  if (!names.ok() && names.error().code == Code::kNotFound) return newest;
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) newest = std::max(newest, SeqOf(name));
  return newest;
}

Result<KeptConfig> ReadKeptConfig(Disk& disk, const std::string& folder, ConfigSeq config_seq) {
  const std::string path = fmt::format("{}/{:020}", folder, config_seq.value);
  ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(disk, path, kKeptConfigBytesMax));
  return KeptConfig{config_seq, std::move(bytes)};
}

}  // namespace telltale
