// Weights of operators, by recipe:
//
//   float16           OP(x, w)  ⇒  OP(x, DEQUANTIZE(float16(w)))
//   weight-only int8  OP(x, w)  ⇒  OP(x, DEQUANTIZE(int8(w)))
//   dynamic int8      OP(x, w)  ⇒  OP(x, int8(w))       the kernel quantizes x as it runs
//   dynamic int4      as dynamic int8, FULLY_CONNECTED(x, int4(w)) and EMBEDDING_LOOKUP
//
//   int4 in blocks, because LiteRT's own kernel for it, unlike XNNPACK's, forgets the activation:
//   FULLY_CONNECTED(x, w, relu)  ⇒  RELU(FULLY_CONNECTED(x, int4(w)))
//
//   all but float16, of a table of embeddings:
//   GATHER(w, ids)  ⇒  RESHAPE(EMBEDDING_LOOKUP(RESHAPE(ids, [-1]), int8(w)))   one scale a row
//
// The runtime evaluates DEQUANTIZE of a constant once, when it loads the file (XNNPACK as it
// builds its own copy of the weights).
#include "quantize/quantize.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "ir/operators.h"
#include "quantize/bias.h"
#include "quantize/recipe.h"
#include "quantize/static.h"
#include "quantize/weights.h"
#include "util/near_match.h"

namespace keras_litert::quantize {
namespace {

using ir::BuiltinOperator;
using ir::ConstantPtr;
using ir::DType;
using ir::Graph;
using ir::Module;
using ir::Operator;
using ir::Tensor;
using ir::Value;
using enum ir::BuiltinOperator;

// Smaller weights stay float: what they would save is less than the scales and operators cost.
constexpr int64_t kFewest = 1024;  // elements

// An operator that multiplies by weights.
struct WeightOperator {
  BuiltinOperator code{};
  size_t weights = 0;    // which input
  int axis = 0;          // of the weights: the output channels
  bool dynamic = false;  // has a kernel for float32 activations and int8 weights of many scales
};

constexpr WeightOperator kWeightOperators[] = {
    {CONV_2D, 1, 0, true},
    {DEPTHWISE_CONV_2D, 1, 3, true},
    {FULLY_CONNECTED, 1, 0, true},
    // Its hybrid kernel is the reference implementation only, many times slower than float.
    {TRANSPOSE_CONV, 1, 0, false},
    {CONV_3D, 1, 4, false},
    {CONV_3D_TRANSPOSE, 1, 3, false},
    // Its hybrid kernel takes one scale.
    {BATCH_MATMUL, 1, 0, false},
    {GATHER, 0, 0, true},
};

const WeightOperator* Find(BuiltinOperator code) {
  for (const WeightOperator& entry : kWeightOperators) {
    if (entry.code == code) return &entry;
  }
  return nullptr;
}

// Rows of a matrix, each with a scale of its own.
bool IsEmbedding(const Operator& op) {
  const auto* options = op.options.AsGatherOptions();
  return op.code == GATHER && options != nullptr && options->axis == 0 &&
         options->batch_dims == 0 && op.inputs[0]->type.shape.rank() == 2;
}

bool IsGrouped(const Operator& op) {
  return op.code == CONV_2D && op.inputs[0]->type.shape[3] != op.inputs[1]->type.shape[3];
}

// Why an operator cannot have int4 weights, in blocks of `block` (0: none); empty: it can. What
// kernels there are: EMBEDDING_LOOKUP's, and XNNPACK's FULLY_CONNECTED. CONV_2D's hybrid kernel
// takes int4, but unpacks all weights at each run.
std::string WhyNotInt4(const Operator& op, int block) {
  if (op.code != FULLY_CONNECTED && op.code != GATHER) {
    return "LiteRT has quick int4 kernels for FULLY_CONNECTED and embeddings only";
  }
  const ir::Shape& shape = op.inputs[op.code == GATHER ? 0 : 1]->type.shape;
  const int64_t row = shape[1].value();
  if (block != 0 && row % block != 0) {
    return fmt::format("its rows of {} weights cannot be divided into blocks of {}", row, block);
  }
  if (row % 2 != 0) return fmt::format("its rows of {} weights are odd", row);
  return "";
}

// The axis of the scales. A batch of matrices has one for each column.
int ScaleAxis(const WeightOperator& entry, const Operator& op) {
  if (entry.code != BATCH_MATMUL) return entry.axis;
  const auto* options = op.options.AsBatchMatMulOptions();
  return op.inputs[1]->type.shape.rank() - (options != nullptr && options->adj_y ? 2 : 1);
}

class Quantizer {
 public:
  Quantizer(Module& module, RecipeBook book, const Ranges& ranges)
      : module_(module), book_(std::move(book)), means_(module.main(), ranges) {}

