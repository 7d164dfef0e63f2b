#include "control/release_store_shelf.h"

#include "control/release_diff.h"

namespace telltale::control {
namespace {

using nlohmann::json;

class StoreShelf final : public ReleaseShelf {
 public:
  StoreShelf(Disk& disk, const Paths& paths, RulesCheck check_rules)
      : store_(disk, paths, std::move(check_rules)) {}

  Result<json> List() override {
    ASSIGN_OR_RETURN(const std::vector<StoredRelease> releases, store_.List());
    json items = json::array();
    for (const StoredRelease& release : releases) items.push_back(ToJson(release));
    return items;
  }

  Result<json> Get(const std::string& id) override {
    ASSIGN_OR_RETURN(const StoredRelease release, store_.Get(id));
    return ToJson(release);
  }

  Result<json> Diff(const std::string& from, const std::string& to) override {
    ASSIGN_OR_RETURN(const ReleaseContent before, store_.Content(from));
    ASSIGN_OR_RETURN(const ReleaseContent after, store_.Content(to));
    ASSIGN_OR_RETURN(const ReleaseDiff diff, DiffReleases(before, after));
    return ToJson(diff);
  }

  Result<json> Put(const std::string& id, const json& body) override {
    ASSIGN_OR_RETURN(const ReleaseBundle bundle, BundleFromJson(body));
    if (bundle.id() != id) {
      return Error{Code::kInvalid, "the release's id is not the SHA-256 of its manifest"};
    }
    ASSIGN_OR_RETURN(const StoredRelease release, store_.PutRelease(bundle));
    return ToJson(release);
  }

  Status PutBlob(const std::string& sha256, std::string_view bytes) override {
    return store_.PutBlob(sha256, bytes);
  }
  Result<std::string> GetBlob(const std::string& sha256) override { return store_.GetBlob(sha256); }
  Status InstallInto(const Paths& environment, const std::string& id) override {
    return store_.InstallInto(environment, id);
  }

 private:
  ReleaseStore store_;
};

}  // namespace

std::unique_ptr<ReleaseShelf> MakeStoreShelf(Disk& disk, const Paths& paths,
                                             RulesCheck check_rules) {
  return std::make_unique<StoreShelf>(disk, paths, std::move(check_rules));
}

}  // namespace telltale::control
