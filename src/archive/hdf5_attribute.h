// The text of HDF5 attributes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "archive/hdf5_messages.h"

namespace keras_litert::archive {

// The strings of an attribute, whether of fixed or variable length, one or an array; nothing where
// it holds something else or is damaged. An empty array of any type has no strings (NumPy makes an
// empty list an array of float64).
std::optional<std::vector<std::string>> ReadAttributeStrings(std::span<const std::byte> file,
                                                             const Attribute& attribute);

}  // namespace keras_litert::archive
