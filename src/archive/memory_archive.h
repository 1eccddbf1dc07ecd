// A model in memory, as an archive.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "archive/archive.h"

namespace keras_litert::archive {

// What a `.keras` archive would hold; see MemoryModel in keras_litert/model.h.
struct MemoryContent {
  std::string config;
  std::string keras_version;
  std::map<std::string, ir::ConstantPtr, std::less<>> weights;
  std::map<std::string, std::string, std::less<>> assets;
};

// Cannot fail: what is wrong with the content is found where it is read.
std::shared_ptr<const Archive> OpenMemory(MemoryContent content);

}  // namespace keras_litert::archive
