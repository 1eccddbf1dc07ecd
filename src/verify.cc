#include "keras_litert/verify.h"

namespace keras_litert {

Result<VerifyReport> Verify(const std::filesystem::path& model, const std::filesystem::path&,
                            const std::filesystem::path&, const VerifyOptions&) {
  return Fail(model.string(), "runtime-1", "running files is not possible yet");
}

}  // namespace keras_litert
