#include "contract/check/version_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace telltale::contract::check {
namespace {

constexpr std::size_t kDigestDigits = 12;
constexpr std::string_view kDesc = ".desc";
constexpr std::string_view kApprovals = ".approvals.yaml";

struct FileName {
  int number = 0;
  std::string digest;
};

std::string Stem(int number, std::string_view digest) {
  return fmt::format("{:04}-{}", number, digest.substr(0, kDigestDigits));
}

// "0007-0123456789ab.desc"
std::optional<FileName> ParseName(std::string_view name) {
  if (!name.ends_with(kDesc)) return std::nullopt;
  name.remove_suffix(kDesc.size());
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos || dash < 4 || dash > 9) return std::nullopt;
  FileName parsed;
  for (const char c : name.substr(0, dash)) {
    if (c < '0' || c > '9') return std::nullopt;
    parsed.number = parsed.number * 10 + (c - '0');
  }
  parsed.digest = name.substr(dash + 1);
  const bool is_hex = std::all_of(parsed.digest.begin(), parsed.digest.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  const bool is_plain = parsed.digest.size() == kDigestDigits && is_hex;
  if (!is_plain || Stem(parsed.number, parsed.digest) != name) return std::nullopt;
  return parsed;
}

Status Write(Disk& disk, const std::string& path, std::string_view content) {
  ASSIGN_OR_RETURN(const auto file, disk.Open(path, OpenMode::kCreate, 0644));
  Status written = file->WriteAt(0, AsBytes(content));
  if (written.ok()) written = file->Sync();
  if (!written.ok()) (void)disk.Remove(path);
  return written;
}

class Reader {
 public:
  Reader(Disk& disk, const std::string& folder, const DigestOf& digest_of)
      : disk_(disk), folder_(folder), digest_of_(digest_of) {}

  Result<Published> Read() {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(folder_));
    std::map<int, std::string> by_number;
    for (const std::string& name : names) {
      if (!name.ends_with(kDesc)) continue;
      const auto parsed = ParseName(name);
      if (!parsed) {
        Add(name,
            "is not named NNNN-<first 12 digits of its SHA-256>.desc: only `telltale "
            "contract publish` adds files here");
      } else if (!by_number.emplace(parsed->number, name).second) {
        Add(name, fmt::format("number {:04} is there twice, the other is {}: find out which one "
                              "is in force and remove the other",
                              parsed->number, by_number.at(parsed->number)));
      }
    }
    int expected = 1;
    for (const auto& [number, name] : by_number) {
      if (number != expected) {
        Add(name, fmt::format("{:04} is missing before it: bring it back from version control",
                              expected));
      }
      expected = number + 1;
      RETURN_IF_ERROR(ReadOne(number, name));
    }
    return std::move(published_);
  }

 private:
  void Add(const std::string& name, std::string what) {
    published_.problems.push_back({{folder_ + "/" + name, 0, 0}, std::move(what)});
  }

  Status ReadOne(int number, const std::string& name) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, folder_ + "/" + name));
    const std::string digest = digest_of_(bytes);
    const std::string stem = Stem(number, digest);
    if (stem + std::string(kDesc) != name) {
      Add(name, fmt::format("its SHA-256 begins with {}: it was changed, or cut by a crash; bring "
                            "it back from version control, or remove it if it never was there",
                            digest.substr(0, kDigestDigits)));
      return Ok();
    }
    Version version{fmt::format("{:04}", number), {}, {}};
    if (!version.files.ParseFromString(bytes)) {
      Add(name, "is no descriptor set");
      return Ok();
    }
    const std::string approvals = folder_ + "/" + stem + std::string(kApprovals);
    published_.versions.push_back(std::move(version));
    published_.digests.push_back(digest);
    published_.approvals.push_back(disk_.Exists(approvals) ? approvals : "");
    return Ok();
  }

  Disk& disk_;
  const std::string folder_;
  const DigestOf& digest_of_;
  Published published_;
};

}  // namespace

Result<Published> ReadHistory(Disk& disk, const std::string& folder, const DigestOf& digest_of) {
  return Reader(disk, folder, digest_of).Read();
}

Result<std::string> AppendVersion(Disk& disk, const std::string& folder, const Published& published,
                                  const NewVersion& next) {
  const int number = static_cast<int>(published.versions.size()) + 1;
  const std::string stem = folder + "/" + Stem(number, next.digest);
  const std::string approvals = stem + std::string(kApprovals);
  const std::string path = stem + std::string(kDesc);
  if (disk.Exists(path)) return Error{Code::kExists, path + " is there already: check again"};
  // With the descriptor set the version exists; what it rests on is there before.
  if (disk.Exists(approvals)) RETURN_IF_ERROR(disk.Remove(approvals));  // left by a crash
  if (!next.approvals.empty()) RETURN_IF_ERROR(Write(disk, approvals, next.approvals));
  RETURN_IF_ERROR(Write(disk, path, next.descriptor_set));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(folder));
  const auto is_other = [&](const std::string& name) {
    const auto parsed = ParseName(name);
    return parsed && parsed->number == number && folder + "/" + name != path;
  };
  // Exclusive creation does not see a file of the same number and another digest.
  if (std::any_of(names.begin(), names.end(), is_other)) {
    RETURN_IF_ERROR(disk.Remove(path));
    if (!next.approvals.empty()) RETURN_IF_ERROR(disk.Remove(approvals));
    return Error{Code::kExists,
                 fmt::format("number {:04} was taken meanwhile: check and publish again", number)};
  }
  RETURN_IF_ERROR(disk.SyncFolder(folder));
  return path;
}

}  // namespace telltale::contract::check
