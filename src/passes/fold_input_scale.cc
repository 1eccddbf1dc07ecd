// Multiplications and additions of channel constants go into the convolutions and products behind
// them: the twin of fold_batch_norm, which serves those in front.
//
//   CONV_2D(MUL(x, s), W, b)         ⇒   CONV_2D(x, W · s, b)          s [input channels]
//   FULLY_CONNECTED(ADD(x, c), W, b) ⇒   FULLY_CONNECTED(x, W, b + W c)   c [input channels]
//
// MUL also into DEPTHWISE_CONV_2D; ADD also into CONV_2D without padding. Done where every reader
// of the result takes it in, so that the operator goes away: a layer normalization's gamma and beta
// in front of query, key and value, a Rescaling in front of the first convolution.
//
// Where the offset has to stay (see below, or because of padding), the factor goes past it:
//
//   CONV_2D(ADD(MUL(x, s), c), W, b) ⇒   CONV_2D(ADD(x, c / s), W · s, b)
//
// Weights that something else reads too stay as they are: the file would hold them twice. So do
//   * offsets of the model's inputs: W x + W c loses the digits that x and -c have in common;
//   * factors of very different sizes: they make columns comparable, and where the result is
//     quantized, one scale for all columns in front of them would leave the small ones no steps.
// Scaled weights stay lazy; W c is summed when the bias is written, some MB of W at a time.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <ranges>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::Constant;
using ir::ConstantPtr;
using ir::DType;
using ir::Operator;
using ir::Shape;
using ir::Tensor;

// How many operands of operators each constant is.
using Readers = std::map<const Constant*, int>;

Readers CountReaders(const ir::Module& module) {
  Readers readers;
  for (const auto& graph : module.graphs) {
    for (const Operator* op : graph->Operators()) {
      for (const Tensor* input : op->inputs) {
        if (input != nullptr && input->is_constant()) ++readers[input->constant.get()];
      }
    }
    for (const Tensor* output : graph->outputs()) {
      if (output->is_constant()) ++readers[output->constant.get()];
    }
  }
  return readers;
}

// The filter's axis that holds the input channels, or -1 where the operator is no candidate.
int InputAxis(const Operator& op, int64_t channels) {
  const Shape& filter = op.inputs[1]->type.shape;
  switch (op.code) {
    case BuiltinOperator::CONV_2D:
      return filter[3] == ir::Dim(channels) ? 3 : -1;  // not where it has groups
    case BuiltinOperator::DEPTHWISE_CONV_2D:
      return filter[3] == ir::Dim(channels) ? 3 : -1;  // not where it multiplies channels
    case BuiltinOperator::FULLY_CONNECTED:
      return filter[1] == ir::Dim(channels) ? 1 : -1;  // not where it flattens several axes
    default:
      return -1;
  }
}

bool TakesOffset(const Operator& op) {
  if (op.code == BuiltinOperator::FULLY_CONNECTED) return true;
  return op.code == BuiltinOperator::CONV_2D &&
         op.options.AsConv2DOptions()->padding == lrt::Padding::VALID;
}

// `op`, a reader of `x`, can take a factor (or an offset) of x's channels into its constants.
bool CanTake(const Operator& op, const Tensor* x, bool offset, const Readers& readers) {
  if (op.inputs.size() < 2 || op.inputs[0] != x ||
      std::count(op.inputs.begin(), op.inputs.end(), x) != 1) {
    return false;
  }
  const Tensor* filter = op.inputs[1];
  if (filter == nullptr || !filter->is_constant() || filter->type.dtype != DType::kFloat32 ||
      readers.at(filter->constant.get()) != 1 || InputAxis(op, x->type.shape[-1].value()) < 0) {
    return false;
  }
  if (!offset) return true;
  const Tensor* bias = op.inputs.size() > 2 ? op.inputs[2] : nullptr;
  return TakesOffset(op) && (bias == nullptr || bias->is_constant());
}

// Adds the products of a filter's elements in `runs` to the sums of their outputs. `sums` holds the
// outputs, which are the filter's first axis; its last are the inputs, to which `offset` belongs.
void AddProducts(std::span<const Constant::Run> runs, size_t row, const std::vector<float>& offset,
                 std::vector<double>& sums) {
  for (const Constant::Run& run : runs) {
    const size_t first = run.offset / sizeof(float);
    size_t output = first / row;
    size_t place = first % row;  // in the output's row
    size_t input = first % offset.size();
    for (size_t i = 0; i < run.bytes.size(); i += sizeof(float)) {
      float weight;
      std::memcpy(&weight, run.bytes.data() + i, sizeof(float));
      sums[output] += static_cast<double>(weight) * offset[input];
      if (++input == offset.size()) input = 0;
      if (++place == row) {
        place = 0;
        ++output;
      }
    }
  }
}

