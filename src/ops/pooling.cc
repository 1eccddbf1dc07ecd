#include "ops/pooling.h"

#include "ops/table.h"

namespace keras_litert::ops {
namespace {

Value Pool(Builder& b, Value x, const PoolAttributes& a,
           Value (*pool)(Builder&, Value, const lrt::PoolWindow&)) {
  if (!x.ok()) return x;
  if (x.rank() != 4) return b.Fail("pool-1", "only 2-D pooling is lowered");
  const lrt::PoolWindow window{a.pool_size[0], a.pool_size[1], a.strides[0], a.strides[1],
                              a.padding == ConvPadding::kSame ? lrt::Padding::SAME
                                                              : lrt::Padding::VALID};
  if (a.channels_first) return ToChannelsFirst(b, pool(b, ToChannelsLast(b, x), window));
  return pool(b, x, window);
}

}  // namespace

Value MaxPool(Builder& b, Value x, const PoolAttributes& attributes) {
  return Pool(b, x, attributes, lrt::MaxPool2D);
}

Value AveragePool(Builder& b, Value x, const PoolAttributes& attributes) {
  return Pool(b, x, attributes, lrt::AveragePool2D);
}

std::span<const OpEntry> PoolingOps() { return {}; }

}  // namespace keras_litert::ops
