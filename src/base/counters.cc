#include "base/counters.h"

#include <nlohmann/json.hpp>

namespace telltale {

Counter& Counters::Get(const std::string& name) {
  MutexLock lock(mutex_);
  return counters_[name];
}

Counter& Counters::Drops(const std::string& where, Reason reason) {
  return Get("drops_total." + where + "." + std::string(ReasonName(reason)));
}

std::string Counters::ToJson() const {
  nlohmann::json out = nlohmann::json::object();
  MutexLock lock(mutex_);
  for (const auto& [name, counter] : counters_) out[name] = counter.value();
  return out.dump(1);
}

Status WriteCounters(const std::string& folder, const std::string& role, const Counters& counters) {
  PosixDisk disk;
  const std::string path = folder + "/" + role + ".json";
  const std::string temporary = path + ".tmp";
  {
    ASSIGN_OR_RETURN(const auto file, disk.Open(temporary, OpenMode::kCreateOrOpen, 0644));
    RETURN_IF_ERROR(file->Truncate(0));
    RETURN_IF_ERROR(file->WriteAt(0, AsBytes(counters.ToJson())));
  }
  return disk.Rename(temporary, path);
}

}  // namespace telltale
