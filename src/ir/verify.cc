#include "ir/verify.h"

#include <algorithm>
#include <unordered_set>

#include "ir/kernel_types.h"

namespace keras_litert::ir {
namespace {

using tflite::BuiltinOptions;
using tflite::BuiltinOptions2;
using enum BuiltinOperator;

constexpr size_t kMany = 1000000;

struct Arity {
  BuiltinOperator code;
  size_t min_inputs;
  size_t max_inputs;
  size_t min_outputs = 1;
  size_t max_outputs = 1;
  BuiltinOptions options = BuiltinOptions::NONE;  // demanded
};

// Operators that are not listed are not checked.
constexpr Arity kArities[] = {
    {ABS, 1, 1},
    {ADD, 2, 2, 1, 1, BuiltinOptions::AddOptions},
    {ARG_MAX, 2, 2, 1, 1, BuiltinOptions::ArgMaxOptions},
    {ARG_MIN, 2, 2, 1, 1, BuiltinOptions::ArgMinOptions},
    {ATAN2, 2, 2},
    {AVERAGE_POOL_2D, 1, 1, 1, 1, BuiltinOptions::Pool2DOptions},
    {BATCH_MATMUL, 2, 2, 1, 1, BuiltinOptions::BatchMatMulOptions},
    {BROADCAST_TO, 2, 2},
    {CAST, 1, 1},
    {CEIL, 1, 1},
    {CONCATENATION, 1, kMany, 1, 1, BuiltinOptions::ConcatenationOptions},
    {CONV_2D, 2, 3, 1, 1, BuiltinOptions::Conv2DOptions},
    {CONV_3D, 2, 3, 1, 1, BuiltinOptions::Conv3DOptions},
    {CONV_3D_TRANSPOSE, 3, 4, 1, 1, BuiltinOptions::Conv3DOptions},
    {COS, 1, 1},
    {CUMSUM, 2, 2, 1, 1, BuiltinOptions::CumsumOptions},
    {DEPTHWISE_CONV_2D, 2, 3, 1, 1, BuiltinOptions::DepthwiseConv2DOptions},
    {DEPTH_TO_SPACE, 1, 1, 1, 1, BuiltinOptions::DepthToSpaceOptions},
    {DEQUANTIZE, 1, 1},
    {DIV, 2, 2, 1, 1, BuiltinOptions::DivOptions},
    {DYNAMIC_UPDATE_SLICE, 3, 3},
    {ELU, 1, 1},
    {EQUAL, 2, 2},
    {EXP, 1, 1},
    {EXPAND_DIMS, 2, 2},
    {FILL, 2, 2},
    {FLOOR, 1, 1},
    {FLOOR_DIV, 2, 2},
    {FLOOR_MOD, 2, 2},
    {FULLY_CONNECTED, 2, 3, 1, 1, BuiltinOptions::FullyConnectedOptions},
    {GATHER, 2, 2, 1, 1, BuiltinOptions::GatherOptions},
    {GATHER_ND, 2, 2},
    {GELU, 1, 1, 1, 1, BuiltinOptions::GeluOptions},
    {GREATER, 2, 2},
    {GREATER_EQUAL, 2, 2},
    {HARD_SWISH, 1, 1},
    {IF, 1, kMany, 1, kMany, BuiltinOptions::IfOptions},
    {LEAKY_RELU, 1, 1, 1, 1, BuiltinOptions::LeakyReluOptions},
    {LESS, 2, 2},
    {LESS_EQUAL, 2, 2},
    {LOG, 1, 1},
    {LOGICAL_AND, 2, 2},
    {LOGICAL_NOT, 1, 1},
    {LOGICAL_OR, 2, 2},
    {LOGISTIC, 1, 1},
    {LOG_SOFTMAX, 1, 1},
    {MAXIMUM, 2, 2},
    {MAX_POOL_2D, 1, 1, 1, 1, BuiltinOptions::Pool2DOptions},
    {MEAN, 2, 2, 1, 1, BuiltinOptions::ReducerOptions},
    {MINIMUM, 2, 2},
    {MIRROR_PAD, 2, 2, 1, 1, BuiltinOptions::MirrorPadOptions},
    {MUL, 2, 2, 1, 1, BuiltinOptions::MulOptions},
    {NEG, 1, 1},
    {NOT_EQUAL, 2, 2},
    {ONE_HOT, 4, 4, 1, 1, BuiltinOptions::OneHotOptions},
    {PACK, 1, kMany, 1, 1, BuiltinOptions::PackOptions},
    {PAD, 2, 2},
    {PADV2, 3, 3},
    {POW, 2, 2},
    {PRELU, 2, 2},
    {QUANTIZE, 1, 1},
    {RANGE, 3, 3},
    {REDUCE_ALL, 2, 2, 1, 1, BuiltinOptions::ReducerOptions},
    {REDUCE_ANY, 2, 2, 1, 1, BuiltinOptions::ReducerOptions},
    {REDUCE_MAX, 2, 2, 1, 1, BuiltinOptions::ReducerOptions},
    {REDUCE_MIN, 2, 2, 1, 1, BuiltinOptions::ReducerOptions},
    {REDUCE_PROD, 2, 2, 1, 1, BuiltinOptions::ReducerOptions},
    {RELU, 1, 1},
    {RELU6, 1, 1},
    {RELU_N1_TO_1, 1, 1},
    {RELU_0_TO_1, 1, 1},
    {RESHAPE, 2, 2},
    {RESIZE_BILINEAR, 2, 2, 1, 1, BuiltinOptions::ResizeBilinearOptions},
    {RESIZE_NEAREST_NEIGHBOR, 2, 2, 1, 1, BuiltinOptions::ResizeNearestNeighborOptions},
    {REVERSE_V2, 2, 2},
    {ROUND, 1, 1},
    {RSQRT, 1, 1},
    {SCATTER_ND, 3, 3},
    {SELECT, 3, 3},
    {SELECT_V2, 3, 3},
    {SHAPE, 1, 1, 1, 1, BuiltinOptions::ShapeOptions},
    {SIGN, 1, 1},
    {SIN, 1, 1},
    {SLICE, 3, 3},
    {SOFTMAX, 1, 1, 1, 1, BuiltinOptions::SoftmaxOptions},
    {SPACE_TO_DEPTH, 1, 1, 1, 1, BuiltinOptions::SpaceToDepthOptions},
    {SPLIT, 2, 2, 1, kMany, BuiltinOptions::SplitOptions},
    {SPLIT_V, 3, 3, 1, kMany, BuiltinOptions::SplitVOptions},
    {SQRT, 1, 1},
    {SQUARE, 1, 1},
    {SQUARED_DIFFERENCE, 2, 2},
    {SQUEEZE, 1, 1, 1, 1, BuiltinOptions::SqueezeOptions},
    {STRIDED_SLICE, 4, 4, 1, 1, BuiltinOptions::StridedSliceOptions},
    {SUB, 2, 2, 1, 1, BuiltinOptions::SubOptions},
    {SUM, 2, 2, 1, 1, BuiltinOptions::ReducerOptions},
    {TANH, 1, 1},
    {TILE, 2, 2},
    {TOPK_V2, 2, 2, 2, 2},
    {TRANSPOSE, 2, 2},
    {TRANSPOSE_CONV, 3, 4, 1, 1, BuiltinOptions::TransposeConvOptions},
    {UNPACK, 1, 1, 1, kMany, BuiltinOptions::UnpackOptions},
    {WHERE, 1, 1},
    {WHILE, 1, kMany, 1, kMany, BuiltinOptions::WhileOptions},
    {ZEROS_LIKE, 1, 1},
};

// Inputs that may be absent: a bias.
bool MayBeAbsent(BuiltinOperator code, size_t index) {
  switch (code) {
    case CONV_2D:
    case DEPTHWISE_CONV_2D:
    case CONV_3D:
    case FULLY_CONNECTED:
      return index == 2;
    case TRANSPOSE_CONV:
    case CONV_3D_TRANSPOSE:
      return index == 3;
    default:
      return std::none_of(std::begin(kArities), std::end(kArities),
                          [code](const Arity& arity) { return arity.code == code; });
  }
}

class Verifier {
 public:
  explicit Verifier(const Module& module) : module_(module) {}