// The same for a filter whose outputs are its last axis. Each sum adds up in the same order, but
// neighbours are independent of each other.
void AddProductsOfColumns(std::span<const Constant::Run> runs, const std::vector<float>& offset,
                          std::vector<double>& sums) {
  std::array<float, 1024> weights;
  for (const Constant::Run& run : runs) {
    const size_t first = run.offset / sizeof(float);
    const size_t end = first + run.bytes.size() / sizeof(float);
    for (size_t i = first; i < end;) {
      const size_t output = i % sums.size();
      const size_t count = std::min({end - i, sums.size() - output, weights.size()});
      std::memcpy(weights.data(), run.bytes.data() + (i - first) * sizeof(float),
                  count * sizeof(float));
      const double factor = offset[i / sums.size() % offset.size()];
      for (size_t k = 0; k < count; ++k) {
        sums[output + k] += static_cast<double>(weights[k]) * factor;
      }
      i += count;
    }
  }
}

// bias[o] + sum over i of filter[o, …, i] * offset[i]. The filter's first axis is its outputs, its
// last its inputs. Summed in double. Keras stores filters with the outputs last: they are read as
// they are stored.
ConstantPtr BiasWithOffset(const ConstantPtr& filter, const ConstantPtr& bias,
                           std::vector<float> offset) {
  auto reader = [filter, bias, offset = std::move(offset)](std::span<std::byte> out) -> Status {
    const size_t outputs = out.size() / sizeof(float);
    const size_t row = static_cast<size_t>(filter->num_elements()) / outputs;
    std::vector<double> sums(outputs);
    std::vector<int> outputs_last(static_cast<size_t>(filter->type().shape.rank()));
    std::iota(outputs_last.begin(), outputs_last.end(), 1);
    outputs_last.back() = 0;
    const bool by_columns = ir::StoredOrder(*filter) == outputs_last;
    const ConstantPtr stored = by_columns ? ir::Transposed(filter, outputs_last) : filter;
    KL_RETURN_IF_ERROR(ir::VisitBytes(stored, [&](std::span<const Constant::Run> runs) -> Status {
      if (by_columns) {
        AddProductsOfColumns(runs, offset, sums);
      } else {
        AddProducts(runs, row, offset, sums);
      }
      for (const Constant::Run& run : runs) stored->ReleaseRange(run.offset, run.bytes.size());
      return {};
    }));
    std::vector<float> values(outputs);
    if (bias) {
      KL_ASSIGN_OR_RETURN(values, ir::EvaluateAs<float>(bias));
    }
    for (size_t o = 0; o < outputs; ++o) values[o] += static_cast<float>(sums[o]);
    std::memcpy(out.data(), values.data(), out.size());
    return {};
  };
  return ir::ReaderConstant({DType::kFloat32, Shape{filter->type().shape[0]}}, std::move(reader));
}

// The constant's elements, one for each channel, the last axis of `shape`; none where it is neither
// that nor one number.
std::optional<std::vector<float>> PerChannel(const Tensor* constant, const Shape& shape) {
  const int64_t channels = shape[-1].value();
  if (!IsPerChannel(constant, channels, shape.rank())) return std::nullopt;
  auto values = ir::EvaluateAs<float>(constant->constant);
  if (!values) return std::nullopt;
  values->resize(static_cast<size_t>(channels), values->front());
  return *values;
}

// A graph's input, or one moved, cast, or scaled and offset by constants: data as it comes, whose
// mean may be far from 0.
bool IsRawInput(const Tensor* x) {
  while (x->producer != nullptr) {
    switch (x->producer->code) {
      case BuiltinOperator::MUL:
      case BuiltinOperator::ADD: {
        const WithConstant match = MatchConstantOperand(*x->producer);
        if (!match) return false;
        x = match.x;
        break;
      }
      case BuiltinOperator::CAST:
      case BuiltinOperator::RESHAPE:
      case BuiltinOperator::TRANSPOSE:
        x = x->producer->inputs[0];
        break;
      default:
        return false;
    }
  }
  return true;
}

