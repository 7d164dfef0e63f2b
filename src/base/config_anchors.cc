#include "base/config_anchors.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

namespace telltale {
namespace {

class AnchorFinder final : public YAML::EventHandler {
 public:
  std::optional<int> line;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { See(mark, anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override { See(mark, anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string&) override {
    See(mark, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    See(mark, anchor);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    See(mark, anchor);
  }
  void OnMapEnd() override {}

 private:
  void See(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor && !line) line = mark.line;
  }
};

}  // namespace

std::optional<int> FirstAnchorLine(std::string_view text) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  AnchorFinder finder;
  while (parser.HandleNextDocument(finder)) {
  }
  return finder.line;
}

}  // namespace telltale
