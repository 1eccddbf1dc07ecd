// Builds a LiteRT graph by naming Keras operations: for models that are known by what they call,
// not by a config. The Python tracer is such a caller.
//
//   Graph graph;
//   Graph::Tensor x = *graph.Input("x", "float32", {-1, 3});
//   Result<Graph::Argument> y = graph.Call("numpy.exp", {{Graph::Argument::Of(x)}, {}});
//   graph.Output("output_0", y->tensor);
//   Result<ConvertReport> report = graph.Write("model.tflite", {});
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keras_litert/model.h"
#include "keras_litert/options.h"
#include "keras_litert/report.h"
#include "keras_litert/result.h"

namespace keras_litert {

// Not thread-safe. Never prints, never throws.
class Graph {
 public:
  // The handle of a tensor; valid for the graph that gave it.
  using Tensor = int32_t;
  static constexpr Tensor kNoTensor = -1;

  // A number (symbol 0), or coefficient × a size that is known only when the file runs.
  struct Dim {
    int64_t coefficient = 0;
    uint32_t symbol = 0;

    bool operator==(const Dim&) const = default;
  };

  struct Type {
    std::string dtype;
    std::vector<Dim> shape;
  };

  // An argument or result of an operation: a Python literal, a tensor, or a structure of these.
  struct Argument {
    enum class Kind {
      kNone,
      kBool,
      kInt,
      kFloat,
      kString,
      kTensor,
      kList,
      kDict,
      kSlice,
      kEllipsis
    };

    Kind kind = Kind::kNone;
    bool boolean = false;
    Dim integer = {};
    double number = 0;
    std::string text;
    Tensor tensor = kNoTensor;
    std::vector<Argument> items;    // of lists (tuples too), dicts, slices (start, stop, step)
    std::vector<std::string> keys;  // of dicts

    static Argument Of(Tensor tensor) {
      Argument argument;
      argument.kind = Kind::kTensor;
      argument.tensor = tensor;
      return argument;
    }
  };

  struct Arguments {
    std::vector<Argument> positional;
    std::vector<std::pair<std::string, Argument>> keyword;
  };

  // `options` may fix shapes of inputs; the other fields are those of Write().
  explicit Graph(const ConvertOptions& options = {});
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;
  ~Graph();

  // An input of the file, in the order of the calls. Sizes of -1 are dynamic; all inputs share the
  // first dimension where it is. Sizes below -1 are dynamic and shared: the same number is the same
  // size in all inputs.
  Result<Tensor> Input(const std::string& name, const std::string& dtype,
                       const std::vector<int64_t>& shape);
  Result<Tensor> Constant(const Array& array);
  // The value of a variable that lives between invocations of the file, as it is at the beginning
  // of one; `initial` before the first. `name` is made unique in the file.
  Result<Tensor> Variable(const std::string& name, const Array& initial);
  // What the variable, given by its value at the beginning, is at the end of an invocation. Of its
  // dtype and shape. A variable on which no output depends is left out of the file.
  Status Assign(Tensor variable, Tensor value);
  // An output of the file, in the order of the calls.
  Status Output(const std::string& name, Tensor tensor);

  // Calls a Keras operation by the name of the backend function, "numpy.add" (see Names()), with
  // the arguments of the public function of keras.ops. All problems of the call at once.
  Result<Argument> Call(std::string_view operation, const Arguments& arguments);
  // True where Call() knows the operation.
  static bool Knows(std::string_view operation);
  static std::vector<std::string> Names();

  // A layer of Keras's own, by its config: serialized as in config.json, with its weights and
  // assets by their paths in an archive that holds the layer alone as "layer"
  // ("layer/vars/0", "assets/layer/vocabulary.txt"). Gives its number for CallLayer().
  Result<int> AddLayer(const std::string& config, const std::map<std::string, Tensor>& weights,
                       std::map<std::string, std::string, std::less<>> assets);

  // True where CallLayer() knows the class.
  static bool KnowsLayer(std::string_view class_name);

  // A tensor and the mask that travels with it.
  using Mask = std::pair<Tensor, Tensor>;
  struct LayerResult {
    Argument value;
    std::vector<Mask> masks;  // of the value's tensors, where they have one
  };
  // Calls a layer for inference: what the layer computes in `training=False`, lowered as in a model
  // that is read from a file. `masks`: those of the arguments' tensors.
  Result<LayerResult> CallLayer(int layer, const Arguments& arguments,
                                const std::vector<Mask>& masks);

  Type TypeOf(Tensor tensor) const;

  // Between them the operators belong to the layer `name`, inside the layers around it: for errors
  // and for the names of tensors.
  void EnterLayer(const std::string& name);
  void LeaveLayer();
  std::string LayerPath() const;  // "encoder/dense_3"

  // Arithmetic on sizes. Equal expressions give equal dimensions.
  Dim Sum(Dim a, Dim b);
  Dim Product(Dim a, Dim b);
  // floor(a / b). REQUIRES: b > 0.
  Dim FloorDiv(Dim a, int64_t b);
  std::string Print(Dim dim) const;  // "2*batch"

  // Control flow. EnterBody() starts a graph of its own with inputs of the given types; calls go
  // there until LeaveBody() ends it with its outputs and gives its number. Tensors of the graphs
  // around that the body reads become further inputs of it (captures).
  std::vector<Tensor> EnterBody(const std::string& name, const std::vector<Type>& inputs);
  Result<int> LeaveBody(const std::vector<Tensor>& outputs);
  // Drops the body that was entered last, after an error in it.
  void AbandonBody();
  // condition: a bool scalar. The bodies have the same inputs, given here, and outputs of the same
  // dtypes and ranks.
  Result<std::vector<Tensor>> If(Tensor condition, int then_body, int else_body,
                                 const std::vector<Tensor>& inputs);
  // Runs `body`, variables → variables, as long as `condition`, variables → a bool scalar, holds.
  // A variable's shape must not change; where it does, give it an open dimension.
  Result<std::vector<Tensor>> While(int condition, int body, const std::vector<Tensor>& variables);

  // Optimizes the graph and writes the file, as Convert() does. The graph is used up.
  Result<ConvertReport> Write(const std::filesystem::path& output, const ConvertOptions& options,
                              const std::string& model_name = "");

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keras_litert
