// contract/check/ - the additive contract: whether a new version of the .proto files breaks a car
// that is on the road, or a reader of what it sends.
//   in      descriptors of the candidate, with positions, and of every earlier version; approvals
//   out     findings, each with a rule of docs/contract-check.md; in the order of the files
//   owns    nothing; Compare() does no I/O. source.h and version_history.h read and write files
//   thread  no state: any thread
//   not here: what the options mean at run time (contract/), who may approve (the caller knows)
#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contract/check/rules.h"

namespace google::protobuf {
class DescriptorPool;
class FileDescriptor;
}  // namespace google::protobuf

namespace telltale::contract::check {

// Line and column count from 1; 0 when only the file is known.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;

  std::string ToString() const;  // "a/b.proto:3:5"
};

struct Finding {
  Rule rule;
  std::string full_name;  // of the field, enum value, type, oneof, ...
  Place place;            // in the candidate, or in the old version where the thing is gone
  std::string version;    // the oldest one it breaks; empty for what the candidate alone shows
  std::string effect;     // what an old car or reader suffers, one sentence
  std::string advice;     // what to do instead

  Verdict verdict() const { return TextOf(rule).verdict; }
};

// File name in the descriptors -> path to show. A name that is not in it is shown as it is.
using ShownPaths = std::map<std::string, std::string>;

// The version that wants in. The descriptors' pool must outlive the comparison.
struct Candidate {
  const google::protobuf::DescriptorPool* pool = nullptr;
  std::vector<const google::protobuf::FileDescriptor*> files;  // to be judged; imports need not be
  ShownPaths paths;
};

// An earlier version. Imports of google/protobuf/ may be missing: the built-in ones are taken.
struct Version {
  std::string name;  // "0007" or a folder; in messages
  google::protobuf::FileDescriptorSet files;
  ShownPaths paths;
};

enum class Change {
  kOpen,   // a new OPEN field, or more than before in an OPEN text
  kLower,  // to a class that protects less
};

struct Approval {
  std::string field;  // full name
  Change change = Change::kOpen;
  std::string author;
  std::vector<std::string> approvers;
  std::string reason;

  bool operator==(const Approval&) const = default;
};

// Approvers count once each (letters' case and blanks around them aside), and never one who is the
// author of the approval or `author`.
struct Approvals {
  std::vector<Approval> all;
  std::string author;  // who publishes; empty when only checked
};

struct Comparison {
  std::vector<Finding> findings;
  std::vector<Approval> used;  // those that the verdict rests on
  bool rejected() const;
};

// Compares with every version; `versions` from the oldest to the newest. Without any, nothing is
// new and nothing can break: no findings.
//   kInvalid  a version's descriptors do not hold together; the message names the version
Result<Comparison> Compare(const Candidate& candidate, std::span<const Version> versions,
                           const Approvals& approvals = {});

}  // namespace telltale::contract::check
