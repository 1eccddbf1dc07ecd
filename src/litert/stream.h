// Writes the bytes of a laid-out file.
#pragma once

#include <cstdint>
#include <functional>

#include "litert/header.h"
#include "util/platform.h"

namespace keras_litert::litert {

using ProgressFn = std::function<void(int64_t written, int64_t total)>;

// Writes the header and every weight at its place. `progress` may be empty.
Status StreamFile(const Plan& plan, const Layout& layout, OutputFile& file,
                  const ProgressFn& progress);

}  // namespace keras_litert::litert
