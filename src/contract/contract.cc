#include "contract/contract.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <algorithm>

#include "contract/field_options.h"
#include "contract/wire.h"

namespace telltale::contract {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptorProto;

// Keeps the first message; the library would print all of them to stderr.
class FirstError final : public DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& filename, const std::string& element,
                const google::protobuf::Message*, ErrorLocation, const std::string& what) override {
    if (text_.empty()) text_ = filename + ": " + element + ": " + what;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Error Invalid(std::string why) {
  return Error{Code::kInvalid, "contract descriptor set: " + std::move(why)};
}

}  // namespace

Contract::~Contract() = default;

Result<std::shared_ptr<const Contract>> Contract::FromDescriptorSet(std::string_view bytes) {
  google::protobuf::FileDescriptorSet files;
  if (bytes.size() > INT32_MAX ||
      !files.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Invalid("not a FileDescriptorSet");
  }
  std::shared_ptr<Contract> contract(new Contract);
  contract->pool_ = std::make_unique<DescriptorPool>();
  for (const FileDescriptorProto& file : files.file()) {
    FirstError error;
    if (contract->pool_->BuildFileCollectingErrors(file, &error) == nullptr) {
      return Invalid(error.text());
    }
  }
  contract->report_ = contract->pool_->FindMessageTypeByName("telltale.v1.Report");
  contract->batch_ = contract->pool_->FindMessageTypeByName("telltale.v1.ReportBatch");
  if (contract->report_ == nullptr) return Invalid("no message telltale.v1.Report");
  if (contract->batch_ == nullptr) return Invalid("no message telltale.v1.ReportBatch");

  ASSIGN_OR_RETURN(contract->fields_, ReadFields(*contract->pool_, *contract->report_));
  return std::shared_ptr<const Contract>(std::move(contract));
}

const Field* Contract::FindByNumber(std::uint32_t number) const {
  const auto at = std::lower_bound(
      fields_.begin(), fields_.end(), number,
      [](const Field& field, std::uint32_t wanted) { return field.number < wanted; });
  return at != fields_.end() && at->number == number ? &*at : nullptr;
}

const Field* Contract::FindByName(std::string_view name) const {
  for (const Field& field : fields_) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

void AppendCell(std::string& wire, std::uint64_t cell) {
  AppendTag(wire, kFieldCell, WireType::kFixed64);
  PutLe(wire, cell);
}

void AppendHeadingOctant(std::string& wire, std::uint32_t octant) {
  AppendTag(wire, kFieldHeadingOctant, WireType::kVarint);
  AppendVarint(wire, octant);
}

void AppendVehicleClass(std::string& wire, std::uint32_t vehicle_class) {
  AppendTag(wire, kFieldVehicleClass, WireType::kVarint);
  AppendVarint(wire, vehicle_class);
}

}  // namespace telltale::contract
