// What the commands of subject rights share: the installation's stores, opened for one command.
#pragma once

#include <memory>
#include <string>

#include "app/subject_erasure.h"
#include "app/subject_stores.h"
#include "base/file_lock.h"

namespace telltale::app {

// How a person names a vehicle: by VIN and, unless it is the one in force, ownership epoch; or by
// reference.
struct SubjectName {
  std::string vin;
  std::uint32_t ownership_epoch = 0;  // 0 = the highest
  std::string vehicle;                // 32 hex digits
};

// Main thread only (process.h).
class Subject {
 public:
  //   kNotFound  no installation in `dir`; as Config::Load
  static Result<std::unique_ptr<Subject>> Open(const std::string& dir);

  //   kInvalid   neither or both ways of naming; no VIN, no reference
  //   kNotFound  no such VIN. A reference need not be registered: what is left of it goes, too
  Result<VehicleRef> Resolve(const SubjectName& name);
  // nullopt: it is not registered (any more).
  Result<std::optional<registry::Vehicle>> RowOf(const VehicleRef& vehicle);

  // The one lock of all erasures; waits for whoever has it.
  //   kUnavailable  asked to stop, or held for too long
  Result<std::unique_ptr<FileLock>> Lock();
  // For good: root becomes the platform's user, so that whatever is made from here on is that
  // user's, however this process ends. Nothing to do without two users or for another than root.
  Status BecomePlatform();

  // The user that asks, as the system knows them: "uid 0 (root)".
  static std::string AskedBy();

  Erasure& erasure() { return *erasure_; }
  SubjectParts& parts() { return parts_; }

 private:
  Subject(const std::string& dir, Config config, Layout layout);
  Result<std::uint32_t> EraseInRegistry(const VehicleRef& vehicle);
  Result<registry::Registry> OpenRegistry();

  PosixDisk disk_;
  SystemClock clock_;
  SystemRandom random_;
  registry::RandomReferences references_{random_};
  VaultSocket vault_;
  LakePython lake_;
  SubjectParts parts_;
  ErasureList erased_;
  std::unique_ptr<Erasure> erasure_;
};

}  // namespace telltale::app
