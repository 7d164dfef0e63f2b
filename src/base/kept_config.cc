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

std::string KeptConfigPath(const std::string& folder, ConfigSeq config_seq) {
  return fmt::format("{}/{:020}", folder, config_seq.value);
}

Result<std::vector<ConfigSeq>> KeptConfigSeqs(Disk& disk, const std::string& folder) {
  std::vector<ConfigSeq> seqs;
  const auto names = disk.List(folder);
  if (!names.ok() && names.error().code == Code::kNotFound) return seqs;
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    if (const auto seq = SeqOf(name)) seqs.push_back(*seq);
  }
  std::sort(seqs.begin(), seqs.end());
  return seqs;
}

Result<std::optional<ConfigSeq>> NewestKeptConfigSeq(Disk& disk, const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<ConfigSeq> seqs, KeptConfigSeqs(disk, folder));
  return seqs.empty() ? std::optional<ConfigSeq>() : seqs.back();
}

Result<std::string> ReadKeptConfig(Disk& disk, const std::string& folder, ConfigSeq config_seq) {
  return ReadWholeFile(disk, KeptConfigPath(folder, config_seq), kKeptConfigBytesMax);
}

}  // namespace telltale
