// keras.ops.image: colors of images, and the form in which the image operations take images.
#pragma once

#include "ops/argument.h"

namespace keras_litert::ops {

// Images of rank 3 (one image) or 4 (a batch) as [n, h, w, c], and back.
class ImageBatch {
 public:
  // Fails, with an error that names `function`, for other ranks.
  ImageBatch(Builder& b, std::string_view function, Value images, bool channels_first);

  Value value() const { return value_; }
  // `y` is [n, h', w', c']: back to the images' rank and data format.
  Value Restore(Value y) const;

 private:
  Builder& b_;
  bool single_ = false;
  bool channels_first_;
  Value value_;
};

// The argument `data_format`: true for "channels_first"; None is "channels_last".
bool ReadImageFormat(Builder& b, Arguments& a, int position);

}  // namespace keras_litert::ops
