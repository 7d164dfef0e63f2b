// The published versions in a folder (docs/formats/contract-history.md): read, and appended to.
// Nothing there is ever rewritten. One thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "contract/check/source.h"

namespace telltale::contract::check {

// Hex SHA-256; this library links no crypto.
using DigestOf = std::function<std::string(std::string_view)>;

struct Published {
  std::vector<Version> versions;       // from 1 without a gap; named by their number, "0001"
  std::vector<std::string> digests;    // of each, whole, hexadecimal
  std::vector<std::string> approvals;  // of each: path of its approvals; empty: it needed none
  std::vector<Problem> problems;       // with any, nothing may be judged by it
};

//   kNotFound     no such folder
//   kUnavailable  the disk
Result<Published> ReadHistory(Disk& disk, const std::string& folder, const DigestOf& digest_of);

struct NewVersion {
  std::string descriptor_set;
  std::string digest;     // of it
  std::string approvals;  // text of the copy beside it; empty: none
};

// Writes `next` under the number after the last of `published`, durably; returns its path.
//   kExists       another one took the number; nothing was added
//   kUnavailable, kOverloaded  the disk; nothing was added, unless a crash left a cut file, which
//                              ReadHistory() tells
Result<std::string> AppendVersion(Disk& disk, const std::string& folder, const Published& published,
                                  const NewVersion& next);

}  // namespace telltale::contract::check
