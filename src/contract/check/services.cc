// Rule 36, as buf has it; only where the candidate has a service at all.
#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

using google::protobuf::MethodDescriptor;

std::string Shape(const Pairing* names, const MethodDescriptor& method) {
  const auto name = [&](const Descriptor& type) {
    return names == nullptr ? type.full_name() : names->names.NowName(type.full_name());
  };
  return fmt::format("{}{} -> {}{}, idempotency {}", method.client_streaming() ? "stream " : "",
                     name(*method.input_type()), method.server_streaming() ? "stream " : "",
                     name(*method.output_type()),
                     static_cast<int>(method.options().idempotency_level()));
}

void CompareMethods(const Pairing& pair, const ServiceDescriptor& before,
                    const ServiceDescriptor& now) {
  for (int i = 0; i < before.method_count(); ++i) {
    const MethodDescriptor& was = *before.method(i);
    const MethodDescriptor* is = now.FindMethodByName(was.name());
    if (is == nullptr) {
      pair.findings.Add({Rule::kRpcRemoved, was.full_name(), pair.now.PlaceOf(now), "",
                         "Old clients that call it get an error.", "keep it, marked deprecated"});
    } else if (Shape(&pair, was) != Shape(nullptr, *is)) {
      pair.findings.Add({Rule::kRpcChanged, is->full_name(), pair.now.PlaceOf(*is), "",
                         fmt::format("It was {} and is {}: old clients and it misread each other.",
                                     Shape(&pair, was), Shape(nullptr, *is)),
                         "keep it and add a new rpc beside it"});
    }
  }
}

}  // namespace

void CompareServices(const Pairing& pair) {
  if (pair.now.services().empty()) return;
  for (const ServiceDescriptor* before : pair.before.services()) {
    const ServiceDescriptor* now = nullptr;
    for (const ServiceDescriptor* one : pair.now.services()) {
      if (one->full_name() == before->full_name()) now = one;
    }
    if (now != nullptr) {
      CompareMethods(pair, *before, *now);
      continue;
    }
    const FileDescriptor* file = pair.now.FindFile(before->file()->name());
    Place place = pair.before.PlaceOf(*before);
    if (place.line == 0 && file != nullptr) place = pair.now.PlaceIn(*file);
    pair.findings.Add({Rule::kServiceRemoved, before->full_name(), place, "",
                       "Old clients that call it get an error.", "keep it, marked deprecated"});
  }
}

}  // namespace telltale::contract::check
