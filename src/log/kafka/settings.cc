#include "log/kafka/settings.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "log/kafka/handles.h"

namespace telltale::log::kafka {
namespace {

constexpr std::uint64_t kSettingsBytesMax = 64u << 10;
constexpr mode_t kForbidden = S_IWGRP | S_IXGRP | S_IRWXO;

// What decides whether an acknowledgement is true, and what would be two truths.
constexpr std::array kOurs = {
    "bootstrap.servers",
    "metadata.broker.list",
    "acks",
    "request.required.acks",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "max.in.flight",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "retries",
    "message.send.max.retries",
    "transactional.id",
    "partitioner",
    "message.max.bytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.ms",
    "auto.offset.reset",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "offset.store.method",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "check.crcs",
    "allow.auto.create.topics",
    "enable.partition.eof",
    "queued.max.messages.kbytes",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "log.queue",
    "plugin.library.paths",
    "max.in.flight.requests.per.connection",
};

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Its words, unless they repeat the value.
Status TryOn(rd_kafka_conf_t& conf, const std::string& key, const std::string& value) {
  std::array<char, 512> words{};
  if (rd_kafka_conf_set(&conf, key.c_str(), value.c_str(), words.data(), words.size()) ==
      RD_KAFKA_CONF_OK) {
    return Ok();
  }
  const std::string said = words.data();
  if (!value.empty() && said.find(value) != std::string::npos) {
    return Error{Code::kInvalid, fmt::format("librdkafka refuses the value of {}", key)};
  }
  return Error{Code::kInvalid, fmt::format("{}: {}", key, said)};
}

}  // namespace

Result<Settings> ParseSettings(std::string_view text, const std::string& name) {
  Settings settings;
  const ConfHandle conf(rd_kafka_conf_new());
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view one = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.empty() || one.starts_with('#')) continue;
    const auto refuse = [&](std::string_view why) {
      return Error{Code::kInvalid, fmt::format("{} line {}: {}", name, line, why)};
    };
    const auto equals = one.find('=');
    if (equals == std::string_view::npos) return refuse("a line is key=value");
    const std::string key(Trim(one.substr(0, equals)));
    const std::string value(Trim(one.substr(equals + 1)));
    if (std::find(kOurs.begin(), kOurs.end(), key) != kOurs.end()) {
      return refuse(key + " is set by Telltale; take it out");
    }
    if (std::any_of(settings.begin(), settings.end(),
                    [&](const auto& other) { return other.first == key; })) {
      return refuse(key + " is there twice");
    }
    if (const Status tried = TryOn(*conf, key, value); !tried.ok()) {
      return refuse(tried.error().message);
    }
    settings.emplace_back(key, value);
  }
  return settings;
}

Result<Settings> ReadSettings(Disk& disk, const std::string& path) {
  if (path.empty()) return Settings{};
  struct stat info{};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & kForbidden) != 0) {
    return Error{
        Code::kRefused,
        fmt::format("{} may hold secrets and is open to others: chmod 0640 {}", path, path)};
  }
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, path, kSettingsBytesMax));
  return ParseSettings(text, path);
}

}  // namespace telltale::log::kafka
