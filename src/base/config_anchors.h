// What settings do without and yaml-cpp 0.7 does not survive: anchors and aliases (it never frees a
// node that holds itself, `&x {b: *x}`) and a second document (after some broken texts it finds
// empty ones without end, so LoadAll() must not be called). config_fuzz found both.
#pragma once

#include <optional>
#include <string_view>

namespace telltale {

struct YamlExtras {
  std::optional<int> anchor_line;           // from 0, of the first one, up to the second document
  std::optional<int> second_document_line;  // from 0
};
// Throws YAML::Exception as yaml-cpp does on a text that is no YAML.
YamlExtras FindYamlExtras(std::string_view text);

}  // namespace telltale
