#include "app/streams.h"

#include <utility>

#include "base/config.h"
#include "log/kafka/open_streams.h"

namespace telltale::app {

Result<std::unique_ptr<log::Streams>> StreamsOf(Disk& disk, const std::string& dir) {
  const Paths paths(dir);
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, paths.config()));
  return log::kafka::OpenStreams(disk, config, paths);
}

std::unique_ptr<log::Streams> StreamsOrFiles(Disk& disk, const std::string& dir) {
  auto streams = StreamsOf(disk, dir);
  if (streams.ok()) return std::move(streams).value();
  return log::StreamsOnFiles(disk, Paths(dir).log());
}

}  // namespace telltale::app
