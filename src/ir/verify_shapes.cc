// The shape that an operator's result has, from its operands: checked against the one that the
// lowering gave it.
//
// The rules are those of LiteRT's kernels, written here once more and not taken from the builders
// in operators_*.cc, because passes make operators without them. A size that is not static agrees
// with every size.
#include <algorithm>

#include "ir/operators.h"
#include "ir/verify.h"

namespace keras_litert::ir {
namespace {

using enum BuiltinOperator;

const Shape& In(const Operator& op, size_t i) {
  return op.inputs[i]->type.shape;
}
const Shape& Out(const Operator& op, size_t i = 0) {
  return op.outputs[i]->type.shape;
}

bool Agree(Dim a, Dim b) {
  return !a.is_static() || !b.is_static() || a == b;
}
bool Agree(const Shape& a, const Shape& b) {
  return a.rank() == b.rank() &&
         std::equal(a.begin(), a.end(), b.begin(), [](Dim x, Dim y) { return Agree(x, y); });
}

std::string Expect(const Shape& actual, const Shape& expected) {
  return Agree(actual, expected)
             ? ""
             : "gives " + actual.ToString() + " where " + expected.ToString() + " follows";
}

// The integers of a small constant, or nothing where the tensor is computed.
std::optional<std::vector<int64_t>> Integers(const Tensor* tensor) {
  if (!tensor->is_constant() || tensor->constant->num_elements() > 64) return std::nullopt;
  auto values = EvaluateAs<int64_t>(tensor->constant);
  if (!values) return std::nullopt;
  return *std::move(values);
}

// A dynamic size that differs from all others.
Dim Unknown() {
  return Dim::Symbolic(~SymbolId{0});
}

Dim Windowed(Dim in, int64_t filter, int64_t stride, int64_t dilation, tflite::Padding padding) {
  if (!in.is_static() || stride <= 0) return Unknown();
  const int64_t effective = (filter - 1) * dilation + 1;
  const int64_t span =
      padding == tflite::Padding::SAME ? in.value() + stride - 1 : in.value() - effective + stride;
  return span / stride;
}

template <typename Options>
std::string CheckConv2D(const Operator& op, const Options& options, bool depthwise) {
  const Shape& x = In(op, 0);
  const Shape& filter = In(op, 1);
  if (x.rank() != 4 || filter.rank() != 4 || !filter.is_static()) return "needs rank 4";
  if (options.stride_h <= 0 || options.stride_w <= 0) return "has no strides";
  const Dim channels = filter[depthwise ? 3 : 0];
  if (depthwise) {
    if (filter[0] != Dim(1)) return "the filter's first size is not 1";
    if (x[3].is_static() && filter[3].value() % std::max<int64_t>(x[3].value(), 1) != 0) {
      return "the filter " + filter.ToString() + " does not fit the input " + x.ToString();
    }
  } else if (x[3].is_static() && x[3].value() % std::max<int64_t>(filter[3].value(), 1) != 0) {
    return "the filter " + filter.ToString() + " does not fit the input " + x.ToString();
  }
  if (op.inputs.size() > 2 && op.inputs[2] != nullptr && In(op, 2) != Shape{channels}) {
    return "the bias " + In(op, 2).ToString() + " does not fit the filter " + filter.ToString();
  }
  return Expect(Out(op), {x[0],
                          Windowed(x[1], filter[1].value(), options.stride_h,
                                   options.dilation_h_factor, options.padding),
                          Windowed(x[2], filter[2].value(), options.stride_w,
                                   options.dilation_w_factor, options.padding),
                          channels});
}

std::string CheckPool(const Operator& op) {
  const auto& options = *op.options.AsPool2DOptions();
  const Shape& x = In(op, 0);
  if (x.rank() != 4) return "needs rank 4";
  if (options.stride_h <= 0 || options.stride_w <= 0 || options.filter_height <= 0 ||
      options.filter_width <= 0) {
    return "has no window";
  }
  return Expect(Out(op),
                {x[0], Windowed(x[1], options.filter_height, options.stride_h, 1, options.padding),
                 Windowed(x[2], options.filter_width, options.stride_w, 1, options.padding), x[3]});
}

std::string CheckFullyConnected(const Operator& op) {
  const Shape& x = In(op, 0);
  const Shape& weights = In(op, 1);
  if (weights.rank() != 2 || x.rank() == 0) return "needs weights of rank 2";
  if (op.inputs.size() > 2 && op.inputs[2] != nullptr && !Agree(In(op, 2), Shape{weights[0]})) {
    return "the bias " + In(op, 2).ToString() + " does not fit the weights " + weights.ToString();
  }
  const bool keeps = op.options.AsFullyConnectedOptions()->keep_num_dims;
  if (keeps || x.rank() == 2) {
    if (!Agree(x[-1], weights[1])) {
      return "the weights " + weights.ToString() + " do not fit the input " + x.ToString();
    }
    Shape expected = x;
    expected.Set(-1, weights[0]);
    return Expect(Out(op), expected);
  }
  return Expect(Out(op), {Unknown(), weights[0]});
}

std::string CheckBatchMatMul(const Operator& op) {
  const auto& options = *op.options.AsBatchMatMulOptions();
  const Shape& x = In(op, 0);
  const Shape& y = In(op, 1);
  if (x.rank() < 2 || y.rank() < 2) return "needs rank 2 or more";
  if (!Agree(x[options.adj_x ? -2 : -1], y[options.adj_y ? -1 : -2])) {
    return "operands " + x.ToString() + " and " + y.ToString() + " do not multiply";
  }
  Shape expected;
  const Shape batch_x(std::vector<Dim>(x.begin(), x.end() - 2));
  const Shape batch_y(std::vector<Dim>(y.begin(), y.end() - 2));
  if (!lrt::Broadcast(batch_x, batch_y, &expected)) return "batches do not broadcast";
  expected.Append(x[options.adj_x ? -1 : -2]);
  expected.Append(y[options.adj_y ? -2 : -1]);
  return Expect(Out(op), expected);
}

std::string CheckReduce(const Operator& op) {
  const auto axes = Integers(op.inputs[1]);
  if (!axes) return "";
  const Shape& x = In(op, 0);
  std::vector<bool> reduced(static_cast<size_t>(x.rank()), false);
  for (int64_t axis : *axes) {
    if (axis < -x.rank() || axis >= x.rank()) return "has no axis " + std::to_string(axis);
    reduced[static_cast<size_t>(axis < 0 ? axis + x.rank() : axis)] = true;
  }
  Shape expected;
  for (int i = 0; i < x.rank(); ++i) {
    if (!reduced[static_cast<size_t>(i)]) {
      expected.Append(x[i]);
    } else if (op.options.AsReducerOptions()->keep_dims) {
      expected.Append(1);
    }
  }
  return Expect(Out(op), expected);
}

std::string CheckReshape(const Operator& op) {
  const Shape& x = In(op, 0);
  if (const auto sizes = Integers(op.inputs[1])) {
    Shape expected;
    for (int64_t size : *sizes) expected.Append(size < 0 ? Unknown() : Dim(size));
    if (std::string problem = Expect(Out(op), expected); !problem.empty()) return problem;
    if (std::count(sizes->begin(), sizes->end(), -1) > 1) return "leaves two sizes open";
  }
  if (x.is_static() && Out(op).is_static() && x.NumElements() != Out(op).NumElements()) {
    return "makes " + Out(op).ToString() + " of " + x.ToString();
  }
  return "";
}

std::string CheckTranspose(const Operator& op) {
  const auto permutation = Integers(op.inputs[1]);
  if (!permutation) return "";
  const Shape& x = In(op, 0);
  std::vector<int64_t> sorted = *permutation;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != static_cast<int64_t>(i)) return "has no permutation";
  }
  if (static_cast<int>(sorted.size()) != x.rank()) return "permutes another rank";
  Shape expected;
  for (int64_t axis : *permutation) expected.Append(x[static_cast<int>(axis)]);
  return Expect(Out(op), expected);
}

