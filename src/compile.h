// The second half of every conversion, whoever lowered the model: passes, checks, the file.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "keras_litert/model.h"
#include "keras_litert/options.h"
#include "keras_litert/report.h"
#include "keras_litert/result.h"
#include "layers/model.h"

namespace keras_litert {

// The graph's input for a model input: unknown sizes become symbols unless the options fix them.
// `shared_symbols` has the symbol of axis 0, which all inputs share. Names the input in the module.
ir::Value MakeInput(ir::Builder& b, const layers::ModelInput& input, const ConvertOptions& options,
                    std::map<int, ir::Dim>& shared_symbols);

// Reports shapes that the options give to inputs that the model, whose inputs' names these are,
// does not have.
void CheckShapeOptions(ir::Builder& b, const ConvertOptions& options,
                       const std::vector<std::string>& inputs);

// Runs the passes on a lowered module, checks it and writes the file. `notes` go into the
// report, whose `seconds` are the caller's to say.
Result<ConvertReport> Compile(ir::Module& module, const std::filesystem::path& output,
                              const ConvertOptions& options, const std::string& model_name,
                              std::vector<std::string> notes);

}  // namespace keras_litert
