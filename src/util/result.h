// Errors as values: see the public header.
#pragma once

#include "keras_litert/result.h"

namespace keras_litert {

// What a conversion ends with when its caller asked for it.
inline std::unexpected<Error> Cancelled() {
  return Fail("", "cancelled", "the conversion was cancelled");
}

}  // namespace keras_litert
