// What the commands that ask the control plane share: where it is, who asks, and one question.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "net/http_client.h"

namespace CLI {
class App;
}

namespace telltale::app {

struct ControlFlags {
  std::string dir;          // of the installation that keeps control
  std::string url;          // instead; or TELLTALE_CONTROL_URL
  std::string token_file;   // or TELLTALE_CONTROL_TOKEN_FILE; else DIR/run/control.token
  std::string ca = {};      // of the server's certificate
  std::string certificate;  // a client certificate instead of a token
  std::string key;
  bool as_json = false;
  std::chrono::milliseconds timeout{100'000};  // of one question
};

// --dir, --control, --token-file, --ca, --certificate, --key and --json. `flags` outlives the
// parse.
void AddControlOptions(CLI::App& command, ControlFlags& flags);
// The same without --dir and --json, for commands that have their own; `key_option` where --key is
// something else there.
void AddControlAddress(CLI::App& command, ControlFlags& flags, const char* key_option = "--key");
// --control or its variable says where control is: it is to be asked, rather than its folder read.
bool IsControlNamed(const ControlFlags& flags);

// One request and its answer's body, whatever it is.
//   kUnavailable  control does not answer; it may have done what was asked
//   otherwise     what control answered, with what to do next
Result<std::string> AskControlForBytes(const ControlFlags& flags,
                                       const net::HttpQuestion& question);
// The same with JSON on both ends; null = no body, or none came. `path` is below /v1/.
Result<nlohmann::json> AskControl(const ControlFlags& flags, net::HttpMethod method,
                                  const std::string& path, const nlohmann::json& body = nullptr);

// "environments/ENV", or "environments/ENV/what".
std::string EnvironmentPath(const std::string& environment, std::string_view what = {});

// The id of a release by name, id or its beginning, as ReleaseStore::Find; what is an id already is
// not asked for.
//   kNotFound  none; kInvalid  more than one begins so; errors of AskControl
Result<std::string> ReleaseIdOf(const ControlFlags& flags, const std::string& words);

// With two spaces of indent; what is no UTF-8 replaced.
void PrintControlJson(const nlohmann::json& value);
// Text of a member, "-" where it is empty or not there; what could move a terminal is replaced.
std::string ShownOf(const nlohmann::json& object, const char* key);
// The first digits of a release id, or the text itself.
std::string ShortRelease(const std::string& id);

}  // namespace telltale::app
