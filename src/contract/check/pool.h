// From a set of file descriptors, in any order, to a pool of linked ones. Any thread.
#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace google::protobuf {
class DescriptorPool;
}  // namespace google::protobuf

namespace telltale::contract::check {

// Whether `file` may come from the descriptors built into libprotobuf.
bool IsBuiltIn(std::string_view file);

// Imports of google/protobuf/ that `files` lacks are the built-in ones.
//   kInvalid  an import is missing or circular, a name is there twice, a type is unknown, ...; the
//             message begins with `name`
Result<std::unique_ptr<google::protobuf::DescriptorPool>> BuildPool(
    const google::protobuf::FileDescriptorSet& files, const std::string& name);

}  // namespace telltale::contract::check
