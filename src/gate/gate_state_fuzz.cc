// Whatever bytes: a gate's state is read or refused, and what is read is written again as it was.
#include "base/check.h"
#include "gate/observer.h"

namespace telltale::gate {
namespace {

void ReadBody(std::string_view bytes) {
  ByteReader pairs(bytes);
  if (const auto pairing = Pairing::Decode(pairs, {}); pairing.ok()) {
    std::string once;
    pairing->Encode(once);
    ByteReader in(once);
    const auto again = Pairing::Decode(in, {});
    CHECK(again.ok() && in.remaining() == 0);
    std::string twice;
    again->Encode(twice);
    CHECK(once == twice);
  }
  ByteReader driven(bytes);
  if (const auto tally = ExposureTally::Decode(driven); tally.ok()) {
    std::string once;
    tally->Encode(once);
    ByteReader in(once);
    CHECK(ExposureTally::Decode(in).ok() && in.remaining() == 0);
  }
  ByteReader seen(bytes);
  Invariants invariants(Micros{1});
  if (!invariants.Restore(seen).ok()) return;
  std::string once;
  invariants.Encode(once);
}

void ReadBlocks(std::string_view bytes) {
  ByteReader in(bytes);
  Looks looks;
  if (looks.Restore(in).ok()) CHECK(looks.Blocks([](auto) { return 1.0; }).size() <= 3);
}

}  // namespace
}  // namespace telltale::gate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale::gate;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ReadBlocks(bytes);
  ReadBody(bytes);  // without the check, which a fuzzer does not guess
  const auto state = DecodeState(bytes);
  if (state.ok()) CHECK(EncodeState(state->binding, state->body).size() == size);
  return 0;
}
