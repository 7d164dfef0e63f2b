// Any bytes as a footer: an answer, never a crash.
#include "lake/parquet_footer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)telltale::lake::RowsInParquetFooter({data, size});
  return 0;
}
