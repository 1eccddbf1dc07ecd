// The two kinds of archives, and the choice between them.
#pragma once

#include <memory>
#include <string>

#include "archive/archive.h"
#include "archive/container.h"
#include "archive/image.h"

namespace keras_litert::archive {

// Keras 3's format: config.json, metadata.json, model.weights.h5 (or model.weights.json and
// shards), assets/.
Result<std::shared_ptr<const Archive>> OpenKeras(std::shared_ptr<const Container> container);

// A whole model in one HDF5 file. `name` is for errors.
Result<std::shared_ptr<const Archive>> OpenWholeModelHdf5(Image image, std::string name);

// Either of them, whose bytes are in memory.
Result<std::shared_ptr<const Archive>> OpenImage(Image image, std::string name);

}  // namespace keras_litert::archive