  Result<Quantized> Run(const QuantizeOptions& options, const Ranges& ranges) {
    FindLoops();
    if (book_.needs_calibration()) {
      KL_ASSIGN_OR_RETURN(static_,
                          QuantizeActivations(module_, StaticOperators(), ranges, means_, options));
    }
    for (const auto& graph : module_.graphs) {
      for (Operator* op : graph->Operators()) {
        Tensor* result =
            op->outputs.empty() || graph.get() != &module_.main() ? nullptr : op->output();
        const auto done = static_.find(op);
        if (done != static_.end() && done->second.recipe != Name(Recipe::kFloat32)) {
          reports_.push_back(done->second);
        } else if (!Visit(*graph, op) && done != static_.end()) {
          reports_.push_back(done->second);
        }
        outputs_.resize(reports_.size(), op->erased ? nullptr : result);
      }
    }
    for (Diagnostic& error : book_.Unmatched(module_.origins)) errors_.push_back(std::move(error));
    if (!errors_.empty()) return std::unexpected(Error(std::move(errors_)));
    return Quantized{std::move(reports_), std::move(outputs_)};
  }

 private:
  // The operators of the main graph that compute with floats and are to do it in integers.
  StaticRecipes StaticOperators() {
    StaticRecipes recipes;
    for (Operator* op = module_.main().first(); op != nullptr; op = op->next) {
      const auto is_float = [](const Tensor* t) {
        return t != nullptr && t->type.dtype == DType::kFloat32;
      };
      const bool in = std::any_of(op->inputs.begin(), op->inputs.end(), is_float);
      const bool out = std::any_of(op->outputs.begin(), op->outputs.end(), is_float);
      if ((!in && !out) || op->code == SHAPE || op->code == CAST) continue;
      const Recipe recipe = book_.For(module_.origins[op->origin], op->code);
      if (IsStatic(recipe) && !IsOfLoop(*op)) recipes[op] = recipe;
    }
    return recipes;
  }

  void FindLoops() {
    for (const auto& graph : module_.graphs) {
      for (const Operator* op = graph->first(); op != nullptr; op = op->next) {
        if (op->code == WHILE) looping_.insert(op->origin);
        if (graph.get() == &module_.main()) continue;
        for (const Tensor* x : op->inputs) {
          if (x != nullptr && x->is_constant()) in_bodies_.insert(x->constant.get());
        }
      }
    }
  }

  // True for an operator of the main graph that is of a layer with a loop: a step that the loop's
  // body leaves over, or moves its values in and out. These compute as the body does: a few steps
  // in integers would give each step's result two more roundings, and the weights a second copy.
  // What multiplies by weights of its own is none: the product of a whole sequence with a kernel.
  bool IsOfLoop(const Operator& op) const {
    if (!looping_.contains(op.origin) || op.code == WHILE) return false;
    const WeightOperator* entry = Find(op.code);
    if (entry == nullptr) return true;
    const Tensor* weights = op.inputs[entry->weights];
    return !weights->is_constant() || in_bodies_.contains(weights->constant.get());
  }

