#include "sim/drives/drive.h"

#include <fmt/format.h>
#include <zlib.h>

#include "base/checksum.h"

namespace telltale::sim {
namespace {

constexpr std::uint64_t kFileBytesMax = 256u << 20;
constexpr std::size_t kUnpackedBytesMax = 1u << 30;

// The file's name without its folder, .gz and last suffix.
std::string NameOf(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  path.remove_prefix(path.rfind('/') + 1);
  if (path.ends_with(".gz")) path.remove_suffix(3);
  return std::string(path.substr(0, path.rfind('.')));
}

Result<std::string> ReadUnpacked(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadWholeFile(disk, path, kFileBytesMax));
  if (!text.starts_with("\x1f\x8b")) return text;
  auto unpacked = Gunzip(text);
  if (!unpacked.ok()) return Annotate(unpacked.error(), path);
  return unpacked;
}

}  // namespace

bool DriveSource::Next(TimedReport& out) {
  if (next_ == drive_.reports.size()) return false;
  out = drive_.reports[next_++];
  return true;
}

std::string_view RowDropName(RowDrop drop) {
  static constexpr std::string_view kNames[] = {
      "source_duplicates", "source_backwards", "source_no_time", "source_malformed",
      "source_nothing",    "source_foreign",   "source_merged"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(RowDrop::kEnd_));
  return kNames[static_cast<std::size_t>(drop)];
}

std::string_view ValueDropName(ValueDrop drop) {
  static constexpr std::string_view kNames[] = {"value_sentinels", "value_carried_forward",
                                                "value_out_of_range", "value_malformed",
                                                "value_invalid"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(ValueDrop::kEnd_));
  return kNames[static_cast<std::size_t>(drop)];
}

Result<std::string> Gunzip(std::string_view packed) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) {
    return Error{Code::kUnavailable, "zlib cannot start"};
  }
  // zlib's interface takes a pointer to non-const and does not write through it.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  int state = Z_OK;
  while (state == Z_OK && out.size() < kUnpackedBytesMax) {
    const std::size_t before = out.size();
    out.resize(before + (1u << 18));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = 1u << 18;
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) return Error{Code::kCorrupt, "the gzip data is cut or broken"};
  return out;
}

Result<std::string> Source::Beside(const std::string& file) const {
  for (const std::string& candidate : {file, file + ".gz"}) {
    const std::string path_beside = folder + "/" + candidate;
    if (disk.Exists(path_beside)) return ReadUnpacked(disk, path_beside);
  }
  return Error{Code::kNotFound,
               fmt::format("{}/{} belongs to this recording and is missing", folder, file)};
}

Result<std::vector<Drive>> ReadDrives(Disk& disk, const std::string& format,
                                      const std::string& path) {
  std::string names;  // for the message
  for (const DriveFormat& known : DriveFormats()) {
    if (format != known.name) {
      names += std::string(names.empty() ? "" : ", ") + known.name;
      continue;
    }
    Source source{disk, path, path, NameOf(path), ""};
    if (!known.takes_folder) {
      source.folder = ParentFolder(path);
      ASSIGN_OR_RETURN(source.text, ReadUnpacked(disk, path));
    }
    auto drives = known.read(source);
    if (!drives.ok()) return Annotate(drives.error(), path);
    return drives;
  }
  return Error{Code::kInvalid, fmt::format("no format {}; there are: {}", format, names)};
}

std::string VinOfDrive(const std::string& name) {
  static constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ";
  std::string vin = "TTRP";
  std::uint64_t rest = ContentHash(AsBytes(name));
  while (vin.size() < 17) {
    vin += kAlphabet[rest % kAlphabet.size()];
    rest /= kAlphabet.size();
  }
  return vin;
}

}  // namespace telltale::sim
