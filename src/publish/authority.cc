#include "publish/authority.h"

#include <string_view>

#include "base/config.h"
#include "publish/alert_store.h"

namespace telltale::publish {

Status InstallFirstAuthority(const std::string& dir, const std::string& release,
                             std::uint16_t partitions) {
  if (release.size() != 64 || release.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return Error{Code::kInvalid, "a release is named by 64 lower-case hex digits"};
  }
  ASSIGN_OR_RETURN(AlertStore store, AlertStore::Open(Paths(dir).publish() + "/alerts.db"));
  return store.InstallAuthority(release, partitions);
}

}  // namespace telltale::publish