std::string CheckConcatenation(const Operator& op) {
  int axis = op.options.AsConcatenationOptions()->axis;
  Shape expected = In(op, 0);
  if (axis < 0) axis += expected.rank();
  if (axis < 0 || axis >= expected.rank()) return "has no axis " + std::to_string(axis);
  for (size_t i = 1; i < op.inputs.size(); ++i) {
    const Shape& x = In(op, i);
    if (x.rank() != expected.rank()) return "joins ranks that differ";
    for (int d = 0; d < x.rank(); ++d) {
      if (d == axis) {
        expected.Set(d, x[d].is_static() && expected[d].is_static()
                            ? Dim(x[d].value() + expected[d].value())
                            : Unknown());
      } else if (!Agree(x[d], expected[d])) {
        return "joins " + In(op, 0).ToString() + " and " + x.ToString();
      } else if (!expected[d].is_static()) {
        expected.Set(d, x[d]);
      }
    }
  }
  return Expect(Out(op), expected);
}

std::string CheckPack(const Operator& op) {
  const auto& options = *op.options.AsPackOptions();
  Shape expected = In(op, 0);
  const int axis = options.axis < 0 ? options.axis + expected.rank() + 1 : options.axis;
  if (axis < 0 || axis > expected.rank()) return "has no axis " + std::to_string(options.axis);
  if (options.values_count != static_cast<int32_t>(op.inputs.size())) return "miscounts its inputs";
  for (size_t i = 1; i < op.inputs.size(); ++i) {
    if (!Agree(In(op, i), expected)) return "stacks shapes that differ";
  }
  expected.Insert(axis, static_cast<int64_t>(op.inputs.size()));
  return Expect(Out(op), expected);
}