  std::vector<Diagnostic> Run() {
    for (const auto& graph : module_.graphs) CheckGraph(*graph);
    CheckNames("input", module_.input_names.size(), module_.main().inputs().size());
    CheckNames("output", module_.output_names.size(), module_.main().outputs().size());
    return std::move(problems_);
  }

 private:
  void CheckNames(const std::string& what, size_t names, size_t tensors) {
    if (names != tensors) {
      Report(nullptr, "verify-7",
             "the signature has " + std::to_string(names) + " " + what + " names for " +
                 std::to_string(tensors) + " tensors");
    }
  }

  void Report(const Operator* op, std::string code, std::string message) {
    std::string path;
    if (op != nullptr) {
      if (op->origin < module_.origins.size()) path = module_.origins[op->origin];
      message = std::string(tflite::EnumNameBuiltinOperator(op->code)) + ": " + message;
    }
    problems_.push_back({std::move(path), std::move(code), "internal: " + std::move(message), ""});
  }

  void CheckGraph(const Graph& graph) {
    graph_ = &graph;
    known_.clear();
    for (const Tensor* input : graph.inputs()) {
      if (input == nullptr || input->is_constant() || input->producer != nullptr) {
        Report(nullptr, "verify-2", "an input of graph " + graph.name() + " is computed");
      }
      known_.insert(input);
    }
    const Operator* previous = nullptr;
    for (const Operator* op = graph.first(); op != nullptr; previous = op, op = op->next) {
      if (op->prev != previous) Report(op, "verify-2", "the list of operators is torn");
      CheckInputs(*op);
      CheckOutputs(*op);
      if (!CheckArity(*op)) continue;
      CheckDTypes(*op);
      if (const std::string problem = CheckShapes(*op); !problem.empty()) {
        Report(op, "verify-5", problem);
      }
      CheckCalls(*op);
    }
    if (graph.last() != previous) Report(nullptr, "verify-2", "the list of operators is torn");
    for (const Tensor* output : graph.outputs()) {
      if (output == nullptr || !IsKnown(output)) {
        Report(nullptr, "verify-1", "an output of graph " + graph.name() + " is never computed");
      }
    }
  }

