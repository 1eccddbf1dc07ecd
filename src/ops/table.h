// Keras operations by name: how a saved graph's operation nodes and the tracer reach the lowerings.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "ops/argument.h"

namespace keras_litert::ops {

// Reads its arguments, emits operators, gives the result (a tensor or a structure). Errors go to
// the builder.
using OpFunction = Argument (*)(Builder& b, Arguments& arguments);

// `name` is the backend function: "numpy.add", "nn.conv", "image.resize". Arguments have the names
// and the order of the public function of keras.ops, so the configs of operation nodes fit as they
// are.
struct OpEntry {
  std::string_view name;
  OpFunction function;
};

// One table a family, in the family's file.
std::span<const OpEntry> ActivationOps();
std::span<const OpEntry> ArithmeticOps();
std::span<const OpEntry> AttentionOps();
std::span<const OpEntry> BlockOps();
std::span<const OpEntry> ComparisonOps();
std::span<const OpEntry> ConvolutionOps();
std::span<const OpEntry> CountingOps();
std::span<const OpEntry> CreationOps();
std::span<const OpEntry> EinsumOps();
std::span<const OpEntry> ElementwiseOps();
std::span<const OpEntry> FourierOps();
std::span<const OpEntry> ImageColorOps();
std::span<const OpEntry> ImageOps();
std::span<const OpEntry> ImageSampleOps();
std::span<const OpEntry> ImageWindowOps();
std::span<const OpEntry> IndexingOps();
std::span<const OpEntry> LinalgOps();
std::span<const OpEntry> LinearOps();
std::span<const OpEntry> NormalizationOps();
std::span<const OpEntry> PaddingOps();
std::span<const OpEntry> PoolingOps();
std::span<const OpEntry> RandomOps();
std::span<const OpEntry> RearrangeOps();
std::span<const OpEntry> RecurrentOps();
std::span<const OpEntry> ReductionOps();
std::span<const OpEntry> ScanOps();
std::span<const OpEntry> ShapeOps();
std::span<const OpEntry> SortOps();
std::span<const OpEntry> SpecialOps();
std::span<const OpEntry> TrigonometryOps();

// The lowering of `name`, or null.
OpFunction FindOp(std::string_view name);
std::vector<std::string_view> OpNames();

}  // namespace keras_litert::ops
