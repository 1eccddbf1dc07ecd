// How a conversion ends when its caller asked for it.
#pragma once

#include "util/result.h"

namespace keras_litert {

inline std::unexpected<Error> Cancelled() {
  return Fail("", "cancelled", "the conversion was cancelled");
}

}  // namespace keras_litert
