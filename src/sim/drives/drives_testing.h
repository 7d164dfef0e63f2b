// For the readers' tests: a source from a text, and where the recordings lie.
#pragma once

#include <string>
#include <utility>

#include "base/config.h"
#include "sim/drives/drive.h"

namespace telltale::sim {

// A file of this text; nothing lies beside it.
inline Source SourceOf(std::string text, std::string name = "test") {
  static PosixDisk disk;
  return {disk, "no-such-folder/" + name, "no-such-folder", std::move(name), std::move(text)};
}

// The recordings are not part of the tree: a test that wants them skips when they are not there.
inline std::string DataFolder() {
  const Environment environment = ProcessEnvironment();
  const auto folder = environment.find("TELLTALE_DATA");
  return folder != environment.end() ? folder->second : TELLTALE_SOURCE_DIR "/../shared/data";
}

}  // namespace telltale::sim
