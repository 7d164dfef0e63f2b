// The file of librdkafka's own settings (kafka.settings_file): SASL, TLS, sockets. Its values may
// be secrets: no message names one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/disk.h"

namespace telltale::log::kafka {

// As librdkafka takes them, in the file's order.
using Settings = std::vector<std::pair<std::string, std::string>>;

// Lines `key=value`; empty ones and those that begin with # say nothing. `name` for messages.
//   kInvalid  names the line: no `=`, a key twice, one that Telltale sets itself, one that
//             librdkafka does not know or whose value it refuses
Result<Settings> ParseSettings(std::string_view text, const std::string& name);

// The file at `path`; "" = none, no settings. The same errors, and:
//   kRefused     others than its owner and group may read it, or the group may write it
//   kNotFound, kTooBig, kUnavailable
Result<Settings> ReadSettings(Disk& disk, const std::string& path);

}  // namespace telltale::log::kafka
