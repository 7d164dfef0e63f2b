#include "gateway/condition_file.h"

#include <fmt/format.h>

namespace telltale::gateway {

std::string Conditions::ToText() const {
  std::string text;
  if (stalled_shards > 0) text += fmt::format("stalled_shards {}\n", stalled_shards);
  if (retention_stop) {
    text += fmt::format("retention_stop {} {} {}\n", retention_stop->stream, retention_stop->reader,
                        retention_stop->percent);
  }
  text.resize(kConditionFileBytes, '\n');
  return text;
}

Result<ConditionFile> ConditionFile::Open(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(auto file, disk.Open(path, OpenMode::kCreateOrOpen, 0644));
  ConditionFile made(std::move(file));
  RETURN_IF_ERROR(made.Write({}));
  return made;
}

Status ConditionFile::Write(const Conditions& conditions) {
  if (written_ == conditions) return Ok();
  RETURN_IF_ERROR(file_->WriteAt(0, AsBytes(conditions.ToText())));
  written_ = conditions;
  return Ok();
}

}  // namespace telltale::gateway