// The largest is at most 8 times the smallest that is not 0.
bool AreOfOneSize(const std::vector<float>& factors) {
  constexpr float kMostRatio = 8;
  float least = std::numeric_limits<float>::infinity();
  float most = 0;
  for (const float factor : factors) {
    most = std::max(most, std::fabs(factor));
    if (factor != 0) least = std::min(least, std::fabs(factor));
  }
  return most <= kMostRatio * least;
}

// Gives the convolutions and products behind `factor` times their weights.
void Scale(ir::Graph& graph, const std::vector<Operator*>& users, const std::vector<float>& factor,
           Readers& readers) {
  for (Operator* user : users) {
    const int axis = InputAxis(*user, static_cast<int64_t>(factor.size()));
    const ConstantPtr filter = user->inputs[1]->constant;
    graph.SetInput(user, 1, graph.AddConstant(ir::ScaledAlong(filter, axis, factor)));
    readers[user->inputs[1]->constant.get()] = 1;
  }
}

// `add` is ADD(·, offset), and its readers can take a factor.
void MoveFactorPast(ir::Graph& graph, Operator* add, const WithConstant& match,
                    const std::vector<float>& offset, Readers& readers) {
  Operator* mul = ProducedBy(match.x, BuiltinOperator::MUL);
  if (mul == nullptr || graph.OnlyUser(match.x) != add || HasFusedActivation(*mul)) return;
  const WithConstant product = MatchConstantOperand(*mul);
  const Shape& shape = match.x->type.shape;
  if (!product || product.x->type.shape != shape) return;
  const auto factor = PerChannel(product.constant, shape);
  if (!factor || !AreOfOneSize(*factor)) return;
  std::vector<float> before(offset.size());
  for (size_t i = 0; i < before.size(); ++i) {
    before[i] = offset[i] / (*factor)[i];
    if (!std::isfinite(before[i])) return;
  }
  Scale(graph, add->output()->users, *factor, readers);
  Shape one;
  for (int i = 1; i < shape.rank(); ++i) one.Append(1);
  one.Append(shape[-1]);
  graph.SetInput(add, 1 - match.position,
                 graph.AddConstant(ir::MakeConstant<float>(DType::kFloat32, one, before)));
  Replace(graph, mul, product.x);
}

void Fold(ir::Graph& graph, Operator* op, Readers& readers) {
  const WithConstant match = MatchConstantOperand(*op);
  if (!match || HasFusedActivation(*op)) return;
  Tensor* y = op->output();
  const Shape& shape = match.x->type.shape;
  if (y->type.dtype != DType::kFloat32 || y->type.shape != shape || shape.rank() == 0 ||
      !shape[-1].is_static() || y->users.empty() || graph.IsOutput(y)) {
    return;
  }
  const auto factor = PerChannel(match.constant, shape);
  if (!factor) return;
  const std::vector<Operator*> users = y->users;
  const auto can_take = [&](bool offset) {
    return std::all_of(users.begin(), users.end(),
                       [&](const Operator* user) { return CanTake(*user, y, offset, readers); });
  };
  if (op->code == BuiltinOperator::MUL) {
    if (!AreOfOneSize(*factor) || !can_take(/*offset=*/false)) return;
    Scale(graph, users, *factor, readers);
    Replace(graph, op, match.x);
    return;
  }
  if (IsRawInput(match.x) || !can_take(/*offset=*/true)) {
    if (can_take(/*offset=*/false)) MoveFactorPast(graph, op, match, *factor, readers);
    return;
  }
  for (Operator* user : users) {
    if (user->inputs.size() < 3) user->inputs.push_back(nullptr);
    const Tensor* bias = user->inputs[2];
    graph.SetInput(user, 2,
                   graph.AddConstant(BiasWithOffset(user->inputs[1]->constant,
                                                    bias ? bias->constant : nullptr, *factor)));
  }
  Replace(graph, op, match.x);
}

}  // namespace

void FoldInputScale(ir::Module& module) {
  Readers readers = CountReaders(module);
  for (const auto& graph : module.graphs) {
    // From the end: of MUL and ADD, as a normalization has them, ADD comes last and goes first.
    const std::vector<Operator*> operators = graph->Operators();
    for (Operator* op : operators | std::views::reverse) {
      if (!op->erased && (op->code == BuiltinOperator::MUL || op->code == BuiltinOperator::ADD)) {
        Fold(*graph, op, readers);
      }
    }
  }
}

}  // namespace keras_litert::passes
