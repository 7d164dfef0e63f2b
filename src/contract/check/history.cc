#include "contract/check/history.h"

#include <algorithm>

#include "contract/contract.h"

namespace telltale::contract::check {

int UsedNumbers::HighestIn(int first, int end) const { return numbers.HighestBelow(first, end); }

void History::Add(const Descriptor& message, const FieldSet& fields, const std::string& now_name) {
  UsedNumbers& used = used_[now_name];
  for (const FieldDescriptor* field : fields.all()) {
    const std::int64_t number = field->number();
    if (!used.numbers.Contains(number)) used.numbers.Add(number, number + 1);
    used.names.insert(field->name());
  }
  used.reserved.Add(ReservedNumbers(message));
  for (int i = 0; i < message.reserved_name_count(); ++i) {
    used.reserved_names.insert(message.reserved_name(i));
  }
}

const UsedNumbers* History::Of(const std::string& now_name) const {
  const auto at = used_.find(now_name);
  return at == used_.end() ? nullptr : &at->second;
}

int History::NextFree(const Descriptor& message, const Schema& now, int near,
                      bool uses_options) const {
  const std::vector<NumberBlock> blocks = now.specs().Blocks(message);
  const NumberRange range = RangeOf(near, blocks, uses_options);
  const auto [cached, is_new] = next_free_.try_emplace({&message, range.first}, 0);
  if (!is_new) return cached->second;
  UsedNumbers all;
  if (const UsedNumbers* used = Of(message.full_name())) all = *used;
  for (const FieldDescriptor* field : now.FieldsOf(message).all()) {
    all.numbers.Add(field->number(), field->number() + 1);
  }
  IntervalSet taken = all.numbers;
  taken.Add(all.reserved);
  taken.Add(ReservedNumbers(message));
  taken.Add(ExtensionNumbers(message));
  taken.Add(FieldDescriptor::kFirstReservedNumber, FieldDescriptor::kLastReservedNumber + 1);
  std::int64_t next = taken.FirstOutside(all.HighestIn(range.first, range.end) + 1);
  if (next >= range.end) next = taken.FirstOutside(range.first);
  return cached->second = next < range.end ? static_cast<int>(next) : 0;
}

NumberRange RangeOf(int number, const std::vector<NumberBlock>& blocks, bool uses_options) {
  NumberRange range;
  for (const NumberBlock& block : blocks) {
    if (number < block.first || number > block.last) continue;
    range.first = std::max(1, block.first);
    range.end = std::min(range.end - 1, block.last) + 1;
    range.block = block.name;
    return range;
  }
  range.is_outside = !blocks.empty();
  constexpr int kDerived = static_cast<int>(kFieldFirstDerived);
  if (uses_options && number >= kDerived) {
    range.first = kDerived;
  } else if (uses_options) {
    range.end = kDerived;
  }
  return range;
}

}  // namespace telltale::contract::check
