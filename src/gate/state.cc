// The file around what an observer knows: docs/formats/gate-state.md.
#include "base/checksum.h"
#include "base/format_version.h"
#include "gate/bytes_of.h"
#include "gate/observer.h"

namespace telltale::gate {
namespace {

constexpr std::string_view kMagic = "TLGS";
constexpr std::size_t kCheckedFrom = 8;

}  // namespace

std::string EncodeState(std::string_view binding, std::string_view body) {
  std::string out(kMagic);
  PutLe(out, std::uint32_t{0});  // CRC, below
  PutLe(out, static_cast<std::uint16_t>(VersionOf(Format::kGateState).written));
  PutLe(out, static_cast<std::uint16_t>(VersionOf(Format::kGateState).min_reader));
  PutBlob(out, binding);
  out.append(body);
  const std::uint32_t crc = Crc32c(AsBytes(out).subspan(kCheckedFrom));
  std::memcpy(out.data() + kMagic.size(), &crc, sizeof crc);
  return out;
}

Result<State> DecodeState(std::string_view file) {
  const Error corrupt{Code::kCorrupt, "a gate state fails its check"};
  ByteReader in(file);
  if (AsText(in.Take(kMagic.size())) != kMagic) return corrupt;
  const auto crc = in.Get<std::uint32_t>();
  if (!in.ok() || Crc32c(AsBytes(file).subspan(kCheckedFrom)) != crc) return corrupt;
  const auto version = in.Get<std::uint16_t>();
  const auto minimum = in.Get<std::uint16_t>();
  if (!in.ok()) return corrupt;
  RETURN_IF_ERROR(CheckReadable(Format::kGateState, "a gate state", version, minimum));
  State state;
  state.binding = GetText(in);
  state.body = std::string(AsText(in.Take(in.remaining())));
  if (!in.ok()) return corrupt;
  return state;
}

}  // namespace telltale::gate
