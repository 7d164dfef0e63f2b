// From descriptors to the field table: reads the option (telltale.v1.field) by reflection, so that
// an option or field of a newer contract needs no rebuild, and checks what the platform relies on.
#pragma once

#include <vector>

#include "contract/contract.h"

namespace telltale::contract {

// Messages may nest this deep below Report; deeper, or recursive, contracts are refused.
inline constexpr int kNestingMax = 8;

// Fields of `report` and, within, of its nested messages, in number order.
//   kInvalid  a rule of docs/contract.md is broken; the message names the field
Result<std::vector<Field>> ReadFields(const google::protobuf::DescriptorPool& pool,
                                      const google::protobuf::Descriptor& report);

}  // namespace telltale::contract