  bool IsKnown(const Tensor* tensor) const {
    return tensor->graph == graph_ && (tensor->is_constant() || known_.contains(tensor));
  }

  void CheckInputs(const Operator& op) {
    if (op.erased) Report(&op, "verify-2", "is erased but linked");
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const Tensor* input = op.inputs[i];
      const std::string name = "input " + std::to_string(i);
      if (input == nullptr) {
        if (!MayBeAbsent(op.code, i)) Report(&op, "verify-3", name + " is absent");
        continue;
      }
      if (input->graph != graph_) {
        Report(&op, "verify-2", name + " belongs to another graph");
      } else if (!IsKnown(input)) {
        Report(&op, "verify-1", name + " is not computed before");
      }
      if (std::count(input->users.begin(), input->users.end(), &op) !=
          std::count(op.inputs.begin(), op.inputs.end(), input)) {
        Report(&op, "verify-2", name + " does not list its users rightly");
      }
      if (input->is_constant() && input->constant->type() != input->type) {
        Report(&op, "verify-4",
               name + " is " + input->type.ToString() + " but its constant is " +
                   input->constant->type().ToString());
      }
    }
  }

  void CheckOutputs(const Operator& op) {
    for (const Tensor* output : op.outputs) {
      if (output == nullptr || output->producer != &op || output->is_constant() ||
          output->graph != graph_) {
        Report(&op, "verify-2", "an output does not know its producer");
        continue;
      }
      if (!known_.insert(output).second) Report(&op, "verify-2", "an output is computed twice");
    }
  }

