// JSON as Python writes it, from an untrusted file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "util/result.h"

namespace keras_litert::archive {

// Parses `text`. Unlike the standard, Python's `json` module (and so Keras) writes NaN, Infinity
// and -Infinity as bare words: they become numbers. More than 1,000 nested arrays and objects, two
// equal keys of an object, and anything behind the value are errors (archive-16); `path` is their
// place.
Result<nlohmann::json> ParseJson(std::string_view text, const std::string& path);

}  // namespace keras_litert::archive
