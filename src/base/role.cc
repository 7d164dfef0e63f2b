#include "base/role.h"

namespace telltale {
namespace {

constexpr std::uint64_t kRolesFileBytesMax = 4096;

}  // namespace

bool IsRoleServed(Disk& disk, const std::string& run_folder, const std::string& role) {
  const auto roles = ReadWholeFile(disk, run_folder + "/roles", kRolesFileBytesMax);
  return !roles.ok() || ("\n" + *roles).find("\n" + role + "\n") != std::string::npos;
}

}  // namespace telltale