  bool CheckArity(const Operator& op) {
    const auto* arity = std::find_if(std::begin(kArities), std::end(kArities),
                                     [&](const Arity& a) { return a.code == op.code; });
    if (arity == std::end(kArities)) return true;
    if (op.inputs.size() < arity->min_inputs || op.inputs.size() > arity->max_inputs ||
        op.outputs.size() < arity->min_outputs || op.outputs.size() > arity->max_outputs) {
      Report(&op, "verify-3",
             "has " + std::to_string(op.inputs.size()) + " inputs and " +
                 std::to_string(op.outputs.size()) + " outputs");
      return false;
    }
    if (arity->options != BuiltinOptions::NONE && op.options.type != arity->options) {
      Report(&op, "verify-3",
             std::string("has ") + tflite::EnumNameBuiltinOptions(op.options.type) + " where " +
                 tflite::EnumNameBuiltinOptions(arity->options) + " is needed");
      return false;
    }
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      if (op.inputs[i] == nullptr && !MayBeAbsent(op.code, i)) return false;  // reported
    }
    return true;
  }

  void CheckDTypes(const Operator& op) {
    if (op.code == CAST) return;  // its group lists types, which may differ
    for (const OperandGroup& group : OperandGroups(op.code)) {
      if (IsQuantized(op, group)) continue;
      const DType dtype = GroupType(op, group);
      auto check = [&](const std::vector<Tensor*>& tensors, uint32_t mask, const char* what) {
        for (size_t i = 0; i < tensors.size(); ++i) {
          if (tensors[i] == nullptr || !OperandGroup::Contains(mask, i)) continue;
          if (tensors[i]->type.dtype == dtype) continue;
          Report(&op, "verify-4",
                 std::string(what) + " " + std::to_string(i) + " is " +
                     std::string(Name(tensors[i]->type.dtype)) + " where other operands are " +
                     std::string(Name(dtype)));
        }
      };
      check(op.inputs, group.inputs, "input");
      check(op.outputs, group.outputs, "output");
    }
  }

  // Types agree as far as they are known before the file runs.
  static bool Agree(const TensorType& a, const TensorType& b) {
    if (a.dtype != b.dtype || a.shape.rank() != b.shape.rank()) return false;
    for (int i = 0; i < a.shape.rank(); ++i) {
      if (a.shape[i].is_static() && b.shape[i].is_static() && a.shape[i] != b.shape[i])
        return false;
    }
    return true;
  }

  void CheckCall(const Operator& op, int index, std::span<Tensor* const> inputs,
                 std::span<Tensor* const> outputs) {
    if (index <= 0 || static_cast<size_t>(index) >= module_.graphs.size()) {
      Report(&op, "verify-6", "calls graph " + std::to_string(index) + ", which does not exist");
      return;
    }
    const Graph& callee = *module_.graphs[static_cast<size_t>(index)];
    auto compare = [&](const char* what, std::span<Tensor* const> given,
                       const std::vector<Tensor*>& wanted) {
      bool agree = given.size() == wanted.size();
      for (size_t i = 0; agree && i < given.size(); ++i) {
        agree =
            given[i] != nullptr && wanted[i] != nullptr && Agree(given[i]->type, wanted[i]->type);
      }
      if (!agree) {
        Report(&op, "verify-6",
               std::string("its ") + what + " are not those of graph " + callee.name());
      }
    };
    compare("inputs", inputs, callee.inputs());
    if (!outputs.empty()) compare("outputs", outputs, callee.outputs());
  }

  void CheckCalls(const Operator& op) {
    if (op.code == WHILE) {
      const auto& options = *op.options.AsWhileOptions();
      CheckCall(op, options.cond_subgraph_index, op.inputs, {});
      CheckCall(op, options.body_subgraph_index, op.inputs, op.outputs);
    } else if (op.code == IF) {
      const auto& options = *op.options.AsIfOptions();
      const std::span<Tensor* const> arguments = std::span(op.inputs).subspan(1);
      CheckCall(op, options.then_subgraph_index, arguments, op.outputs);
      CheckCall(op, options.else_subgraph_index, arguments, op.outputs);
    }
  }

  const Module& module_;
  const Graph* graph_ = nullptr;
  std::unordered_set<const Tensor*> known_;
  std::vector<Diagnostic> problems_;
};

}  // namespace

std::vector<Diagnostic> Verify(const Module& module) {
  return Verifier(module).Run();
}

}  // namespace keras_litert::ir
