#include "sim/drive_file.h"

#include <fmt/format.h>
#include <zlib.h>

#include "base/checksum.h"

namespace telltale::sim {
namespace {

constexpr std::uint64_t kFileBytesMax = 256u << 20;
constexpr std::size_t kUnpackedBytesMax = 1u << 30;

}  // namespace

bool DriveSource::Next(TimedReport& out) {
  if (next_ == drive_.reports.size()) return false;
  out = drive_.reports[next_++];
  return true;
}

const std::vector<DriveFormat>& DriveFormats() {
  static const std::vector<DriveFormat> formats = {
      {"nds-csv", "naturalistic driving black box, 1 Hz, several drives in one file", &ReadNdsCsv},
  };
  return formats;
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

Result<std::vector<Drive>> ReadDrives(Disk& disk, const std::string& format,
                                      const std::string& path) {
  std::string names;  // for the message
  for (const DriveFormat& known : DriveFormats()) {
    if (format != known.name) {
      names += std::string(names.empty() ? "" : ", ") + known.name;
      continue;
    }
    ASSIGN_OR_RETURN(std::string text, ReadWholeFile(disk, path, kFileBytesMax));
    if (text.starts_with("\x1f\x8b")) {
      ASSIGN_OR_RETURN(text, Gunzip(text));
    }
    auto drives = known.read(text);
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
