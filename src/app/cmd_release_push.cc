// `telltale release push --control URL`: the release over the API.
#include <nlohmann/json.hpp>
#include <set>

#include "app/cmd_release.h"
#include "app/control_client.h"

namespace telltale::app {
namespace {

using net::HttpMethod;
using nlohmann::json;

class HttpSink final : public control::ReleaseSink {
 public:
  explicit HttpSink(const ControlFlags& flags) : flags_(flags) {}

  // Components of what was pushed before, which are there; what is in no list is sent again.
  Status Learn() {
    ASSIGN_OR_RETURN(const json answer, AskControl(flags_, HttpMethod::kGet, "releases"));
    for (const json& one : answer.value("items", json::array())) {
      // That of `telltale init` lies elsewhere.
      if (!one.is_object() || one.value("name", "").empty()) continue;
      for (const json& digest : one.value("components", json::object())) {
        if (digest.is_string()) known_.insert(digest.get<std::string>());
      }
    }
    return Ok();
  }
  void Forget() { known_.clear(); }

  Result<bool> HasBlob(const std::string& digest) override { return known_.contains(digest); }
  Status PutBlob(const std::string& digest, std::string_view bytes) override {
    const auto put = AskControlForBytes(flags_, {.method = HttpMethod::kPut,
                                                 .target = "/v1/blobs/" + digest,
                                                 .body = std::string(bytes),
                                                 .content_type = "application/octet-stream"});
    return put.ok() ? Ok() : Status(put.error());
  }
  Status PutRelease(const control::ReleaseBundle& bundle) override {
    ASSIGN_OR_RETURN(const json body, control::BundleToJson(bundle));
    const auto put = AskControl(flags_, HttpMethod::kPut, "releases/" + bundle.id(), body);
    return put.ok() ? Ok() : Status(put.error());
  }

 private:
  const ControlFlags& flags_;
  std::set<std::string> known_;
};

}  // namespace

Status PushToControl(const ControlFlags& flags, const control::ReleaseContent& content) {
  HttpSink sink(flags);
  RETURN_IF_ERROR(sink.Learn());
  const Status pushed = control::Push(content, sink);
  if (pushed.ok() || pushed.error().code != Code::kNotFound) return pushed;
  sink.Forget();  // a component that should be there was taken away
  return control::Push(content, sink);
}

}  // namespace telltale::app
