#include "control/http/yaml_json.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>

namespace telltale::control {
namespace {

using nlohmann::json;

template <typename Number>
bool IsWhole(const std::string& text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool LooksLikeANumber(const std::string& text) {
  const std::size_t first = text.find_first_not_of("+-");
  return first != std::string::npos && first <= 1 &&
         ((text[first] >= '0' && text[first] <= '9') || text[first] == '.') &&
         text.find_first_not_of("+-.0123456789eE") == std::string::npos &&
         text.find_first_of("0123456789") != std::string::npos;
}

json ScalarOf(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // it was quoted
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true" || text == "false") return text == "true";
  std::int64_t whole = 0;
  if (IsWhole(text, whole)) return whole;
  std::uint64_t big = 0;
  if (IsWhole(text, big)) return big;
  double decimal = 0;
  if (LooksLikeANumber(text) && IsWhole(text, decimal) && std::isfinite(decimal)) return decimal;
  return text;
}

Error At(const YAML::Node& node, const std::string& what) {
  return {Code::kInvalid, "line " + std::to_string(node.Mark().line + 1) + ": " + what};
}

class Conversion {
 public:
  Result<json> Convert(const YAML::Node& node, int depth) {
    if (++nodes_ > kYamlNodesMax) return Error{Code::kTooBig, "too much for one document"};
    if (depth > kYamlDepthMax) return At(node, "nested too deeply");
    if (node.IsNull() || !node.IsDefined()) return json();
    if (node.IsScalar()) return ScalarOf(node);
    if (node.IsSequence()) {
      json list = json::array();
      for (const YAML::Node& one : node) {
        ASSIGN_OR_RETURN(json value, Convert(one, depth + 1));
        list.push_back(std::move(value));
      }
      return list;
    }
    json object = json::object();
    for (const auto& pair : node) {
      const YAML::Node& key = pair.first;
      if (!key.IsScalar()) return At(key, "a key must be a word");
      if (object.contains(key.Scalar())) return At(key, key.Scalar() + " comes twice");
      ASSIGN_OR_RETURN(object[key.Scalar()], Convert(pair.second, depth + 1));
    }
    return object;
  }

 private:
  std::size_t nodes_ = 0;
};

}  // namespace

Result<json> JsonOfYaml(const std::string& text) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() != 1) return Error{Code::kInvalid, "one YAML document is needed"};
    return Conversion().Convert(documents[0], 0);
  } catch (const YAML::Exception& e) {
    return Error{Code::kInvalid, "line " + std::to_string(e.mark.line + 1) + ": no YAML: " + e.msg};
  }
}

}  // namespace telltale::control
