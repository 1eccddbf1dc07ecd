// What a caller may ask of quantization.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keras_litert/array.h"

namespace keras_litert {

// A way to store and compute an operator's weights.
struct QuantizeRecipe {
  std::string_view name;         // "dynamic_wi8_afp32"
  std::string_view alias;        // "dynamic_int8"; empty: none
  std::string_view description;  // one line, for help texts
};

// Every recipe, in the order in which help texts list them.
std::span<const QuantizeRecipe> QuantizeRecipes();

// What rules and searches name that keeps operators float; no recipe of the list above.
inline constexpr std::string_view kFloatRecipe = "float32";

// Gives some operators another recipe than the rest. A rule applies where all that it names match;
// of several rules that do, the last counts. A rule that matches nothing is an error, because it
// is a mistyped name.
struct QuantizeRule {
  // Layer path as reports and errors show it ("encoder/dense_3"). `*` stands for any characters,
  // `/` included, `?` for one. Empty: any layer.
  std::string layer;
  std::string op;      // LiteRT's name, "FULLY_CONNECTED"; empty: any operator
  std::string recipe;  // a name or alias, or kFloatRecipe
};

// Inputs of the model, one array for each by its name: first axis the batch; the name may
// be empty where the model has one input. An array of another
// dtype is converted where that loses nothing but float digits.
using Sample = std::map<std::string, Array, std::less<>>;

// How a tensor's range follows from what calibration sees of it. kPercentile and kMse look at the
// values in a second run, and are for int8; int16 has steps enough for all values.
enum class RangeMethod : uint8_t {
  kMinMax,         // the least and the greatest value of all samples
  kMovingAverage,  // of each sample's least and greatest, later samples weigh more: 0.9 · old + 0.1
  kPercentile,     // without the least and the greatest 0.01 % of the values
  kMse,            // of the least squared error by int8, between clipping and large steps
};

// The methods by name, in that order: "minmax" …
std::span<const std::string_view> RangeMethodNames();

// How images become the values that a model takes.
struct ImageFormat {
  // 0: as the model's input has it.
  int64_t height = 0;
  int64_t width = 0;
  // What black and white become. Must be given: nothing in a model tells.
  float low = 0;
  float high = 0;
};

// What recipes with calibrated activations need. The float model itself runs in LiteRT on the
// samples, and the ranges of its tensors are taken.
struct CalibrateOptions {
  std::vector<Sample> samples;
  // A NumPy file with further samples: .npz with an array for each input by name, .npy for a model
  // of one input. Split along the first axis. Or a folder of .png and .jpg images, each a sample of
  // an only input [batch, height, width, 1 or 3]. Empty: none.
  std::filesystem::path file;
  ImageFormat images = {};
  RangeMethod method = RangeMethod::kMinMax;
  std::filesystem::path runtime;  // LiteRT's library; see VerifyOptions::runtime
  // Called from the converting thread after each batch; may be empty.
  std::function<void(size_t done, size_t total)> progress;
};

// One recipe that a search tried, and what it gave.
struct Trial {
  std::string name;    // for people: "dynamic_int8, 2 float16"
  std::string recipe;  // the recipe, as QuantizeOptions has it
  std::vector<QuantizeRule> rules;
  std::string failure;  // why there is no file; empty: there was one
  int64_t file_bytes = 0;
  // Of the worst output, over the samples: see OutputError.
  double sqnr = std::numeric_limits<double>::infinity();
  double max_relative = 0;
  double metric = std::numeric_limits<double>::quiet_NaN();  // the caller's; NaN: none
  bool fits = false;                                         // in the budget
};

// The recipe "auto": searches which recipe each layer gets, so that the file is the smallest within
// a budget of accuracy, or the most accurate within a budget of bytes. What is chosen was run in
// LiteRT on the samples and kept to the budget there.
struct AutoQuantize {
  // The budget; at least one of them must be given.
  std::optional<double> min_sqnr;  // dB, of the worst output
  // The largest difference from the float model's outputs, as a fraction of the output's range.
  // With a metric: how much less than the float file's the metric may be.
  std::optional<double> max_loss;
  std::optional<int64_t> max_size;  // bytes of the file

  // What layers may get, by names or aliases and "float32"; empty: AutoRecipes().
  std::vector<std::string> recipes;
  // How good a file is; more is better. Called from the converting thread with a file that is gone
  // afterwards. Nothing: gave up, which ends the conversion as `cancelled` does.
  std::function<std::optional<double>(const std::filesystem::path& file)> metric;
  // Called from the converting thread before each run of the model; may be empty. The total is an
  // estimate.
  std::function<void(size_t done, size_t total)> progress;
};

inline constexpr std::string_view kAuto = "auto";
// What AutoQuantize chooses from by default.
std::vector<std::string> AutoRecipes();

struct QuantizeOptions {
  // A name or alias; empty or "float32": only rules quantize; "auto": see AutoQuantize. The rules
  // then hold for what they name, whatever the search finds best.
  std::string recipe;
  std::vector<QuantizeRule> rules;

  CalibrateOptions calibrate = {};
  // Dtypes of the file's inputs and outputs that are float32 in the model: "float32" (also by ""),
  // "int8", "uint8" or "int16". Integers stand for scale · (q - zero point) of the tensor.
  std::string input_type = {};
  std::string output_type = {};
  AutoQuantize search = {};
  // Measures what another recipe for single layers would change (ConvertReport::advice). Needs
  // samples, and runs the model up to 20 times.
  bool advise = false;
};

// One operator that has weights, or was to compute in integers; in the order of execution.
struct QuantizedOperator {
  std::string layer;
  std::string op;      // "CONV_2D"
  std::string recipe;  // what it got; "float32" where it stayed float
  std::string reason;  // why it did not get what was asked for; empty where it did
  // Of its weights, as float32; 0 where an operator of the layer before it has the same.
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;  // with their scales
  // Signal-to-quantization-noise ratio of the stored weights: 10·log10(Σw² / Σ(w − ŵ)²) in dB.
  // Infinite where they are exact.
  double weights_sqnr = 0;
  // The same of the operator's result, where the file and the float model ran on the samples; noise
  // of the operators before it included. NaN: not measured.
  double output_sqnr = std::numeric_limits<double>::quiet_NaN();
};

// What a change of one layer's recipe does, measured on the samples.
struct Advice {
  std::string layer;
  std::string op;      // the change is for these operators of the layer; empty: it has no others
  std::string from;    // their recipe now; that of most of their weights
  std::string recipe;  // the one to give it by a rule
  double gain = 0;     // dB more of the worst output; NaN where the file is exact now
  double sqnr = 0;     // of the worst output then
  int64_t bytes = 0;   // that the file grows by
};

// How an output of the file differs from the float model's on the samples.
struct OutputError {
  std::string name;
  double sqnr = 0;          // dB; infinite where they are equal
  double max_absolute = 0;  // the largest difference
  double max_relative = 0;  // as a fraction of the output's range over the samples
};

}  // namespace keras_litert
