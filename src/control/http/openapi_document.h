// The description of the API that the program carries: docs/api/control.openapi.yaml.
#pragma once

#include <string_view>

namespace telltale::control {

std::string_view OpenApiYaml();

}  // namespace telltale::control
