// Says what is in a file: a saved Keras model or a LiteRT file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "keras_litert/report.h"
#include "keras_litert/result.h"

namespace keras_litert {

enum class FileFormat {
  kTflite,  // a LiteRT file, told by its identifier "TFL3"
  kKeras,   // a .keras archive
  kHdf5,    // a whole-model .h5 or .hdf5 file
};

// What the runtime calls by name: named inputs and outputs.
struct SignatureReport {
  std::string key;  // "serving_default"
  std::vector<TensorReport> inputs;
  std::vector<TensorReport> outputs;
};

// A layer of a saved Keras model; layers of nested models follow the model they are part of.
struct LayerReport {
  std::string path;        // "encoder/dense_3"
  std::string class_name;  // "Dense"; "package>Name" for registered custom classes
};

// A weight of a saved Keras model, or a constant of a LiteRT file. Bytes are those stored; a
// constant that several tensors share is there once.
struct WeightReport {
  std::string name;   // "layers/conv2d/vars/0"; LiteRT: the first tensor that reads it
  std::string dtype;  // "float32"
  std::vector<int64_t> shape;
  int64_t bytes = 0;
};

struct InspectReport {
  FileFormat format = FileFormat::kTflite;
  int64_t file_bytes = 0;

  std::string model_name;     // the config's name, or the LiteRT file's description; may be empty
  std::string model_class;    // "Functional", "Sequential", …; empty for LiteRT files
  std::string keras_version;  // "3.15.1"; empty where the file does not say

  // LiteRT files: every signature; where there is none, one with an empty key for the first
  // subgraph's inputs and outputs. Keras files: one with an empty key whose inputs are those that
  // the config states; its outputs have names only where the config gives them, as their types are
  // known after conversion only.
  std::vector<SignatureReport> signatures;

  int64_t subgraphs = 0;                    // LiteRT files
  std::vector<OperatorCount> operators;     // LiteRT files: of all subgraphs, most frequent first
  std::string min_runtime_version;          // LiteRT files: what the metadata states; may be empty
  std::vector<LayerReport> layers;          // Keras files, in the config's order
  std::vector<OperatorCount> layer_counts;  // Keras files: by class, most frequent first

  std::vector<WeightReport> weights;  // largest first
  int64_t weight_bytes = 0;
  int64_t weight_elements = 0;
};

// Reads `file`. What it is is told from its content, not from its name. Nothing is evaluated or
// executed: the weights' data is not read. Errors as for Convert(). Thread-safe; never prints,
// never throws.
Result<InspectReport> Inspect(const std::filesystem::path& file);

}  // namespace keras_litert
