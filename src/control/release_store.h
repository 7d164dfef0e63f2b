// The releases that an installation's control knows: data/control/releases/<id>/{manifest.json,
// declared.json,signature} and their components data/control/blobs/<sha256>
// (docs/formats/release-manifest.md). Holds no state: any thread, and other processes beside it;
// what is there is never changed.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/release_build.h"

namespace telltale::control {

struct StoredRelease {
  std::string id;
  Components components;
  Declaration declaration;  // without a name: made by `telltale init`
  std::string built_at;     // "" likewise
  std::string signed_by;    // name of the trusted key; "" likewise
  std::string key_id;       // hex
};

struct ReleaseName {
  std::string id;
  std::string name;      // "" = none
  std::string built_at;  // RFC 3339 UTC
};
// The one that `words` mean: an id, the beginning of one (6 digits or more) or a name, of which the
// newest counts. A name goes before the beginning of an id.
//   kNotFound  none; kInvalid  more than one begins so
Result<std::string> ReleaseIdIn(const std::vector<ReleaseName>& all, std::string_view words);

// {"id", "name", "about", "components": {name: sha256}, "declared": [{"about", "name", ..., "why",
// "in_words"}], "built_at", "signed_by", "key_id"}
nlohmann::json ToJson(const StoredRelease& release);
nlohmann::json ToJson(const Declaration& declaration);  // the list `declared`

// Puts a release below an environment's folder, where workers, gateway and features look:
// data/contracts/<digest>.desc, data/engines/<digest> (0755), data/releases/<id>/{rules.yaml,
// features/*.sql,declared.json,manifest.json}, the manifest last. What is not in `content` (the
// engine of a release of `telltale init`) is left out. Again is fine.
Status InstallContent(Disk& disk, const Paths& environment, const ReleaseContent& content);

// The body of PUT /v1/releases/ID: {"manifest", "declared", "signature"}, each the file's text, or
// the object that it is; or `declared` is the list in declared.json, with `name` and `about`.
//   kInvalid  something is missing or of another type
Result<ReleaseBundle> BundleFromJson(const nlohmann::json& body);
// The last of these forms: who sends it with the blobs has pushed the release.
//   kCorrupt  `declared` is no declared.json
Result<nlohmann::json> BundleToJson(const ReleaseBundle& bundle);

class ReleaseStore {
 public:
  // `disk` must outlive it. `paths` is of the installation that control runs in.
  ReleaseStore(Disk& disk, Paths paths, RulesCheck check_rules = nullptr)
      : disk_(disk), paths_(std::move(paths)), check_rules_(std::move(check_rules)) {}

  bool HasBlob(std::string_view digest) const;
  // Durable when it returns; a blob that is there stays as it is.
  //   kInvalid  `digest` is no digest, or not of these bytes
  //   kTooBig   over kBlobBytesMax
  Status PutBlob(const std::string& digest, std::string_view bytes);
  //   kInvalid, kNotFound
  //   kCorrupt  a byte of it changed
  Result<std::string> GetBlob(const std::string& digest) const;

  // Takes a release in, whose blobs are here. Again is fine.
  //   kRefused  not signed, or by nobody who is trusted
  //   kNotFound a blob is missing (the message names it)
  //   kInvalid  it does not fit together: errors of CheckContent
  //   kCorrupt, kUnsupported
  Result<StoredRelease> PutRelease(const ReleaseBundle& bundle);

  // By id. Those that `telltale init` installed too, which nobody signed.
  Result<std::vector<StoredRelease>> List() const;
  //   kNotFound, kCorrupt, kUnsupported
  Result<StoredRelease> Get(const std::string& id) const;
  // As ReleaseIdIn() says. Errors of it, of Get.
  Result<StoredRelease> Find(std::string_view words) const;
  Result<ReleaseBundle> Bundle(const std::string& id) const;
  // All of it, each byte checked. The engine's bytes may be missing from a release that was never
  // pushed. Errors of Get, GetBlob.
  Result<ReleaseContent> Content(const std::string& id) const;
  // Content, and who signed it: kRefused once its key is not trusted any more.
  Status Verify(const std::string& id) const;

  // InstallContent() of a release that is whole. One of `telltale init` is whole where it was made.
  //   kRefused  as Verify()
  Status InstallInto(const Paths& environment, const std::string& id) const;

 private:
  std::string Folder(const std::string& id) const;
  std::string BlobPath(std::string_view digest) const;
  Result<StoredRelease> GetInstalled(const std::string& id) const;
  Result<ReleaseContent> InstalledContent(const std::string& id) const;

  Disk& disk_;
  const Paths paths_;
  const RulesCheck check_rules_;
};

// Where `telltale release push` puts a release: a store, or control's API.
class ReleaseSink {
 public:
  virtual ~ReleaseSink() = default;
  virtual Result<bool> HasBlob(const std::string& digest) = 0;
  virtual Status PutBlob(const std::string& digest, std::string_view bytes) = 0;
  virtual Status PutRelease(const ReleaseBundle& bundle) = 0;
};
class StoreSink final : public ReleaseSink {
 public:
  explicit StoreSink(ReleaseStore& store) : store_(store) {}  // must outlive it
  Result<bool> HasBlob(const std::string& digest) override { return store_.HasBlob(digest); }
  Status PutBlob(const std::string& digest, std::string_view bytes) override {
    return store_.PutBlob(digest, bytes);
  }
  Status PutRelease(const ReleaseBundle& bundle) override;

 private:
  ReleaseStore& store_;
};
// Blobs that are not there yet, then the release. Errors of the sink.
Status Push(const ReleaseContent& content, ReleaseSink& sink);

}  // namespace telltale::control