  // False where `op` has no weights.
  bool Visit(Graph& graph, Operator* op) {
    const WeightOperator* entry = Find(op->code);
    if (entry == nullptr || (op->code == GATHER && !IsEmbedding(*op))) return false;
    const Tensor* weights = op->inputs[entry->weights];
    if (!weights->is_constant() || weights->type.dtype != DType::kFloat32) return false;

    const std::string& layer = module_.origins[op->origin];
    const ir::Constant* const source = weights->constant.get();
    const Recipe wanted = book_.For(layer, op->code);
    QuantizedOperator report;
    report.layer = layer;
    report.op = tflite::EnumNameBuiltinOperator(op->code);
    report.bytes_before = report.bytes_after = static_cast<int64_t>(weights->constant->byte_size());
    Recipe recipe = wanted;
    if (IsStatic(wanted)) {
      // It stays float, or lies in the body of a loop: its weights alone are stored as int8.
      const auto known = static_.find(op);
      report.reason = known != static_.end()
                          ? known->second.reason
                          : "what loops and branches compute is not observed, and stays float";
      const bool quick = entry->dynamic && !IsGrouped(*op);
      recipe = quick ? Recipe::kDynamicInt8 : Recipe::kWeightOnlyInt8;
      if (weights->constant->num_elements() < kFewest) recipe = Recipe::kFloat32;
    } else if (wanted != Recipe::kFloat32 && weights->constant->num_elements() < kFewest) {
      report.reason = fmt::format("fewer than {} weights", kFewest);
      recipe = Recipe::kFloat32;
    } else if (std::string reason = IsInt4(wanted) ? WhyNotInt4(*op, BlockSize(wanted)) : "";
               !reason.empty()) {
      report.reason = std::move(reason);
      const bool quick = entry->dynamic && !IsGrouped(*op);
      recipe = quick ? Recipe::kDynamicInt8 : Recipe::kWeightOnlyInt8;
    } else if (wanted == Recipe::kDynamicInt8 && !entry->dynamic) {
      report.reason = "LiteRT has no quick kernel for it";
      recipe = Recipe::kWeightOnlyInt8;
    } else if (wanted == Recipe::kDynamicInt8 && IsGrouped(*op)) {
      report.reason = "LiteRT has no such kernel for groups";
      recipe = Recipe::kWeightOnlyInt8;
    }
    report.recipe = Name(recipe);
    if (recipe != Recipe::kFloat32) {
      const int axis = ScaleAxis(*entry, *op);
      const Result<StoredWeights> stored = Stored(weights->constant, recipe, axis);
      Status status = stored ? CorrectBias(graph, op, recipe, axis, *stored)
                             : Status(std::unexpected(stored.error()));
      if (!status) {
        for (Diagnostic error : status.error().diagnostics()) {
          error.path = layer;
          errors_.push_back(std::move(error));
        }
        return true;
      }
      report.weights_sqnr = stored->sqnr;
      report.bytes_after = static_cast<int64_t>(stored->constant->byte_size());
      if (IsInt4(recipe)) report.bytes_after = (report.bytes_after + 1) / 2;
      if (stored->block_scales != nullptr) {
        report.bytes_after += static_cast<int64_t>(stored->block_scales->byte_size());
      } else if (stored->quantization != nullptr) {
        // A float scale for each channel. Zero points are all 0, and written once.
        report.bytes_after += static_cast<int64_t>(stored->quantization->scale.size()) * 4;
      }
      Rewrite(graph, op, *entry, recipe, *stored);
    }
    if (!counted_.emplace(layer, source).second) {
      report.bytes_before = report.bytes_after = 0;
      if (recipe == Recipe::kFloat32) report.reason.clear();
    }
    reports_.push_back(std::move(report));
    return true;
  }

  // Weights that several operators share are stored once.
  Result<StoredWeights> Stored(const ConstantPtr& x, Recipe recipe, int axis) {
    const int bits = recipe == Recipe::kFloat16 ? 16 : IsInt4(recipe) ? 4 : 8;
    const int block = BlockSize(recipe);
    const auto [known, added] = stored_.try_emplace({x, bits, block, axis});
    if (added) {
      Result<StoredWeights> stored = bits == 16   ? ToFloat16(x)
                                     : bits == 8  ? ToInt8(x, axis)
                                     : block == 0 ? ToInt4(x, axis)
                                                  : ToInt4Blocks(x, block);
      if (!stored) {
        stored_.erase(known);
        return stored;
      }
      known->second = *std::move(stored);
    }
    return known->second;
  }

