// What is known of the numbers in a tensor that says sizes: `ops.concatenate([shape(x)[:1], [1]])`.
#pragma once

#include <optional>
#include <vector>

#include "ops/argument.h"

namespace keras_litert::ops {

// The numbers of an integer scalar or vector, where all of them are constants or sizes of tensors,
// as symbols; looked for through what moves, joins and casts them.
std::optional<std::vector<Dim>> KnownSizes(Value sizes);

// Sizes that an argument gives as integers, scalars or one vector, as a list of integers (possibly
// symbolic) and, for those whose numbers are not known, scalar tensors of int32. Nothing where it
// is none of these; a failed tensor stays one.
std::optional<std::vector<Argument>> SizesOf(Builder& b, const Argument& sizes);

}  // namespace keras_litert::ops
