// The lake's own files after bit rot: refused or read, never a crash; what is read is written back
// the same.
#include "lake/handoff.h"
#include "lake/intake.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale;
  using namespace telltale::lake;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)ParseHandoff(text);
  (void)StateBody(1, text);
  Counters counters;
  Intake intake(8, counters);
  ByteReader in(text);
  if (!intake.Decode(in).ok()) return 0;
  std::string again;
  intake.Encode(again);
  Intake twice(8, counters);
  ByteReader read(again);
  CHECK(twice.Decode(read).ok());
  return 0;
}
