#include "base/config_anchors.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

namespace telltale {
namespace {

class AnchorFinder final : public YAML::EventHandler {
 public:
  YamlExtras found;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) found.second_document_line = mark.line;
  }
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
    if (anchor != YAML::NullAnchor && !found.anchor_line) found.anchor_line = mark.line;
  }
  int documents_ = 0;
};

}  // namespace

YamlExtras FindYamlExtras(std::string_view text) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  AnchorFinder finder;
  if (parser.HandleNextDocument(finder)) parser.HandleNextDocument(finder);
  return finder.found;
}

}  // namespace telltale
