#include "app/control_client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/config.h"
#include "base/disk.h"
#include "base/sha256.h"
#include "control/release_store.h"
#include "net/http_token.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr const char* kUrlVariable = "TELLTALE_CONTROL_URL";
constexpr const char* kTokenVariable = "TELLTALE_CONTROL_TOKEN_FILE";

std::string VariableOf(const char* name) {
  const Environment variables = ProcessEnvironment();
  const auto found = variables.find(name);
  return found == variables.end() ? "" : found->second;
}

// Where control listens, as seen from this machine.
std::string HostOf(const std::string& listen) {
  if (listen == "0.0.0.0") return "127.0.0.1";
  if (listen == "::") return "[::1]";
  return listen.find(':') == std::string::npos ? listen : "[" + listen + "]";
}

Status FindByFolder(const ControlFlags& flags, net::HttpClientOptions& options) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, paths.config()));
  const auto port = ReadWholeFile(disk, paths.run() + "/control.port", 64);
  if (!port.ok()) {
    return Error{Code::kUnavailable,
                 "no control plane runs in " + flags.dir +
                     ": set control.http: on in its telltale.yaml and run `telltale serve`"};
  }
  const bool is_tls = !config.control_tls_certificate.empty();
  options.url = fmt::format("{}://{}:{}", is_tls ? "https" : "http", HostOf(config.control_listen),
                            port->substr(0, port->find('\n')));
  // The certificate that the server was given is as good as its authority.
  if (is_tls && options.ca.empty()) options.ca = config.control_tls_certificate;
  return Ok();
}

Result<std::string> TokenOf(const ControlFlags& flags) {
  std::string path = flags.token_file.empty() ? VariableOf(kTokenVariable) : flags.token_file;
  if (path.empty() && flags.dir.empty()) return std::string();
  if (path.empty()) {
    path = Paths(flags.dir).run() + "/control.token";
    if (access(path.c_str(), R_OK) != 0) {
      return Error{Code::kRefused, "you may not read " + path +
                                       ": give --token-file FILE, or --certificate and --key"};
    }
  }
  auto token = net::LoadHttpToken(path);
  if (token.ok() || token.error().code != Code::kNotFound) return token;
  return Error{Code::kNotFound, "no token file " + path +
                                    "; `telltale control token new NAME --dir DIR`, where control "
                                    "is kept, prints a token for one"};
}

Result<net::HttpClientOptions> OptionsOf(const ControlFlags& flags) {
  net::HttpClientOptions options;
  options.ca = flags.ca;
  options.timeout = flags.timeout;
  options.certificate = flags.certificate;
  options.key = flags.key;
  options.url = flags.url.empty() && flags.dir.empty() ? VariableOf(kUrlVariable) : flags.url;
  if (options.url.empty() && flags.dir.empty()) {
    return Error{Code::kInvalid, fmt::format("where is control? Give --dir DIR, --control URL, or "
                                             "the variable {}",
                                             kUrlVariable)};
  }
  if (options.url.empty()) RETURN_IF_ERROR(FindByFolder(flags, options));
  if (flags.certificate.empty()) {
    ASSIGN_OR_RETURN(options.token, TokenOf(flags));
  }
  return options;
}

Error ErrorIn(const net::HttpResponse& answer, const std::string& url) {
  const json body = json::parse(answer.body, nullptr, false);
  if (!body.is_object() || !body.contains("error") || !body["error"].is_object()) {
    return {Code::kUnavailable,
            fmt::format("{} answered {} and is no control plane", url, answer.status)};
  }
  const json& error = body["error"];
  // What to do next is said for clients of the API; for people only where it helps them too.
  const std::string next = answer.status == 401 ? "; " + ShownOf(error, "next") : "";
  return {CodeFromName(ShownOf(error, "code")), ShownOf(error, "message") + next};
}

}  // namespace

void AddControlOptions(CLI::App& command, ControlFlags& flags) {
  command.add_option("--dir", flags.dir, "The folder of the installation that keeps control");
  AddControlAddress(command, flags);
  command.add_flag("--json", flags.as_json, "For programs: the API's answer");
}

void AddControlAddress(CLI::App& command, ControlFlags& flags, const char* key_option) {
  command.add_option("--control", flags.url,
                     "Its address instead, https://HOST:PORT (or TELLTALE_CONTROL_URL)");
  command.add_option("--token-file", flags.token_file,
                     "File with your token (or TELLTALE_CONTROL_TOKEN_FILE); with --dir alone: who "
                     "you are on this machine");
  command.add_option("--ca", flags.ca, "Authority of the server's certificate, PEM");
  auto* certificate =
      command.add_option("--certificate", flags.certificate, "Your certificate instead of a token");
  auto* key = command.add_option(key_option, flags.key, "Its key");
  certificate->needs(key);
  key->needs(certificate);
}

bool IsControlNamed(const ControlFlags& flags) {
  return !flags.url.empty() || (flags.dir.empty() && !VariableOf(kUrlVariable).empty());
}

Result<std::string> AskControlForBytes(const ControlFlags& flags,
                                       const net::HttpQuestion& question) {
  ASSIGN_OR_RETURN(const net::HttpClientOptions options, OptionsOf(flags));
  ASSIGN_OR_RETURN(net::HttpResponse answer, net::AskHttp(options, question));
  if (answer.status < 200 || answer.status > 299) return ErrorIn(answer, options.url);
  return std::move(answer.body);
}

Result<json> AskControl(const ControlFlags& flags, net::HttpMethod method, const std::string& path,
                        const json& body) {
  net::HttpQuestion question{.method = method, .target = "/v1/" + path};
  if (!body.is_null()) {
    question.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  }
  ASSIGN_OR_RETURN(const std::string text, AskControlForBytes(flags, question));
  if (text.empty()) return json();
  json answer = json::parse(text, nullptr, false);
  if (answer.is_discarded()) {
    return Error{Code::kUnavailable, "control's answer cannot be read: is it another version?"};
  }
  return answer;
}

std::string EnvironmentPath(const std::string& environment, std::string_view what) {
  std::string path = "environments/" + net::EscapeForHttp(environment);
  if (!what.empty()) path.append("/").append(what);
  return path;
}

Result<std::string> ReleaseIdOf(const ControlFlags& flags, const std::string& words) {
  if (IsSha256Hex(words)) return words;
  ASSIGN_OR_RETURN(const json answer, AskControl(flags, net::HttpMethod::kGet, "releases"));
  std::vector<control::ReleaseName> names;
  for (const json& one : answer.value("items", json::array())) {
    names.push_back({one.value("id", ""), one.value("name", ""), one.value("built_at", "")});
  }
  return control::ReleaseIdIn(names, words);
}

void PrintControlJson(const json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, json::error_handler_t::replace));
}

std::string ShownOf(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "-";
  std::string text = found->is_string()
                         ? found->get<std::string>()
                         : found->dump(-1, ' ', false, json::error_handler_t::replace);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') c = ' ';
  }
  return text.empty() ? "-" : text;
}

std::string ShortRelease(const std::string& id) {
  const bool is_id =
      id.size() == 64 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_id ? id.substr(0, 12) : id;
}

}  // namespace telltale::app