  // Where samples told the mean of what is multiplied. Copies of a loop's step have the body's
  // bias.
  Status CorrectBias(Graph& graph, Operator* op, Recipe recipe, int axis,
                     const StoredWeights& stored) {
    const std::vector<double>* mean = means_.Find(*op);
    if (mean == nullptr || recipe == Recipe::kFloat16 || IsOfLoop(*op)) return {};
    const ConstantPtr& weights = op->inputs[1]->constant;
    op->inputs.resize(3);
    const ConstantPtr bias = op->inputs[2] != nullptr ? op->inputs[2]->constant : nullptr;
    ConstantPtr& corrected = biases_[{weights, bias, recipe}];
    if (corrected == nullptr) {
      KL_ASSIGN_OR_RETURN(const std::vector<double> shift,
                          stored.block_scales != nullptr
                              ? BlockMeanShift(weights, stored.block_scales, *mean)
                              : MeanShift(weights, axis, stored.quantization->scale,
                                          IsInt4(recipe) ? 7 : 127, *mean));
      std::vector<double> offsets(shift.size());
      if (bias != nullptr) {
        KL_ASSIGN_OR_RETURN(offsets, ir::EvaluateAs<double>(bias));
      }
      std::vector<float> values;
      for (size_t c = 0; c < shift.size(); ++c) {
        values.push_back(static_cast<float>(offsets[c] - shift[c]));
      }
      corrected =
          ir::MakeConstant<float>(DType::kFloat32, {static_cast<int64_t>(values.size())}, values);
    }
    graph.SetInput(op, 2, graph.AddConstant(corrected));
    return {};
  }

  void Rewrite(Graph& graph, Operator* op, const WeightOperator& entry, Recipe recipe,
               const StoredWeights& stored) {
    ir::BuildContext context{module_, {}, {}, op->origin};
    ir::Builder b(context, graph);
    b.SetInsertionPoint(op);
    if (recipe == Recipe::kFloat16 || (recipe == Recipe::kWeightOnlyInt8 && op->code != GATHER)) {
      graph.SetInput(op, entry.weights, Dequantized(graph, stored));
      return;
    }
    Value weights = b.Constant(stored.constant);
    weights.tensor()->quantization = stored.quantization;
    if (stored.block_scales != nullptr) {
      weights.tensor()->block_scales = b.Constant(stored.block_scales).tensor();
    }
    if (op->code == GATHER) {
      const ir::TensorType type = op->output()->type;
      Value ids(op->inputs[1]);
      ids = lrt::Reshape(b, lrt::Cast(b, ids, DType::kInt32),
                         {ids.rank() == 0 ? ir::Dim(1) : Count(b, ids.shape())});
      const Value rows =
          b.Emit(EMBEDDING_LOOKUP, {ids, weights}, {DType::kFloat32, {ids.dim(0), type.shape[-1]}});
      const Value result = lrt::Reshape(b, rows, type.shape);
      graph.ReplaceAllUses(op->output(), result.tensor());
      graph.Erase(op);
      return;
    }
    if (auto* options = op->options.AsFullyConnectedOptions()) {
      options->asymmetric_quantize_inputs = true;
      if (stored.block_scales != nullptr) SplitActivation(graph, op, *options);
    }
    graph.SetInput(op, entry.weights, weights.tensor());
  }

  static void SplitActivation(Graph& graph, Operator* op, tflite::FullyConnectedOptionsT& options) {
    using enum tflite::ActivationFunctionType;
    BuiltinOperator code{};
    switch (options.fused_activation_function) {
      case RELU:
        code = BuiltinOperator::RELU;
        break;
      case RELU6:
        code = BuiltinOperator::RELU6;
        break;
      case RELU_N1_TO_1:
        code = BuiltinOperator::RELU_N1_TO_1;
        break;
      default:
        return;  // none, or one that stays fused
    }
    options.fused_activation_function = NONE;
    Tensor* result = op->output();
    op->outputs[0] = graph.AddTensor(result->type);
    op->outputs[0]->producer = op;
    graph.AddOperator(code, {op->output()}, {result}, op->next)->origin = op->origin;
  }