std::string CheckUnpack(const Operator& op) {
  const auto& options = *op.options.AsUnpackOptions();
  Shape expected = In(op, 0);
  const int axis = options.axis < 0 ? options.axis + expected.rank() : options.axis;
  if (axis < 0 || axis >= expected.rank()) return "has no axis " + std::to_string(options.axis);
  if (options.num != static_cast<int32_t>(op.outputs.size()) ||
      !Agree(expected[axis], options.num)) {
    return "miscounts its outputs";
  }
  expected.Erase(axis);
  for (size_t i = 0; i < op.outputs.size(); ++i) {
    if (std::string problem = Expect(Out(op, i), expected); !problem.empty()) return problem;
  }
  return "";
}

std::string CheckPad(const Operator& op) {
  const Shape& x = In(op, 0);
  if (In(op, 1) != Shape{x.rank(), 2}) return "needs a padding of [rank, 2]";
  const auto padding = Integers(op.inputs[1]);
  if (!padding) return "";
  Shape expected = x;
  for (int i = 0; i < x.rank(); ++i) {
    const int64_t sum = (*padding)[size_t{2} * static_cast<size_t>(i)] +
                        (*padding)[size_t{2} * static_cast<size_t>(i) + 1];
    expected.Set(i, x[i].is_static() ? Dim(x[i].value() + sum) : Unknown());
  }
  return Expect(Out(op), expected);
}

std::string CheckGather(const Operator& op) {
  const auto& options = *op.options.AsGatherOptions();
  const Shape& x = In(op, 0);
  const Shape& indices = In(op, 1);
  const int axis = options.axis < 0 ? options.axis + x.rank() : options.axis;
  if (axis < 0 || axis >= x.rank() || options.batch_dims < 0 || options.batch_dims > axis ||
      options.batch_dims > indices.rank()) {
    return "has no axis " + std::to_string(options.axis);
  }
  Shape expected;
  for (int i = 0; i < axis; ++i) expected.Append(x[i]);
  for (int i = options.batch_dims; i < indices.rank(); ++i) expected.Append(indices[i]);
  for (int i = axis + 1; i < x.rank(); ++i) expected.Append(x[i]);
  return Expect(Out(op), expected);
}

