// Constants of equal bytes, which a file stores once.
//
// A traced model computes what does not depend on its inputs while it is traced, in each layer
// anew: the sines and cosines of rotary embeddings, masks. Weights may be equal, too, where they
// were never trained. Only constants that lie in memory as they are get compared: others have to be
// computed, and are weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "ir/constant.h"

namespace keras_litert::litert {

class EqualConstants {
 public:
  // The number of an equal constant that was given before; else `number`, which is this one's from
  // now on. Looks at some bytes of each constant, and at all of those that agree in these.
  uint32_t NumberOf(const ir::ConstantPtr& constant, uint32_t number);

 private:
  struct Known {
    ir::ConstantPtr constant;
    uint32_t number;
  };
  std::unordered_map<size_t, std::vector<Known>> known_;  // by fingerprint
};

}  // namespace keras_litert::litert
