#include <algorithm>

#include "ir/operators.h"

namespace keras_litert::lrt {

Value Reduce(Builder& b, BuiltinOperator code, Value x, const std::vector<int>& axes,
             bool keep_dims) {
  if (!x.ok()) return x;
  std::vector<int32_t> positive;
  for (int axis : axes) positive.push_back(axis < 0 ? axis + x.rank() : axis);
  std::sort(positive.begin(), positive.end());
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) {
    if (!std::binary_search(positive.begin(), positive.end(), i)) {
      shape.Append(x.dim(i));
    } else if (keep_dims) {
      shape.Append(1);
    }
  }
  tflite::ReducerOptionsT options;
  options.keep_dims = keep_dims;
  return b.Emit(code, std::move(options), {x, b.Vector(positive)}, {x.dtype(), shape});
}

Value ArgReduce(Builder& b, BuiltinOperator code, Value x, int axis, DType index_type) {
  if (!x.ok()) return x;
  axis = axis < 0 ? axis + x.rank() : axis;
  Shape shape = x.shape();
  shape.Erase(axis);
  const TensorType type{index_type, shape};
  const auto stored =
      index_type == DType::kInt64 ? tflite::TensorType::INT64 : tflite::TensorType::INT32;
  const Value axis_value = b.Scalar(axis, DType::kInt32);
  if (code == BuiltinOperator::ARG_MAX) {
    tflite::ArgMaxOptionsT options;
    options.output_type = stored;
    return b.Emit(code, std::move(options), {x, axis_value}, type);
  }
  tflite::ArgMinOptionsT options;
  options.output_type = stored;
  return b.Emit(code, std::move(options), {x, axis_value}, type);
}

Value Cumsum(Builder& b, Value x, int axis, bool exclusive, bool reverse) {
  tflite::CumsumOptionsT options;
  options.exclusive = exclusive;
  options.reverse = reverse;
  return b.Emit(BuiltinOperator::CUMSUM, std::move(options),
                {x, b.Scalar(axis < 0 ? axis + x.rank() : axis, DType::kInt32)}, x.type());
}

TopKResult TopK(Builder& b, Value x, int k) {
  if (!x.ok()) return {};
  Shape shape = x.shape();
  shape.Set(-1, k);
  const std::vector<Value> outputs =
      b.EmitMany(BuiltinOperator::TOPK_V2, {x, b.Scalar(k, DType::kInt32)},
                 {{x.dtype(), shape}, {DType::kInt32, shape}}, 2);
  return {outputs[0], outputs[1]};
}

}  // namespace keras_litert::lrt