std::string CheckBroadcast(const Operator& op, size_t operands) {
  Shape expected = In(op, 0);
  for (size_t i = 1; i < operands; ++i) {
    const Shape so_far = expected;
    if (!lrt::Broadcast(so_far, In(op, i), &expected)) {
      return "operands " + so_far.ToString() + " and " + In(op, i).ToString() + " do not broadcast";
    }
  }
  // Of two different dynamic sizes, or a dynamic and a static one, either may be the result's.
  const Shape& out = Out(op);
  return Expect(out, expected);
}

}  // namespace

std::string CheckShapes(const Operator& op) {
  switch (op.code) {
    case ADD:
    case ATAN2:
    case BITWISE_XOR:
    case DIV:
    case EQUAL:
    case FLOOR_DIV:
    case FLOOR_MOD:
    case GREATER:
    case GREATER_EQUAL:
    case LESS:
    case LESS_EQUAL:
    case LOGICAL_AND:
    case LOGICAL_OR:
    case MAXIMUM:
    case MINIMUM:
    case MUL:
    case NOT_EQUAL:
    case POW:
    case RIGHT_SHIFT:
    case SQUARED_DIFFERENCE:
    case SUB:
      return CheckBroadcast(op, 2);
    case SELECT_V2:
      return CheckBroadcast(op, 3);
    case ABS:
    case CAST:
    case CEIL:
    case COS:
    case CUMSUM:
    case DEQUANTIZE:
    case DYNAMIC_UPDATE_SLICE:
    case ELU:
    case EXP:
    case FLOOR:
    case GELU:
    case HARD_SWISH:
    case LEAKY_RELU:
    case LOG:
    case LOGICAL_NOT:
    case LOGISTIC:
    case LOG_SOFTMAX:
    case NEG:
    case PRELU:
    case QUANTIZE:
    case RELU:
    case RELU6:
    case RELU_0_TO_1:
    case RELU_N1_TO_1:
    case REVERSE_V2:
    case ROUND:
    case RSQRT:
    case SIGN:
    case SIN:
    case SOFTMAX:
    case SQRT:
    case SQUARE:
    case TANH:
    case ZEROS_LIKE:
      return Expect(Out(op), In(op, 0));
    case CONV_2D:
      return CheckConv2D(op, *op.options.AsConv2DOptions(), false);
    case DEPTHWISE_CONV_2D:
      return CheckConv2D(op, *op.options.AsDepthwiseConv2DOptions(), true);
    case AVERAGE_POOL_2D:
    case MAX_POOL_2D:
      return CheckPool(op);
    case FULLY_CONNECTED:
      return CheckFullyConnected(op);
    case BATCH_MATMUL:
      return CheckBatchMatMul(op);
    case MEAN:
    case SUM:
    case REDUCE_ALL:
    case REDUCE_ANY:
    case REDUCE_MAX:
    case REDUCE_MIN:
    case REDUCE_PROD:
      return CheckReduce(op);
    case RESHAPE:
      return CheckReshape(op);
    case TRANSPOSE:
      return CheckTranspose(op);
    case CONCATENATION:
      return CheckConcatenation(op);
    case PACK:
      return CheckPack(op);
    case UNPACK:
      return CheckUnpack(op);
    case PAD:
    case PADV2:
      return CheckPad(op);
    case GATHER:
      return CheckGather(op);
    case SHAPE:
      return Expect(Out(op), {In(op, 0).rank()});
    default:
      return "";
  }
}

}  // namespace keras_litert::ir
