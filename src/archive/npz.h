// Reads NumPy's array files: .npz (a zip of .npy entries, stored or deflated) and single .npy
// files.
//
// A .npy file: "\x93NUMPY", major and minor version, the header's length (2 bytes, from version 2
// on 4), the header, a Python dict as text, then the elements:
//   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
// Pickled arrays (dtype object) are refused: no code from a file runs.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "ir/type.h"
#include "util/result.h"

namespace keras_litert::archive {

struct NpzArray {
  std::string
      name;  // without ".npy"; a single .npy file's array is named "arr_0", as np.savez does
  ir::TensorType type;
  std::vector<std::byte> bytes;  // row-major, little-endian, whatever the file's order
};

// The arrays in the file's order of names. Errors: npz-1 (neither .npz nor .npy), npz-2 (damaged),
// npz-3 (a dtype that is not read), archive-2 … for the zip file, file-1 ….
Result<std::vector<NpzArray>> ReadNpz(const std::filesystem::path& file);

}  // namespace keras_litert::archive
