// What a caller may ask of a conversion.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "keras_litert/quantize.h"

namespace keras_litert {

struct ConvertOptions {
  // Fixes the first dimension of every input whose first dimension is unknown.
  std::optional<int64_t> static_batch;
  // Fixes the shape of an input, by its name; -1 keeps a dimension dynamic. Must agree with the
  // sizes that the model knows.
  std::map<std::string, std::vector<int64_t>> shapes;

  // Which weights are stored in fewer bits; by default none.
  QuantizeOptions quantize;

  // A web page to write about what quantization did: sizes and noise by layer, and with samples the
  // outputs' errors and advice (QuantizeOptions::advise). Empty: none.
  std::filesystem::path report;

  // A recipe file to write: the recipe and rules that the conversion used or found, which does the
  // same again. Empty: none.
  std::filesystem::path save_recipe;

  // Names of passes (PassNames(), or "lower" for the graph before any pass) after which `dump` gets
  // the graph's text.
  std::vector<std::string> dump_after;
  std::function<void(const std::string& pass, const std::string& text)> dump;

  // Called from the converting thread as bytes are written; may be empty.
  std::function<void(int64_t bytes_written, int64_t bytes_total)> progress;

  // Asked from the converting thread, between passes and as bytes are written; may be empty. True
  // ends the conversion with the error "cancelled" and leaves no file.
  std::function<bool()> cancelled;
};

}  // namespace keras_litert
