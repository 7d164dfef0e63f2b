// Whatever the bytes, decoding answers yes or no; what it accepts has exactly one encoding.
#include "base/check.h"
#include "sequence/sequence.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using telltale::sequence::VehicleSequence;
  telltale::ByteReader in(telltale::ByteSpan{data, size});
  VehicleSequence vehicle;
  if (!VehicleSequence::Decode(in, vehicle)) return 0;
  std::string encoded;
  vehicle.Encode(encoded);
  CHECK(encoded.size() + in.remaining() == size);
  CHECK(std::memcmp(encoded.data(), data, encoded.size()) == 0);
  return 0;
}
