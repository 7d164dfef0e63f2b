// From files to descriptors: .proto files with positions, or a binary descriptor set. What keeps it
// from being judged is a Problem with its place, not an error: all are found at once. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/disk.h"
#include "contract/check/check.h"

namespace telltale::contract::check {

struct Problem {
  Place place;
  std::string what;  // says what to do next

  std::string ToString() const { return place.ToString() + ": " + what; }
};

// The files of one version, parsed and linked. Immutable; any thread.
class Source {
 public:
  // `path`: a .proto file, a folder with such files at any depth, or a descriptor set (*.desc).
  // Imports are looked for from the folder, or the file's own, upwards: the nearest from which all
  // are found. google/protobuf/ is built in. With problems there is nothing to compare.
  //   kNotFound     nothing there
  //   kUnavailable  the disk
  static Result<std::unique_ptr<Source>> Read(Disk& disk, const std::string& path);
  virtual ~Source() = default;

  const std::vector<Problem>& problems() const { return problems_; }
  // Valid while this lives.
  const Candidate& candidate() const { return candidate_; }
  // Its name in the descriptors when one .proto file was read; empty otherwise.
  const std::string& only_file() const { return only_file_; }
  // With positions.
  Version AsVersion(const std::string& name) const;
  // What is published: all files with their imports, imports first, without positions; the same
  // bytes for the same files.
  std::string DescriptorSet() const;

 protected:
  Source() = default;
  std::vector<Problem> problems_;
  Candidate candidate_;
  std::string only_file_;
};

// `before` as a version to compare `now` with. Where both are one .proto file, they are two
// versions of that file, whatever each is called.
Version VersionFor(const Source& now, const Source& before, const std::string& name);

}  // namespace telltale::contract::check
