// A file in LiteRT's compiled model, by its C API.
#pragma once

#include <filesystem>
#include <memory>

#include "litert/runtime.h"
#include "litert/runtime_api.h"

namespace keras_litert::litert {

// As Runtime::Load(). `api` belongs to `runtime`, which the model keeps alive.
Result<std::unique_ptr<LoadedModel>> LoadModel(std::shared_ptr<const Runtime> runtime,
                                               const LiteRtApi& api,
                                               const std::filesystem::path& file, unsigned threads);

}  // namespace keras_litert::litert
