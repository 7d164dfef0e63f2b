#include "sim/drives/in_range.h"

#include <cmath>

#include "telltale/v1/options.pb.h"

namespace telltale::sim {
namespace {

using google::protobuf::FieldDescriptor;

// nullopt: not a number.
std::optional<double> ValueOf(const telltale::v1::Report& report, const FieldDescriptor& field) {
  const google::protobuf::Reflection& reflection = *report.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.GetFloat(report, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(report, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(report, &field);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(report, &field);
    default:
      return std::nullopt;
  }
}

bool IsInRange(double value, const telltale::v1::FieldSpec& spec) {
  if (!std::isfinite(value)) return false;
  // The contract's ends are decimals: 99.3 as a float lies a little above them.
  const auto fits = [value](double limit) {
    return static_cast<float>(value) == static_cast<float>(limit);
  };
  if (spec.has_min() && value < spec.min() && !fits(spec.min())) return false;
  return !spec.has_max() || value <= spec.max() || fits(spec.max());
}

}  // namespace

void ClearOutOfRange(telltale::v1::Report& report, RowCounts& counts) {
  std::vector<const FieldDescriptor*> fields;
  report.GetReflection()->ListFields(report, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated() || !field->options().HasExtension(telltale::v1::field)) continue;
    const auto value = ValueOf(report, *field);
    if (!value || IsInRange(*value, field->options().GetExtension(telltale::v1::field))) continue;
    report.GetReflection()->ClearField(&report, field);
    counts.DropValue(ValueDrop::kOutOfRange);
  }
}

}  // namespace telltale::sim
