// A car's bytes, as the lake reads them: never a crash, and every value within its column's range,
// also where several fields feed one column.
#include <array>
#include <cmath>

#include "base/utf8.h"
#include "lake/fed_columns.h"

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

// Each column is fed by all fields: as they are, by a scale, by a map.
std::vector<Column> MakeFedColumns(const std::vector<Column>& plain) {
  std::vector<Column> columns = plain;
  for (Column& column : columns) {
    column.column_min = -kLimit;
    column.column_max = kLimit;
    for (Column raw : plain) {
      raw.min.reset();
      raw.max.reset();
      raw.text_rule = TextRule::kNone;
      const auto turn = (raw.number + column.number) % 3;
      contract::Transform transform;
      if (turn == 1) transform = {0.001, 1, {}};
      if (turn == 2) transform.map = {{"1", "5"}, {"ONE", "6"}, {"true", "0.5"}};
      column.feeders.push_back({std::move(raw), std::move(transform)});
    }
  }
  return columns;
}

void CheckFed(const Column& column, const Scalar& value) {
  switch (column.encoding) {
    case Encoding::kFloat:
      return CHECK(std::fabs(value.float32) <= kLimit);
    case Encoding::kDouble:
      return CHECK(std::fabs(value.float64) <= kLimit);
    case Encoding::kUint32:
      return CHECK(value.integer >= 0 && value.integer <= 5);
    case Encoding::kFixed64:
      return CHECK(value.unsigned64 <= 5);
    case Encoding::kSint32:
    case Encoding::kInt64:
      return CHECK(value.integer >= -5 && value.integer <= 5);
    case Encoding::kString:
    case Encoding::kEnum:
      return CHECK(IsUtf8(value.text));
    default:
      return;
  }
}

void ReadRow(FedColumns& fed, const std::vector<Column>& columns, ByteSpan bytes) {
  WireReader reader(bytes);
  WireField field;
  while (reader.Next(field)) {
    fed.See(field.number % static_cast<std::uint32_t>(fed.fields().size()), field);
  }
  fed.Resolve([&](std::uint32_t column, const Scalar& value) { CheckFed(columns[column], value); },
              [](std::uint32_t) {});
}

}  // namespace
}  // namespace telltale::lake

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto columns = telltale::lake::MakeColumns();
  static const auto fed_columns = telltale::lake::MakeFedColumns(columns);
  static telltale::lake::FedColumns fed(fed_columns);
  telltale::lake::ReadMessage(columns, {data, size}, 0);
  telltale::lake::ReadRow(fed, fed_columns, {data, size});
  return 0;
}
