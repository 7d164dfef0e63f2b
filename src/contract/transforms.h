// Which fields feed one column, and whether a contract says so in a way that can work. What is done
// with values lies in lake/: transforms are downstream of the streams.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "contract/contract.h"

namespace telltale::contract {

// A field that feeds another field's column, by the one's `column` or the other's `from`.
struct Feeder {
  const Field* field;
  const Transform* transform;  // of its values into the owner's column
};

// Who feeds the column of `owner`, itself included, best first: where a report has several, the
// first with a value that converts is the column's. Newer fields that name the column, highest
// number first; the owner; then its `from`, as listed. Pointers into `fields`.
std::vector<Feeder> FeedersOf(const std::vector<Field>& fields, const Field& owner);

// True when `field` has no column of its own: its `column` is another field's name.
bool FeedsAnother(const std::vector<Field>& fields, const Field& field);

//   kInvalid  a transform that cannot work, or says something else than the units do; the message
//             names the field. `message` is the full name of the message that holds `fields`.
Status CheckTransforms(const std::vector<Field>& fields, const std::string& message,
                       bool top_level);

}  // namespace telltale::contract
