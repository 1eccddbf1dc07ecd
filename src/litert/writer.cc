#include "litert/writer.h"

#include "litert/header.h"
#include "litert/plan.h"
#include "litert/stream.h"
#include "util/cancelled.h"

namespace keras_litert::litert {

Result<int64_t> WriteInto(const ir::Module& module, OutputFile& file, const WriteOptions& options) {
  KL_ASSIGN_OR_RETURN(const Plan plan, MakePlan(module));
  const Layout layout = LayOut(module, plan, options.metadata, options.external_weights_from);
  KL_RETURN_IF_ERROR(file.Reserve(layout.total));
  KL_RETURN_IF_ERROR(StreamFile(plan, layout, file,
                                {.progress = options.progress, .cancelled = options.cancelled}));
  if (options.cancelled && options.cancelled()) return Cancelled();
  return layout.total;
}

Result<int64_t> WriteFile(const ir::Module& module, const std::filesystem::path& path,
                          const WriteOptions& options) {
  KL_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Create(path));
  KL_ASSIGN_OR_RETURN(const int64_t bytes, WriteInto(module, *file, options));
  KL_RETURN_IF_ERROR(file->Commit());
  return bytes;
}

}  // namespace keras_litert::litert
