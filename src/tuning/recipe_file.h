// The file that keeps what a conversion did to weights and activations.
#pragma once

#include <string>

#include "keras_litert/quantize.h"
#include "keras_litert/report.h"

namespace keras_litert {

// The text of a recipe file: JSON, with the members that are not the default.
//
//   {"recipe": "dynamic_int8",
//    "method": "moving_average",
//    "rules": [{"layer": "head/*", "op": "FULLY_CONNECTED", "recipe": "float16"}]}
std::string RecipeFile(const ConvertReport& report, RangeMethod method);

}  // namespace keras_litert
