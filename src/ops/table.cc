#include "ops/table.h"

#include <map>

namespace keras_litert::ops {
namespace {

const std::map<std::string_view, OpFunction>& Table() {
  static const std::map<std::string_view, OpFunction> kTable = [] {
    std::map<std::string_view, OpFunction> table;
    const std::span<const OpEntry> families[] = {
        ActivationOps(),  ArithmeticOps(), AttentionOps(), BlockOps(),         ComparisonOps(),
        ConvolutionOps(), CountingOps(),   CreationOps(),  EinsumOps(),        ElementwiseOps(),
        FourierOps(),     ImageColorOps(), ImageOps(),     ImageSampleOps(),   ImageWindowOps(),
        IndexingOps(),    LinalgOps(),     LinearOps(),    NormalizationOps(), PaddingOps(),
        PoolingOps(),     RandomOps(),     RearrangeOps(), RecurrentOps(),     ReductionOps(),
        ScanOps(),        ShapeOps(),      SortOps(),      SpecialOps(),       TrigonometryOps(),
    };
    for (std::span<const OpEntry> family : families) {
      for (const OpEntry& entry : family) table.emplace(entry.name, entry.function);
    }
    return table;
  }();
  return kTable;
}

}  // namespace

OpFunction FindOp(std::string_view name) {
  const auto entry = Table().find(name);
  return entry == Table().end() ? nullptr : entry->second;
}

std::vector<std::string_view> OpNames() {
  std::vector<std::string_view> names;
  for (const auto& [name, function] : Table()) names.push_back(name);
  return names;
}

}  // namespace keras_litert::ops