  // DEQUANTIZE(weights), once in a graph and in front of all: what reads it may be anywhere.
  Tensor* Dequantized(Graph& graph, const StoredWeights& stored) {
    Tensor*& known = dequantized_[{&graph, stored.constant}];
    if (known == nullptr) {
      ir::BuildContext context{module_, {}, {}, 0};
      ir::Builder b(context, graph);
      b.SetInsertionPoint(graph.first());
      const Value weights = b.Constant(stored.constant);
      weights.tensor()->quantization = stored.quantization;
      known =
          b.Emit(DEQUANTIZE, {weights}, {DType::kFloat32, stored.constant->type().shape}).tensor();
    }
    return known;
  }

  static ir::Dim Count(ir::Builder& b, const ir::Shape& shape) {
    ir::Dim count = 1;
    for (ir::Dim dim : shape) count = b.symbols().Product(count, dim);
    return count;
  }

  Module& module_;
  RecipeBook book_;
  const InputMeans means_;
  std::vector<Diagnostic> errors_;
  std::vector<QuantizedOperator> reports_;
  std::vector<Tensor*> outputs_;
  // By layer: weights that its report has already. Each copy of a recurrent step has the same.
  std::set<std::pair<std::string, const ir::Constant*>> counted_;
  StaticReports static_;
  // By source, bits, block size and axis of the scales.
  std::map<std::tuple<ConstantPtr, int, int, int>, StoredWeights> stored_;
  std::map<std::pair<const Graph*, ConstantPtr>, Tensor*> dequantized_;
  // By weights and bias; see CorrectBias().
  std::map<std::tuple<ConstantPtr, ConstantPtr, Recipe>, ConstantPtr> biases_;
  std::unordered_set<uint32_t> looping_;               // origins of loops
  std::unordered_set<const ir::Constant*> in_bodies_;  // of loops and branches
};

Status CheckType(const std::string& name, const char* option, bool needs_calibration) {
  static constexpr std::string_view kKnown[] = {"float32", "int8", "uint8", "int16"};
  if (name.empty() || name == kKnown[0]) return {};
  if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
    const std::optional<std::string> near = NearMatch(name, kKnown);
    return Fail(
        "", "quantize-10", fmt::format("{} may not be '{}'", option, name),
        near ? fmt::format("Did you mean '{}'?", *near) : "It is float32, int8, uint8 or int16.");
  }
  if (needs_calibration) return {};
  return Fail("", "quantize-10",
              fmt::format("{} '{}' needs a recipe with calibrated activations", option, name),
              "Give the recipe int8 or int16x8, and samples.");
}

}  // namespace

Result<bool> NeedsCalibration(const QuantizeOptions& options) {
  KL_ASSIGN_OR_RETURN(const RecipeBook book, RecipeBook::Make(options));
  const bool needed = book.needs_calibration();
  KL_RETURN_IF_ERROR(CheckType(options.input_type, "the inputs' type", needed));
  KL_RETURN_IF_ERROR(CheckType(options.output_type, "the outputs' type", needed));
  return needed;
}

Result<bool> RoundsWeights(const QuantizeOptions& options) {
  KL_ASSIGN_OR_RETURN(const RecipeBook book, RecipeBook::Make(options));
  return book.rounds_weights();
}

Result<Quantized> Quantize(ir::Module& module, const QuantizeOptions& options,
                           const Ranges& ranges) {
  KL_ASSIGN_OR_RETURN(RecipeBook book, RecipeBook::Make(options));
  if (book.empty()) return Quantized();
  return Quantizer(module, std::move(book), ranges).Run(options, ranges);
}

}  // namespace keras_litert::quantize
