// A car's bytes, as the lake reads them: never a crash, and every value within its column's range.
#include <array>
#include <cmath>

#include "lake/values.h"

namespace telltale::lake {
namespace {

constexpr double kLimit = 5;

std::vector<Column> MakeColumns() {
  std::vector<Column> columns;
  for (const Encoding encoding :
       {Encoding::kFloat, Encoding::kDouble, Encoding::kBool, Encoding::kUint32, Encoding::kSint32,
        Encoding::kEnum, Encoding::kString, Encoding::kFixed64, Encoding::kInt64}) {
    Column column;
    column.number = static_cast<std::uint32_t>(columns.size() + 1);
    column.encoding = encoding;
    column.min = -kLimit;
    column.max = kLimit;
    column.text_rule = TextRule::kDtcCode;
    column.enum_values = {{1, "ONE"}};
    columns.push_back(std::move(column));
  }
  return columns;
}

void Check(const Column& column, const WireField& field) {
  Scalar out;
  if (DecodeScalar(column, field, out) != ValueVerdict::kOk) return;
  if (column.encoding == Encoding::kFloat) CHECK(std::fabs(out.float32) <= kLimit);
  if (column.encoding == Encoding::kDouble) CHECK(std::fabs(out.float64) <= kLimit);
  if (column.encoding == Encoding::kUint32) CHECK(out.integer >= 0 && out.integer <= 5);
  if (column.encoding == Encoding::kString) CHECK(IsDtcCode(out.text) && IsUtf8(out.text));
  if (column.encoding == Encoding::kEnum) CHECK(!out.text.empty());
}

void ReadMessage(const std::vector<Column>& columns, ByteSpan bytes, int depth) {
  WireReader reader(bytes);
  WireField field;
  while (reader.Next(field)) {
    const Column& column = columns[field.number % columns.size()];
    Check(column, field);
    if (field.type != WireType::kBytes) continue;
    if (IsPackable(column)) {
      WireReader packed(field.bytes);
      WireField single;
      single.type = WireTypeOf(column.encoding);
      while (packed.NextPacked(single)) Check(column, single);
    }
    if (depth < 4) ReadMessage(columns, field.bytes, depth + 1);
  }
}

}  // namespace
}  // namespace telltale::lake

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto columns = telltale::lake::MakeColumns();
  telltale::lake::ReadMessage(columns, {data, size}, 0);
  return 0;
}
