#include "litert/stream.h"

#include <cstring>

namespace keras_litert::litert {

Status StreamFile(const Plan& plan, const Layout& layout, OutputFile& file,
                  const ProgressFn& progress) {
  KL_RETURN_IF_ERROR(file.WriteAt(0, std::as_bytes(std::span(layout.header))));
  int64_t written = static_cast<int64_t>(layout.header.size());
  if (progress) progress(written, layout.total);
  for (const Placement& place : layout.placements) {
    const ir::Constant& constant = *plan.buffers[place.buffer].constant;
    if (!layout.external) {
      const auto length = static_cast<uint32_t>(place.size);
      KL_RETURN_IF_ERROR(file.WriteAt(place.offset - 4, std::as_bytes(std::span(&length, 1))));
    }
    if (auto bytes = constant.bytes()) {
      KL_RETURN_IF_ERROR(file.WriteAt(place.offset, *bytes));
    } else {
      KL_ASSIGN_OR_RETURN(const std::vector<std::byte> all, ir::EvaluateBytes(constant));
      KL_RETURN_IF_ERROR(file.WriteAt(place.offset, all));
    }
    constant.Release();
    written += place.size;
    if (progress) progress(written, layout.total);
  }
  return {};
}

}  // namespace keras_litert::litert
