#include "lake/erased.h"

#include "base/sha256.h"

namespace telltale::lake {
namespace {

constexpr std::size_t kTagDigits = 64;
constexpr std::size_t kLineBytes = kTagDigits + 1;
constexpr std::uint64_t kListBytesMax = 1ull << 30;

}  // namespace

std::string Erased::TagOf(VehicleRef vehicle) { return HexEncode(Sha256Of(vehicle.bytes)); }

Result<bool> Erased::Refresh(Disk& disk) {
  const Error corrupt{Code::kCorrupt, path_ + " is no list of erased vehicles"};
  const auto file = disk.Open(path_, OpenMode::kRead);
  if (!file.ok()) {
    if (file.error().code != Code::kNotFound) return file.error();
    if (bytes_ != 0) return corrupt;
    return false;
  }
  ASSIGN_OR_RETURN(const std::uint64_t size, (*file)->Size());
  if (size == bytes_) return false;
  if (size < bytes_ || size % kLineBytes != 0) return corrupt;
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, path_, kListBytesMax));
  if (text.size() % kLineBytes != 0) return corrupt;
  std::unordered_set<std::string> tags;
  for (std::size_t at = 0; at < text.size(); at += kLineBytes) {
    std::string tag = text.substr(at, kTagDigits);
    if (text[at + kTagDigits] != '\n' ||
        tag.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return corrupt;
    }
    tags.insert(std::move(tag));
  }
  tags_ = std::move(tags);
  bytes_ = text.size();
  lines_ = text.size() / kLineBytes;
  return true;
}

}  // namespace telltale::lake
