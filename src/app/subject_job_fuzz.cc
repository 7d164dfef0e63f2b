// Whatever the bytes: an answer, never a crash; what is read is written as it was read.
#include "app/subject_job.h"
#include "base/bytes.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale;
  const auto job = app::DecodeJob(AsText({data, size}));
  if (!job.ok()) return 0;
  const auto again = app::DecodeJob(app::EncodeJob(*job));
  CHECK(again.ok());
  return 0;
}
